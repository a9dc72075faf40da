//! Counters of adds.

ipse_base::counters! {
    /// What adds did since the node was started.
    pub(crate) struct AddCounters: "add" {
        adds: "Adds begun",
        files_in_place: "Files read in place, handed over as descriptors",
        chunks_in_place: "Chunks read straight to where they were hashed",
        chunks_passed: "Chunks that came as bytes",
        bytes_hashed: "Bytes of chunks hashed",
    }
}
