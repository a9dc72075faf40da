//! DAG-JSON (IPLD specification): JSON in which `{"/": "cid"}` is a link and `{"/": {"bytes": "base64"}}` is
//! bytes. Written exactly as the reference codec writes it, because scripts read what `dag get` prints; plain
//! JSON is the same without the two forms.

mod reader;
mod writer;

pub(crate) use reader::decode;
pub use reader::{JsonError, JsonFault};
pub(crate) use writer::encode;

/// Whether links and bytes have their forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// DAG-JSON.
    Dag,
    /// JSON, in which `/` is a key as any other, and neither links nor bytes exist.
    Plain,
}

#[cfg(test)]
mod tests;
