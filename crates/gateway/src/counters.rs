//! Counters of the gateway.

ipse_base::counters! {
    /// What the gateway did since it was started.
    pub(crate) struct GatewayCounters: "gateway" {
        requests: "Requests, those that were refused included",
        remembered: "Files that were answered without looking anything up",
        looked_up: "Paths that were looked up",
        frames: "Pieces of files handed to connections; each leaves in one write, if the client takes it",
        small_frames: "Those that were small copies, since slow readers held the memory for larger ones",
        disk_waits: "Blocks that an answer waited for the disk for",
        fetches: "Answers that went on with content from peers",
        refused: "Requests over a limit",
        cut: "Connections closed because they stood still",
    }
}
