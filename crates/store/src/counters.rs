//! Counters of the store.

ipse_base::counters! {
    /// What the store did since it was opened.
    pub struct StoreCounters: "store" {
        records_written: "Records appended to the log",
        bytes_written: "Bytes of payload in them",
        log_bytes: "Bytes that the log grew by, headers and names included",
        writes: "System calls that wrote them",
        writebacks: "Times the kernel was asked to begin with the writing, ahead of the sync",
        syncs: "Syncs of the log",
        resumptions: "Times the log went on after a sync that failed",
        duplicates: "Blocks put that were here already",
        reads: "Blocks read from their segment",
        bytes_read: "Bytes of payload in them",
        cache_hits: "Blocks that were in memory, read from neither index nor disk",
        would_wait: "Reads that were left to the blocking pool, since the page cache did not have the block",
        index_lookups: "Look-ups that went to the index on disk",
        collections: "Collections begun, those counted that only made a plan",
        rebuilds: "Times that a damaged index was built anew",
        checkpoints: "Batches of changes written to the index",
    }
}
