//! Every bound of the node in one table, with what holds between them asserted at compile time.
//!
//! Units stand last in each name. Numbers that come from other implementations say so: they are what public
//! peers enforce, so going over them loses data silently.

/// Largest block taken in, sent, or made, in bytes. Public peers refuse larger ones.
pub const BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest digest of a hash function, in bytes.
pub const DIGEST_BYTES_MAX: usize = 64;

/// Most content that a Cid may carry in itself, in bytes (as in the reference node).
pub const IDENTITY_BYTES_MAX: usize = 128;

/// Longest Cid that boxo's bitswap server takes, in binary form.
pub const BITSWAP_CID_BYTES_MAX: usize = 168;

/// Largest bitswap message, in bytes, in both directions (boxo refuses larger ones).
pub const BITSWAP_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Wants, haves included, that one peer may have open with us, and we with it. boxo drops the excess silently.
pub const BITSWAP_WANTS_PER_PEER_MAX: usize = 1024;

/// Wants that we keep open with one peer: below the peer's limit, so that a re-sent want still fits.
pub const BITSWAP_WANTS_SENT_PER_PEER_MAX: usize = 960;

/// Bytes of small blocks gathered in one message; a large block goes alone.
pub const BITSWAP_MESSAGE_BYTES_TARGET: usize = 256 * 1024;

/// Bytes asked for and not yet here, over all peers of a session.
pub const SESSION_ASKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes asked for when a session starts and nothing is measured.
pub const SESSION_ASKED_BYTES_START: u64 = 4 * 1024 * 1024;

/// Bytes received and not yet consumed by a walk.
pub const UNCONSUMED_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Links of a file node at the most in what we write.
pub const FILE_LINKS_MAX: usize = 8192;

/// Levels of nesting that any walk, resolver or codec follows.
pub const DAG_DEPTH_MAX: usize = 1024;

/// Longest path in bytes.
pub const PATH_BYTES_MAX: usize = 16 * 1024;

/// Longest name of a directory entry that we write, in bytes.
pub const ENTRY_NAME_BYTES_MAX: usize = 4096;

/// Largest fan-out of a sharded directory that we follow (UnixFS specification).
pub const HAMT_FANOUT_MAX: u64 = 1024;

/// Longest header of a CAR archive, in bytes.
pub const CAR_HEADER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest name of a pin, in bytes (as in the reference node).
pub const PIN_NAME_BYTES_MAX: usize = 255;

/// Connections toward peers, in all and from one peer.
pub const CONNECTIONS_MAX: u32 = 512;
/// Connections from one peer.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// Streams of framed protocols that a peer may open on one connection.
pub const INBOUND_STREAMS_PER_CONNECTION_MAX: usize = 64;

/// Memory for the index's page cache, in bytes.
pub const INDEX_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Memory for index entries that are in the log and not yet in the index, in bytes.
pub const INDEX_PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the whole process may use when busy, in bytes.
pub const PROCESS_BYTES_BUDGET: usize = 96 * 1024 * 1024;

const _: () = {
    assert!(BLOCK_BYTES_MAX + BITSWAP_CID_BYTES_MAX + 64 < BITSWAP_MESSAGE_BYTES_MAX);
    assert!(BITSWAP_WANTS_SENT_PER_PEER_MAX < BITSWAP_WANTS_PER_PEER_MAX);
    assert!(BITSWAP_MESSAGE_BYTES_TARGET < BLOCK_BYTES_MAX);
    assert!(IDENTITY_BYTES_MAX + 16 <= BITSWAP_CID_BYTES_MAX);
    assert!(SESSION_ASKED_BYTES_START <= SESSION_ASKED_BYTES_MAX);
    assert!(UNCONSUMED_BYTES_MAX as usize >= 2 * BLOCK_BYTES_MAX);
    assert!(
        INDEX_CACHE_BYTES + INDEX_PENDING_BYTES_MAX + UNCONSUMED_BYTES_MAX as usize <= PROCESS_BYTES_BUDGET
    );
};
