//! Bounds and thresholds that only the exchange has. What other crates need too is in `ipse_base::limits`.

use std::time::Duration;

use ipse_base::limits::{
    BITSWAP_MESSAGE_BYTES_MAX, BITSWAP_MESSAGE_BYTES_TARGET, BITSWAP_WANTS_PER_PEER_MAX,
    BITSWAP_WANTS_SENT_PER_PEER_MAX, BLOCK_BYTES_MAX, CONNECTIONS_MAX, SESSION_ASKED_BYTES_MAX,
    SESSION_ASKED_BYTES_START,
};

/// Wants, blocks or presences that one message may have; a boxo client's largest has about 45,000 wants.
pub const MESSAGE_ITEMS_MAX: usize = 65_536;

/// Entries that we put into one message ourselves.
pub const ENTRIES_PER_SEND_MAX: usize = 2 * BITSWAP_WANTS_PER_PEER_MAX;

/// Cancels that may travel with new wants. boxo counts the wants of a message before it looks at the cancels,
/// so more of them go ahead in a message of their own.
pub const CANCELS_BESIDE_WANTS_MAX: usize = BITSWAP_WANTS_PER_PEER_MAX - BITSWAP_WANTS_SENT_PER_PEER_MAX;

/// Wants answered DONT_HAVE that stay in a peer's ledger, so that it tells when it gets the block; the oldest
/// are cancelled beyond that.
pub const PARKED_PER_PEER_MAX: usize = 128;

/// Blocks that are no longer wanted and are remembered, to tell a late answer from one nobody asked for.
pub const RECENT_MAX: usize = 8192;

/// Bad blocks after which a peer is dropped.
pub const BAD_BLOCKS_MAX: u32 = 3;

/// Good blocks that make up for a bad one: a long exchange may have a broken cable in it.
pub const GOOD_BLOCKS_PER_PARDON: u32 = 1024;

/// Shortest silence after which a want is asked for again.
pub const SILENCE_MIN: Duration = Duration::from_secs(1);

/// The same in round trips.
pub const SILENCE_ROUND_TRIPS: u32 = 4;

/// Times that a silent peer is asked for one block before it counts as not having it.
pub const ASKS_PER_PEER_MAX: u8 = 3;

/// DONT_HAVEs in a row after which a session stops to count a peer among those that have its content.
pub const DONT_HAVES_MAX: u32 = 16;

/// First wants of a session for which all peers are asked: enough to find out who has the content.
pub const DISCOVERY_WANTS: usize = 32;

/// First pause before all peers are asked again for a block that nobody had; each further one is twice as long.
pub const ASK_ALL_FIRST: Duration = Duration::from_secs(2);

/// Longest such pause.
pub const ASK_ALL_AGAIN: Duration = Duration::from_secs(30);

/// Time that the smallest window of a peer lasts: queued longer, an urgent want waits too long.
pub const WINDOW_FLOOR: Duration = Duration::from_millis(250);

/// Part of a session's wants that may be asked of two peers at the end.
pub const ENDGAME_PERCENT: usize = 5;

/// Failed sends in a row and the pause after each: the first is tried again at once, since a peer may have
/// closed an idle stream.
pub const SEND_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause after failed sends.
pub const SEND_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Largest block that is sent where only word of it was asked for (as boxo does).
pub const HAVE_AS_BLOCK_BYTES_MAX: u64 = 1024;

/// Presences in one message.
pub const PRESENCES_PER_SEND_MAX: usize = BITSWAP_WANTS_PER_PEER_MAX;

/// Cids in one lookup.
pub const LOOKUP_MAX: usize = 256;

/// Payload that all peers' unfinished sends may hold, in bytes; beyond it peers take turns.
pub const SENDING_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A send that takes longer than this is the peer's own slowness and no longer counts for the others.
pub const STALL: Duration = Duration::from_secs(1);

/// Times that a failed send is repeated.
pub const SEND_ATTEMPTS_MAX: u8 = 3;

/// Wants remembered over all peers. With more peers than fill it, each may have fewer than the usual number.
pub const WANTS_MAX: usize = 131_072;

/// Wants over all peers below which a single one may have more than the usual number. All together have at most so
/// many, and one peer's, beyond [`WANTS_MAX`], however many peers are how greedy.
pub const WANTS_FEW: usize = WANTS_MAX / 4;

/// Wants that every peer may have, however many peers there are.
pub const WANTS_PER_PEER_MIN: usize = 64;

/// Ledgers kept, of connected and of past peers.
pub const LEDGERS_MAX: usize = 4096;

/// Peers known at once by either side.
pub const PEERS_MAX: usize = CONNECTIONS_MAX as usize;

const _: () = {
    assert!(SENDING_BYTES_MAX >= 8 * BLOCK_BYTES_MAX as u64);
    assert!(BITSWAP_MESSAGE_BYTES_TARGET as u64 >= HAVE_AS_BLOCK_BYTES_MAX);
    assert!(BITSWAP_MESSAGE_BYTES_TARGET + PRESENCES_PER_SEND_MAX * 192 + 64 < BITSWAP_MESSAGE_BYTES_MAX);
    assert!(BLOCK_BYTES_MAX + PRESENCES_PER_SEND_MAX * 192 + 256 < BITSWAP_MESSAGE_BYTES_MAX);
    assert!(ENTRIES_PER_SEND_MAX * 192 < BITSWAP_MESSAGE_BYTES_MAX);
    assert!(PARKED_PER_PEER_MAX < BITSWAP_WANTS_SENT_PER_PEER_MAX);
    assert!(SESSION_ASKED_BYTES_START >= BLOCK_BYTES_MAX as u64);
    assert!(SESSION_ASKED_BYTES_MAX >= SESSION_ASKED_BYTES_START);
    assert!(LEDGERS_MAX >= PEERS_MAX);
    assert!(WANTS_PER_PEER_MIN * PEERS_MAX <= WANTS_MAX);
};
