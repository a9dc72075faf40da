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

/// Wants that one peer may have open with us while peers together have few, and we with a peer that says by
/// [`BITSWAP_ROOMY_PROTOCOL`] that it takes so many. A thousand blocks of 4 KiB are 4 MiB a round trip, a fifth of
/// what a fast path of 50 ms holds. How many all peers together may have is bounded besides.
pub const BITSWAP_WANTS_PER_ROOMY_PEER_MAX: usize = 4096;

/// Wants that we keep open with such a peer: what a walk has open.
pub const BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX: usize = 4 * BITSWAP_WANTS_SENT_PER_PEER_MAX;

/// The name among a node's protocols that says so. Nobody opens a stream by it.
pub const BITSWAP_ROOMY_PROTOCOL: &str = "/ipse/wants/4096";

/// Bytes of small blocks gathered in one message; a large block goes alone.
pub const BITSWAP_MESSAGE_BYTES_TARGET: usize = 256 * 1024;

/// Bytes asked for and not yet here, over all peers of a session.
pub const SESSION_ASKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes asked for when a session starts and nothing is measured.
pub const SESSION_ASKED_BYTES_START: u64 = 4 * 1024 * 1024;

/// Bytes received and not yet consumed by a walk.
pub const UNCONSUMED_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes received for one session and not taken by its walk, beyond which nothing more is asked for until half of
/// them are taken. What is on its way then still comes.
pub const SESSION_LAG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes that a walk has asked for, those that are here and not consumed included. With 128 MiB a fetch on loopback
/// was no quicker, and its node took 130 MiB of memory instead of 55.
pub const WALK_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What of that may be here, in bytes; beyond it, blocks that come before their turn stay in the store.
pub const WALK_HELD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Links of a file node at the most in what we write.
pub const FILE_LINKS_MAX: usize = 8192;

/// Levels of nesting that any walk, resolver or codec follows.
pub const DAG_DEPTH_MAX: usize = 1024;

/// Longest path in bytes.
pub const PATH_BYTES_MAX: usize = 16 * 1024;

/// Longest line of a denylist, in bytes (IPIP-383).
pub const DENYLIST_LINE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest header of a denylist, in bytes (IPIP-383).
pub const DENYLIST_HEADER_BYTES_MAX: usize = 1024 * 1024;
/// Lines of all denylists together. A rule takes some 30 bytes of memory where it is hashed, as in the public lists.
pub const DENYLIST_RULES_MAX: u32 = 16 * 1024 * 1024;
/// Lines of one denylist that are passed over because they can't be read; with more of them it is no denylist.
pub const DENYLIST_REFUSED_MAX: usize = 1000;

/// Longest name of a directory entry that we write, in bytes.
pub const ENTRY_NAME_BYTES_MAX: usize = 4096;

/// Largest fan-out of a sharded directory that we follow (UnixFS specification).
pub const HAMT_FANOUT_MAX: u64 = 1024;

/// Longest header of a CAR archive, in bytes.
pub const CAR_HEADER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest name of a pin, in bytes (as in the reference node).
pub const PIN_NAME_BYTES_MAX: usize = 255;

/// Names that a list of pinned blocks remembers at once; more blocks are listed in several passes. In 22 bytes
/// each that is 13 MiB.
pub const PIN_LIST_NAMES_MAX: usize = 640_000;

/// Links in view of a walk over pinned blocks, as in all walks.
pub const PIN_LIST_LINKS_MAX: usize = 1 << 20;

/// Connections toward peers, in all and from one peer.
pub const CONNECTIONS_MAX: u32 = 512;
/// Connections from one peer.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// Connections that one IP address may open toward us.
pub const CONNECTIONS_PER_IP_MAX: usize = 64;

/// Bytes that peers have sent and no stream has taken, over all connections. Each connection has
/// [`UNREAD_CONNECTION_BYTES_MIN`] beyond that.
pub const UNREAD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The same of one connection. A fast peer's stream is read long before it has so much.
pub const UNREAD_CONNECTION_BYTES_MAX: u64 = 1024 * 1024;
/// What a connection may have unread however much the others have, in bytes.
pub const UNREAD_CONNECTION_BYTES_MIN: u64 = 128 * 1024;

/// Bytes that streams have written and no socket has taken, over all connections. Each connection has
/// [`UNSENT_CONNECTION_BYTES_MIN`] beyond that.
pub const UNSENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The same of one connection.
pub const UNSENT_CONNECTION_BYTES_MAX: u64 = 512 * 1024;
/// Below this a connection takes one more frame of a stream, however much the others have unsent, in bytes.
pub const UNSENT_CONNECTION_BYTES_MIN: u64 = 32 * 1024;

/// Memory for messages of which a part has arrived, beyond the first 64 KiB of each, in bytes over all peers. While
/// it is used up, messages that stand still are given up.
pub const ARRIVING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Payload that was read to be sent and that no stream has taken, in bytes, over all peers. Each peer has
/// [`LOADED_PEER_BYTES_MIN`] beyond that.
pub const LOADED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Payload that is held for a peer that takes nothing, in bytes: it is written when the peer takes bytes again,
/// and only then is the rest read from the store.
pub const LOADED_PEER_BYTES_MIN: usize = 32 * 1024;

/// Bytes that a peer may send over QUIC before any stream takes them, in all of a connection: the window that
/// QUIC promises can't be taken back, so that it is counted for each connection that peers may open.
pub const QUIC_CONNECTION_BYTES_MAX: u32 = 2 * 1024 * 1024;
/// Connections over QUIC that peers may open toward us. Beside the window above, which makes 96 MiB with all of them,
/// the library keeps up to 10 MB for each that it was given and the peer has not acknowledged. That can't be set through
/// libp2p, nor seen from outside, so this count is its only bound: 48 peers that ask for much, grant large windows and
/// acknowledge nothing hold up to 480 MB more.
pub const QUIC_INBOUND_MAX: usize = 48;

/// Bytes that a peer may send on a stream that it opened before we have read any: what a fast and long path holds
/// (as the largest window of the reference node, which has to be grown into). What of it is here is bounded above.
pub const STREAM_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// What a stream starts with by the specification of yamux, in bytes.
pub const STREAM_WINDOW_BYTES_START: u32 = 256 * 1024;

/// Streams of framed protocols that a peer may open on one connection.
pub const INBOUND_STREAMS_PER_CONNECTION_MAX: usize = 64;

/// Memory for the index's page cache, in bytes.
pub const INDEX_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Memory for index entries that are in the log and not yet in the index, in bytes.
pub const INDEX_PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Least space on the disk that a store holds back so that a full disk can be cleaned up, in bytes, unless the store
/// itself or the disk is small.
pub const SPARE_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// Most of it.
pub const SPARE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Memory for the filter in which a collection remembers what it must keep, in bytes: enough for 10⁷ blocks with
/// one in a thousand garbage blocks left for the next time; for more blocks, more of them. The cache of blocks lends
/// it while a collection runs, so it stands in no sum of its own.
pub const COLLECTION_FILTER_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Inner nodes that the marking of a collection remembers to have walked: about 7 MiB, and enough for 9·10⁷ blocks under
/// nodes of 174 links. Of more, parts that several pins share are walked more than once.
pub const MARKING_NODES_MAX: usize = 512 * 1024;

/// Memory for the filter of blocks that running writes found to be there already, in bytes: enough for 10⁶ of them.
/// Where there are more, more garbage stays until these writes are done.
pub const TOUCHED_FILTER_BYTES: usize = 2 * 1024 * 1024;

/// Memory for blocks that were read and are likely to be read again, in bytes.
pub const BLOCK_CACHE_BYTES: usize = 24 * 1024 * 1024;

/// Largest file whose leaves are kept there, in bytes: a larger one would push much of the rest out, and is
/// read as fast from the system's own cache.
pub const CACHED_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Memory of large read buffers that wait to be used again, in bytes. New memory costs as much time as reading
/// into it, so a stream goes round in a few buffers.
pub const READ_POOL_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The same for messages of peers: what arrives goes round in the memory of what was passed on.
pub const FRAME_POOL_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Memory for what the gateway remembers of paths it has answered, in bytes: some hundred bytes a path, and 72
/// for each leaf of a large file.
pub const GATEWAY_CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Connections to the gateway at the same time; further ones are told to come back. Each takes about 16 KiB.
pub const GATEWAY_CONNECTIONS_MAX: usize = 4096;

/// Requests that the gateway answers at the same time (as the reference node by default).
pub const GATEWAY_REQUESTS_MAX: usize = 4096;

/// Longest head of a request to the gateway, in bytes: a path may have [`PATH_BYTES_MAX`], percent-encoded.
pub const GATEWAY_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Largest body of a request to the gateway, in bytes. None of its requests needs one.
pub const GATEWAY_REQUEST_BODY_BYTES_MAX: u64 = 64 * 1024;

/// Bytes that the gateway hands to a connection at a time. Larger writes are no faster, and fall out of the
/// processor's cache before they are sent.
pub const GATEWAY_FRAME_BYTES: usize = 1024 * 1024;

/// Frames of this many bytes are not counted, and are all that a client gets while [`GATEWAY_FRAMES_BYTES_MAX`]
/// is used up: times [`GATEWAY_REQUESTS_MAX`] that is all which slow readers can hold.
pub const GATEWAY_SMALL_FRAME_BYTES: usize = 32 * 1024;

/// Bytes that the system is asked to hold for a connection that gets such small frames. Left alone it holds up to
/// four MiB for each, and a thousand slow readers use up what it has for all connections of the machine.
pub const GATEWAY_SLOW_SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Bytes in larger frames over all connections: what slow readers can keep from others is speed, not memory.
pub const GATEWAY_FRAMES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Seconds that a client may take for the head of a request.
pub const GATEWAY_HEAD_SECONDS: u32 = 30;

/// Seconds that a connection may stay open between two requests.
pub const GATEWAY_IDLE_SECONDS: u32 = 60;

/// Seconds without a single byte sent, because the client takes none or because none comes, after which an
/// answer is cut. One that moves goes on.
pub const GATEWAY_STALL_SECONDS: u32 = 60;

/// Seconds that one answer may take in all (as in the reference node by default).
pub const GATEWAY_ANSWER_SECONDS: u32 = 3600;

/// Answers at the same time that come out of a walk which holds what it has read ahead: content that is fetched
/// from peers, and long listings.
pub const GATEWAY_STREAMS_MAX: usize = 64;

/// Bytes that readers of files were handed and have not dropped yet, over all of them (`cat` of the RPC).
pub const READERS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a reader gets at a time when that is used up, in bytes.
pub const READER_BYTES_MIN: usize = 32 * 1024;

/// Connections to the RPC at the same time; further ones wait in the system's queue. Each takes about 16 KiB.
pub const RPC_CONNECTIONS_MAX: usize = 4096;

/// Commands of the RPC at the same time that walk through many blocks and hold what they have read ahead, about
/// two MiB each; further ones wait.
pub const RPC_WALKS_MAX: usize = 48;

/// Seconds without a byte taken after which the reply of such a command is broken off, where others wait.
pub const RPC_WALK_STALL_SECONDS: u64 = 10;

/// Bytes of a reply that wait for its connection, beyond which no more is asked of its command. Of replies in
/// parts under 64 KiB only one part waits.
pub const RPC_REPLY_BYTES_MAX: usize = 512 * 1024;

/// Longest head of a request to the RPC, in bytes. Arguments stand in the address.
pub const RPC_HEAD_BYTES_MAX: usize = 128 * 1024;

/// What the whole process may use when busy, in bytes.
pub const PROCESS_BYTES_BUDGET: usize = 96 * 1024 * 1024;

const _: () = {
    assert!(BLOCK_BYTES_MAX + BITSWAP_CID_BYTES_MAX + 64 < BITSWAP_MESSAGE_BYTES_MAX);
    assert!(BITSWAP_WANTS_SENT_PER_PEER_MAX < BITSWAP_WANTS_PER_PEER_MAX);
    assert!(BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX < BITSWAP_WANTS_PER_ROOMY_PEER_MAX);
    assert!(BITSWAP_MESSAGE_BYTES_TARGET < BLOCK_BYTES_MAX);
    assert!(IDENTITY_BYTES_MAX + 16 <= BITSWAP_CID_BYTES_MAX);
    assert!(SESSION_ASKED_BYTES_START <= SESSION_ASKED_BYTES_MAX);
    // Below its minimum a connection has room for the largest frame's piece, so that it can always go on.
    assert!(UNREAD_CONNECTION_BYTES_MIN >= 64 * 1024 && UNREAD_CONNECTION_BYTES_MAX <= UNREAD_BYTES_MAX);
    assert!(STREAM_WINDOW_BYTES >= STREAM_WINDOW_BYTES_START);
    // However hostile the peers are.
    assert!(UNREAD_BYTES_MAX + CONNECTIONS_MAX as u64 * UNREAD_CONNECTION_BYTES_MIN <= 80 * 1024 * 1024);
    assert!(QUIC_INBOUND_MAX * QUIC_CONNECTION_BYTES_MAX as usize <= 96 * 1024 * 1024);
    assert!(ARRIVING_BYTES_MAX >= 4 * BITSWAP_MESSAGE_BYTES_MAX);
    assert!(UNSENT_CONNECTION_BYTES_MAX <= UNSENT_BYTES_MAX && LOADED_BYTES_MAX >= 8 * BLOCK_BYTES_MAX);
    assert!(
        UNSENT_BYTES_MAX as usize
            + LOADED_BYTES_MAX
            + CONNECTIONS_MAX as usize * (UNSENT_CONNECTION_BYTES_MIN as usize + LOADED_PEER_BYTES_MIN)
            <= 96 * 1024 * 1024
    );
    // The cache has room for something even while it lends.
    assert!(COLLECTION_FILTER_BYTES_MAX + 2 * BLOCK_BYTES_MAX <= BLOCK_CACHE_BYTES);
    assert!(UNCONSUMED_BYTES_MAX as usize >= 2 * BLOCK_BYTES_MAX);
    assert!(
        INDEX_CACHE_BYTES
            + INDEX_PENDING_BYTES_MAX
            + BLOCK_CACHE_BYTES
            + TOUCHED_FILTER_BYTES
            + READ_POOL_BYTES_MAX
            + FRAME_POOL_BYTES_MAX
            + UNCONSUMED_BYTES_MAX as usize
            <= PROCESS_BYTES_BUDGET
    );
    assert!(
        SESSION_LAG_BYTES_MAX >= 2 * BLOCK_BYTES_MAX as u64 && SESSION_LAG_BYTES_MAX < UNCONSUMED_BYTES_MAX
    );
    assert!(WALK_BYTES_MAX <= SESSION_ASKED_BYTES_MAX && WALK_HELD_BYTES_MAX <= UNCONSUMED_BYTES_MAX);
    assert!(GATEWAY_HEAD_BYTES_MAX >= 3 * PATH_BYTES_MAX);
    assert!(GATEWAY_SMALL_FRAME_BYTES < GATEWAY_FRAME_BYTES);
    assert!(READER_BYTES_MIN * RPC_CONNECTIONS_MAX + READERS_BYTES_MAX <= 160 * 1024 * 1024);
    assert!(GATEWAY_FRAMES_BYTES_MAX >= 16 * GATEWAY_FRAME_BYTES);
    assert!(CACHED_FILE_BYTES_MAX as usize * 4 <= BLOCK_CACHE_BYTES);
};
