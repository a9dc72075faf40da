//! What the net counts; `ipse diag hot` prints it.

ipse_base::counters! {
    /// The net's counters.
    pub struct NetCounters: "net" {
        messages_in: "Messages that arrived",
        blocks_in: "Blocks that arrived",
        puts: "Puts of arrived blocks into the store",
        messages_out: "Messages written",
        blocks_out: "Blocks written",
        wantlists_out: "Wantlists written",
        wants_out: "Wants and cancels written",
        wants_in_flight_peak: "Most wants in flight at once",
        lookups: "Lookups of what peers ask for: hops to the blocking pool",
        wantlists_held: "Wantlists put off because their peer had asked for too much that is not here",
        loads: "Loads of payload to write: hops to the blocking pool",
        pauses: "Times that a session stopped asking because its reader lagged",
        deliveries: "Blocks handed to sessions",
        deliveries_stored: "Of these, left in the store because too much was not consumed",
        reads_held: "Reads of a connection put off because too much of it was unread",
        writes_held: "Writes of a stream put off because its connection had too much unsent",
        unsent_peak: "Most bytes of streams that no socket had taken, over all connections",
        loaded_peak: "Most bytes of payload that were loaded and not handed to a stream",
        reloads: "Payload that was let go while its peer took nothing, and read again",
        connections_in: "Connections that peers began, and handshakes with them",
        connections_refused: "Connections refused before a handshake: too many from one address, or an offender",
        violations: "Streams on which a peer broke the protocol",
        places_made: "Connections closed to make a place for a newcomer",
        unread_peak: "Most bytes unread in streams of all connections",
    }
}
