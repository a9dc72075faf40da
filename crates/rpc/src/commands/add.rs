//! `add`: the upload goes to the node's importer while its events come back as lines.

use std::task::Poll;

use futures::StreamExt;
use ipse_api::{AddEvent as Line, Invocation};
use ipse_base::{HashCode, Version};
use ipse_node::{AddEvent, AddInput, AddOptions, Chunker, ImportOptions, Metadata, Naming, Node};
use tokio::sync::mpsc;

use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::{Reply, driven};
use crate::upload::{Upload, Uploaded};

/// Blocks that fit into a Cid at the most, in bytes.
const INLINE_BYTES_MAX: i64 = ipse_base::limits::IDENTITY_BYTES_MAX as i64;

/// Bytes of inputs that go to the importer without waiting for more.
const BATCH_BYTES: usize = 1024 * 1024;
/// Inputs that go to the importer together.
const BATCH_INPUTS_MAX: usize = 1024;

pub(super) async fn add(mut context: Context) -> Result<Reply, Failure> {
    let upload = context.upload()?;
    let node = context.node()?;
    let given = Given::read(&context.invocation)?;
    let adding = node.add(options(node, &context.invocation, &given)?)?;
    let (input, mut events) = (adding.input, adding.events);
    let cids = context.cids;
    let lines = futures::stream::poll_fn(move |task| events.poll_recv(task)).flat_map(move |events| {
        let (events, failure) = match events {
            Ok(events) => (events, None),
            Err(error) => (Vec::new(), Some(Err(Failure::from(error)))),
        };
        futures::stream::iter(events)
            .map(move |event| Ok(line(event, cids)))
            .chain(futures::stream::iter(failure))
    });
    Ok(Reply::values(driven(push(upload, input, given), lines)))
}

/// What the request says about modes and times of everything in it.
#[derive(Debug, Clone, Copy)]
struct Given {
    mode: Option<u32>,
    mtime: Option<(i64, u32)>,
}

impl Given {
    fn read(invocation: &Invocation) -> Result<Self, Failure> {
        let mode = invocation.int("mode").and_then(|mode| u32::try_from(mode).ok());
        let nanoseconds = invocation.int("mtime-nsecs").and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        if nanoseconds >= 1_000_000_000 {
            return Err(Failure::invalid("mtime-nsecs must be below 1000000000"));
        }
        Ok(Self { mode, mtime: invocation.int("mtime").map(|seconds| (seconds, nanoseconds)) })
    }

    fn input(self, uploaded: Uploaded) -> AddInput {
        match uploaded {
            Uploaded::Directory(head) => AddInput::Directory(head.path, self.over(head.mode, head.mtime)),
            Uploaded::Symlink(head, target) => {
                AddInput::Symlink(head.path, target, self.over(head.mode, head.mtime))
            }
            Uploaded::File(head) => AddInput::File(head.path, self.over(head.mode, head.mtime)),
            Uploaded::Data(data) => AddInput::Data(data),
            Uploaded::FileEnd => AddInput::FileEnd,
            Uploaded::Source(head, file) => {
                AddInput::Source(head.path, Box::new(file), self.over(head.mode, head.mtime))
            }
        }
    }

    fn over(self, mode: Option<u32>, mtime: Option<(i64, u32)>) -> Metadata {
        Metadata { mode: self.mode.or(mode), mtime: self.mtime.or(mtime) }
    }
}

/// Pushes the upload into the importer, as much at once as is here. An importer that stops listening has told why
/// among its events.
async fn push(mut upload: Upload, input: mpsc::Sender<Vec<AddInput>>, given: Given) -> Result<(), Failure> {
    let mut batch = Batch::default();
    loop {
        let uploaded = {
            let mut next = std::pin::pin!(upload.next());
            match futures::poll!(&mut next) {
                Poll::Ready(uploaded) => uploaded?,
                Poll::Pending => {
                    if batch.send(&input).await.is_err() {
                        return Ok(());
                    }
                    next.await?
                }
            }
        };
        let end = uploaded.is_none();
        batch.push(uploaded.map_or(AddInput::Finish, |uploaded| given.input(uploaded)));
        if (end || batch.is_full()) && batch.send(&input).await.is_err() {
            return Ok(());
        }
        if end {
            return Ok(());
        }
    }
}

/// Inputs that go to the importer together.
#[derive(Default)]
struct Batch {
    inputs: Vec<AddInput>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, input: AddInput) {
        if let AddInput::Data(data) = &input {
            self.bytes += data.len();
        }
        self.inputs.push(input);
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.inputs.len() >= BATCH_INPUTS_MAX
    }

    async fn send(&mut self, importer: &mpsc::Sender<Vec<AddInput>>) -> Result<(), Gone> {
        self.bytes = 0;
        match std::mem::take(&mut self.inputs) {
            inputs if inputs.is_empty() => Ok(()),
            inputs => importer.send(inputs).await.map_err(|_| Gone),
        }
    }
}

/// The importer is over.
struct Gone;

fn options(node: &Node, invocation: &Invocation, given: &Given) -> Result<AddOptions, Failure> {
    Ok(AddOptions {
        import: import(node.settings().import.clone(), invocation)?,
        wrap: invocation.bool("wrap-with-directory"),
        pin: invocation.bool("pin") && !invocation.bool("only-hash"),
        pin_name: pin_name(invocation)?,
        only_hash: invocation.bool("only-hash"),
        progress: invocation.bool("progress"),
        preserve_mode: invocation.bool("preserve-mode") || given.mode.is_some(),
        preserve_mtime: invocation.bool("preserve-mtime") || given.mtime.is_some(),
    })
}

/// The pin's name; a name for a pin that is not wanted is refused here, since hashing alone never pins.
fn pin_name(invocation: &Invocation) -> Result<Option<String>, Failure> {
    let name = invocation.string("pin-name").filter(|name| !name.is_empty());
    if name.is_some() && !invocation.bool("pin") {
        return Err(ipse_node::AddError::NameWithoutPin.into());
    }
    Ok(name.filter(|_| !invocation.bool("only-hash")))
}

/// How files become Dags: the repository's way, changed by what the request says.
fn import(import: ImportOptions, invocation: &Invocation) -> Result<ImportOptions, Failure> {
    let mut import = import.with_naming(naming(invocation)?)?;
    if let Some(chunker) = invocation.string("chunker") {
        let Chunker::Size(bytes) = Chunker::parse(&chunker)?;
        import.chunk_bytes = bytes;
    }
    if let Some(links) = count(invocation, "max-file-links")? {
        import.file_links_max = links;
    }
    if let Some(links) = count(invocation, "max-directory-links")? {
        import.directory_links_max = links;
    }
    if let Some(fanout) = invocation.int("max-hamt-fanout") {
        let power = u64::try_from(fanout).ok().filter(|n| n.is_power_of_two() && (8..=1024).contains(n));
        import.hamt_fanout = power.ok_or_else(|| {
            Failure::invalid(format!("HAMT fanout must be a power of 2, between 8 and 1024 (got {fanout})"))
        })?;
    }
    if invocation.bool("inline") {
        let limit = invocation.int("inline-limit").unwrap_or(INLINE_BYTES_MAX);
        if limit > INLINE_BYTES_MAX {
            let text =
                format!("inline-limit {limit} exceeds maximum allowed size of {INLINE_BYTES_MAX} bytes");
            return Err(Failure::invalid(text));
        }
        import.inline_limit = usize::try_from(limit).ok();
    }
    Ok(import)
}

/// Whether modes or times are to be kept.
fn has_metadata(invocation: &Invocation) -> bool {
    let switched = ["preserve-mode", "preserve-mtime"].iter().any(|name| invocation.bool(name));
    switched || ["mode", "mtime"].iter().any(|name| invocation.int(name).is_some_and(|value| value != 0))
}

/// What the request says of names; what it leaves open follows from the rest.
fn naming(invocation: &Invocation) -> Result<Naming, Failure> {
    let cid_version = match invocation.int("cid-version") {
        None => None,
        Some(0) => Some(Version::V0),
        Some(1) => Some(Version::V1),
        Some(other) => return Err(Failure::invalid(format!("unknown CID version: {other}"))),
    };
    let named = |name: String| {
        HashCode::from_name(&name)
            .filter(|hash| hash.is_computable())
            .ok_or_else(|| Failure::invalid(format!("unrecognized hash function: {name:?}")))
    };
    Ok(Naming {
        cid_version,
        hash: invocation.string("hash").map(named).transpose()?,
        raw_leaves: invocation.optional_bool("raw-leaves"),
        metadata: has_metadata(invocation),
    })
}

fn count(invocation: &Invocation, name: &str) -> Result<Option<usize>, Failure> {
    let Some(number) = invocation.int(name) else { return Ok(None) };
    let count =
        usize::try_from(number).map_err(|_| Failure::invalid(format!("{name} must not be negative")))?;
    Ok(Some(count))
}

fn line(event: AddEvent, cids: CidText) -> Line {
    match event {
        AddEvent::Progress { name, bytes } => Line { name, bytes: Some(bytes), ..Line::default() },
        AddEvent::Added { name, cid, size, metadata } => Line {
            name,
            hash: cids.of(&cid),
            size: size.to_string(),
            mode: metadata.mode.map(|mode| format!("0{mode:o}")).unwrap_or_default(),
            mtime: metadata.mtime.map(|(seconds, _)| seconds),
            mtime_nsecs: metadata.mtime.map(|(_, nanoseconds)| nanoseconds).filter(|n| *n != 0),
            ..Line::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<ImportOptions, Failure> {
        let invocation = Invocation::from_address("add", query).unwrap();
        import(ImportOptions::unixfs_v0_2015(), &invocation)
    }

    #[test]
    fn versions_hashes_and_leaves() {
        let of = |query| {
            let import = read(query).unwrap();
            (import.cid_version, import.hash, import.raw_leaves)
        };
        assert_eq!(of(""), (Version::V0, HashCode::SHA2_256, false));
        assert_eq!(of("cid-version=1"), (Version::V1, HashCode::SHA2_256, true));
        assert_eq!(of("cid-version=1&raw-leaves=false"), (Version::V1, HashCode::SHA2_256, false));
        assert_eq!(of("hash=sha2-512"), (Version::V1, HashCode::SHA2_512, true));
        assert_eq!(of("cid-version=1&preserve-mode=true"), (Version::V1, HashCode::SHA2_256, false));
        assert_eq!(of("raw-leaves=true"), (Version::V0, HashCode::SHA2_256, true));
    }

    #[test]
    fn refusals_read_as_the_reference_node_writes_them() {
        for (query, text) in [
            ("cid-version=3", "unknown CID version: 3"),
            ("cid-version=0&hash=sha2-512", "CIDv0 only supports sha2-256"),
            ("hash=bad", r#"unrecognized hash function: "bad""#),
            (
                "raw-leaves=true&mode=0644",
                "raw-leaves can't be used with UnixFS metadata like mode or modification time",
            ),
            ("chunker=bad", "unrecognized chunker option: bad"),
            ("max-hamt-fanout=7", "HAMT fanout must be a power of 2, between 8 and 1024 (got 7)"),
            ("inline=true&inline-limit=500", "inline-limit 500 exceeds maximum allowed size of 128 bytes"),
        ] {
            assert_eq!(read(query).unwrap_err().message, text);
        }
    }
}
