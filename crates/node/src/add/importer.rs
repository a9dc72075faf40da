//! The importer: takes inputs on a thread of its own, makes blocks, puts them, tells what was added.

use std::collections::btree_map::BTreeMap;

use bytes::Bytes;
use ipse_base::{Block, BlockSink};
use ipse_store::{Pin, PinMode};
use ipse_unixfs::{Added, DirectoryBuilder, FileWriter, ImportOptions, symlink};
use tokio::sync::mpsc;

use super::folder::{Entry, Folder, names};
use super::putter::Putter;
use super::{AddError, AddEvent, AddInput, AddOptions, Metadata};
use crate::Node;

/// Bytes of blocks gathered for one put.
const PUT_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a file between two progress events.
const PROGRESS_BYTES: u64 = 256 * 1024;

struct OpenFile {
    path: String,
    metadata: Metadata,
    writer: FileWriter,
    bytes: u64,
    told: u64,
}

pub(super) struct Importer {
    node: Node,
    options: AddOptions,
    events: mpsc::Sender<Result<AddEvent, AddError>>,
    /// Blocks made and not yet put.
    pending: Vec<Block>,
    pending_bytes: usize,
    /// Where full batches go; started with the first, so that a small add needs no thread.
    putter: Option<Putter>,
    /// What was added at the top and is not finished yet.
    root: Folder,
    /// Roots to pin at the end.
    roots: Vec<Added>,
    file: Option<OpenFile>,
    /// The latest event, told when the next one comes or when everything is durable.
    held: Option<AddEvent>,
}

impl Importer {
    pub(super) fn new(
        node: Node,
        options: AddOptions,
        events: mpsc::Sender<Result<AddEvent, AddError>>,
    ) -> Self {
        Self {
            node,
            options,
            events,
            pending: Vec::new(),
            pending_bytes: 0,
            putter: None,
            root: Folder::default(),
            roots: Vec::new(),
            file: None,
            held: None,
        }
    }

    /// Works until the last input, the first error, or until the door is gone.
    pub(super) fn run(mut self, mut inputs: mpsc::Receiver<AddInput>) {
        // What is written stays out of a collection until it is pinned.
        let _keep = self.node.store().temporary_pin(Vec::new());
        while let Some(input) = inputs.blocking_recv() {
            let finish = matches!(input, AddInput::Finish);
            match self.take(input) {
                Ok(()) if finish => return,
                Ok(()) => {}
                Err(error) => {
                    // The door may be gone; then nobody needs to hear it.
                    let _ = self.events.blocking_send(Err(error));
                    return;
                }
            }
        }
    }

    fn take(&mut self, input: AddInput) -> Result<(), AddError> {
        match input {
            AddInput::Directory(path, metadata) => self.directory(&path, metadata),
            AddInput::Symlink(path, target, metadata) => self.symlink(&path, &target, metadata),
            AddInput::File(path, metadata) => self.open(path, metadata),
            AddInput::Data(data) => self.data(data),
            AddInput::FileEnd => self.close(),
            AddInput::Finish => self.finish(),
        }
    }

    fn directory(&mut self, path: &str, metadata: Metadata) -> Result<(), AddError> {
        let names = names(path)?;
        self.begin_top(&names)?;
        self.root.folder(&names)?.metadata = metadata;
        Ok(())
    }

    fn symlink(&mut self, path: &str, target: &str, metadata: Metadata) -> Result<(), AddError> {
        let (added, block) = symlink(&self.import(metadata), target)?;
        self.keep(vec![block])?;
        self.insert(path.to_owned(), added, metadata)
    }

    fn open(&mut self, path: String, metadata: Metadata) -> Result<(), AddError> {
        if self.file.is_some() {
            return Err(AddError::Order("a file begins inside another"));
        }
        let writer = FileWriter::new(self.import(metadata))?;
        self.file = Some(OpenFile { path, metadata, writer, bytes: 0, told: 0 });
        Ok(())
    }

    fn data(&mut self, data: Bytes) -> Result<(), AddError> {
        let Some(file) = &mut self.file else { return Err(AddError::Order("bytes without a file")) };
        file.bytes += data.len() as u64;
        let blocks = file.writer.write(data)?;
        if self.options.progress && file.bytes >= file.told + PROGRESS_BYTES {
            file.told = file.bytes;
            let event = AddEvent::Progress { name: file.path.clone(), bytes: file.bytes };
            self.tell(event)?;
        }
        self.keep(blocks)
    }

    fn close(&mut self) -> Result<(), AddError> {
        let Some(file) = self.file.take() else { return Err(AddError::Order("the end of no file")) };
        let OpenFile { path, metadata, writer, bytes, told } = file;
        let (added, blocks) = writer.finish()?;
        self.keep(blocks)?;
        if self.options.progress && bytes > told {
            self.tell(AddEvent::Progress { name: path.clone(), bytes })?;
        }
        self.insert(path, added, metadata)
    }

    /// Files the link of something that is in the store and tells it.
    fn insert(&mut self, path: String, added: Added, metadata: Metadata) -> Result<(), AddError> {
        let path = if path.is_empty() { added.cid.to_string() } else { path };
        let names = names(&path)?;
        self.begin_top(&names)?;
        self.root.insert(&names, added.clone())?;
        self.tell_added(names.join("/"), &added, metadata)
    }

    /// Unless everything is wrapped, what came before is finished when something new begins at the top.
    fn begin_top(&mut self, names: &[&str]) -> Result<(), AddError> {
        let known = names.first().is_none_or(|first| self.root.entries.contains_key(*first));
        if known || self.options.wrap {
            return Ok(());
        }
        self.finish_top()
    }

    fn finish_top(&mut self) -> Result<(), AddError> {
        for (name, entry) in std::mem::take(&mut self.root.entries) {
            let added = match entry {
                Entry::Leaf(added) => added,
                Entry::Folder(folder) => self.write_folder(name, folder)?,
            };
            self.roots.push(added);
        }
        Ok(())
    }

    /// Writes a directory, those below it first, and tells each. The depth is bounded by [`names`].
    fn write_folder(&mut self, path: String, folder: Folder) -> Result<Added, AddError> {
        let mut builder = DirectoryBuilder::new(self.import(folder.metadata))?;
        for (name, entry) in folder.entries {
            let added = match entry {
                Entry::Leaf(added) => added,
                Entry::Folder(below) => {
                    let below_path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    self.write_folder(below_path, below)?
                }
            };
            builder.insert(&name, added)?;
        }
        let (added, blocks) = builder.finish()?;
        self.keep(blocks)?;
        self.tell_added(path, &added, folder.metadata)?;
        Ok(added)
    }

    fn finish(&mut self) -> Result<(), AddError> {
        if self.file.is_some() {
            return Err(AddError::Order("the upload ends inside a file"));
        }
        if self.options.wrap {
            let entries: BTreeMap<_, _> = std::mem::take(&mut self.root.entries);
            let wrapper = Folder { entries, ..Folder::default() };
            let added = self.write_folder(String::new(), wrapper)?;
            self.roots.push(added);
        } else {
            self.finish_top()?;
        }
        if !self.options.only_hash {
            self.make_durable()?;
        }
        self.held.take().map_or(Ok(()), |last| self.send(last))
    }

    /// Puts what is left, pins the roots, and waits for the disk.
    fn make_durable(&mut self) -> Result<(), AddError> {
        match self.putter.take() {
            Some(mut putter) => {
                putter.put(std::mem::take(&mut self.pending))?;
                putter.finish()?;
            }
            None => {
                self.node.store().put(&self.pending)?;
                self.node.announce_local(&self.pending);
            }
        }
        let store = self.node.store();
        if !self.options.pin {
            return Ok(store.commit()?);
        }
        let name = &self.options.pin_name;
        let roots = std::mem::take(&mut self.roots).into_iter();
        let pins: Vec<Pin> =
            roots.map(|root| Pin { cid: root.cid, mode: PinMode::Recursive, name: name.clone() }).collect();
        Ok(store.commit_with_pins(&pins)?)
    }

    /// Gathers blocks for a put.
    fn keep(&mut self, blocks: Vec<Block>) -> Result<(), AddError> {
        if self.options.only_hash {
            return Ok(());
        }
        for block in blocks {
            self.pending_bytes += block.data().len();
            // What a Cid says by itself needs no place in the store.
            if !block.cid().is_identity() {
                self.pending.push(block);
            }
        }
        if self.pending_bytes >= PUT_BYTES { self.put() } else { Ok(()) }
    }

    /// Hands a full batch to the disk's thread.
    fn put(&mut self) -> Result<(), AddError> {
        self.pending_bytes = 0;
        let blocks = std::mem::take(&mut self.pending);
        let putter = match &mut self.putter {
            Some(putter) => putter,
            none => none.insert(Putter::start(self.node.clone())?),
        };
        Ok(putter.put(blocks)?)
    }

    fn import(&self, metadata: Metadata) -> ImportOptions {
        let mut import = self.options.import.clone();
        if self.options.preserve_mode {
            import.mode = metadata.mode.or(import.mode);
        }
        if self.options.preserve_mtime {
            import.mtime = metadata.mtime.or(import.mtime);
        }
        import
    }

    fn tell_added(&mut self, name: String, added: &Added, metadata: Metadata) -> Result<(), AddError> {
        let import = self.import(metadata);
        let metadata = Metadata { mode: import.mode, mtime: import.mtime };
        self.tell(AddEvent::Added { name, cid: added.cid.clone(), size: added.dag_bytes, metadata })
    }

    /// Tells an event, one late: the last one waits for the commit.
    fn tell(&mut self, event: AddEvent) -> Result<(), AddError> {
        match self.held.replace(event) {
            Some(earlier) => self.send(earlier),
            None => Ok(()),
        }
    }

    fn send(&self, event: AddEvent) -> Result<(), AddError> {
        self.events.blocking_send(Ok(event)).map_err(|_| AddError::Gone)
    }
}
