//! The assembler: takes leaves in order, lays files and folders out, puts what is made, tells what was added.

use std::collections::btree_map::BTreeMap;
use std::sync::Arc;

use ipse_base::{Block, BlockSink};
use ipse_store::{Pin, PinMode, Prepared, TemporaryPin};
use ipse_unixfs::{Added, DirectoryBuilder, ImportOptions, Layout, symlink};
use tokio::sync::mpsc;

use super::chunk::MadeLeaf;
use super::cutter::{Cutter, Step};
use super::folder::{Entry, Folder, names};
use super::putter::{Putter, put};
use super::{AddError, AddEvent, AddOptions, Metadata};
use crate::Node;

/// Bytes of blocks gathered for one put.
const PUT_BYTES: usize = 2 * 1024 * 1024;
/// Blocks gathered for one put.
const PUT_BLOCKS_MAX: usize = 2048;
/// Bytes of a file between two progress events.
const PROGRESS_BYTES: u64 = 256 * 1024;
/// Events told at once; fewer where the importer waits.
const EVENTS_TOLD: usize = 64;

struct OpenFile {
    path: String,
    metadata: Metadata,
    layout: Layout,
    bytes: u64,
    told: u64,
}

pub(super) struct Assembler {
    node: Node,
    options: AddOptions,
    /// Knows how inputs with metadata are imported.
    cutter: Cutter,
    door: mpsc::Sender<Result<Vec<AddEvent>, AddError>>,
    /// Events that the door was not told yet.
    events: Vec<AddEvent>,
    /// Blocks made and not yet put.
    pending: Vec<Prepared>,
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

impl Assembler {
    pub(super) fn new(
        node: Node,
        options: AddOptions,
        door: mpsc::Sender<Result<Vec<AddEvent>, AddError>>,
    ) -> Self {
        Self {
            cutter: Cutter::new(&options),
            node,
            options,
            door,
            events: Vec::new(),
            pending: Vec::new(),
            pending_bytes: 0,
            putter: None,
            root: Folder::default(),
            roots: Vec::new(),
            file: None,
            held: None,
        }
    }

    /// Keeps what is written from now on out of a collection.
    pub(super) fn keep_pin(&self) -> TemporaryPin {
        self.node.store().temporary_pin(Vec::new())
    }

    /// Whether nobody waits for the add any more.
    pub(super) fn door_is_gone(&self) -> bool {
        self.door.is_closed()
    }

    /// Takes the next step.
    pub(super) fn step(&mut self, step: Step<MadeLeaf>) -> Result<(), AddError> {
        match step {
            Step::Directory(path, metadata) => self.directory(&path, metadata),
            Step::Symlink(path, target, metadata) => self.symlink(path, &target, metadata),
            Step::Open(path, metadata) => self.open(path, metadata),
            Step::Leaf(leaf) => self.leaf(leaf),
            Step::Close => self.close(),
        }
    }

    fn directory(&mut self, path: &str, metadata: Metadata) -> Result<(), AddError> {
        let names = names(path)?;
        self.begin_top(&names)?;
        self.root.folder(&names)?.metadata = metadata;
        Ok(())
    }

    fn symlink(&mut self, path: String, target: &str, metadata: Metadata) -> Result<(), AddError> {
        let (added, block) = symlink(&self.import(metadata), target)?;
        self.keep(vec![block])?;
        self.insert(path, added, metadata)
    }

    fn open(&mut self, path: String, metadata: Metadata) -> Result<(), AddError> {
        let layout = Layout::new(ImportOptions::clone(&self.import(metadata)))?;
        self.file = Some(OpenFile { path, metadata, layout, bytes: 0, told: 0 });
        Ok(())
    }

    fn leaf(&mut self, leaf: MadeLeaf) -> Result<(), AddError> {
        let Some(file) = &mut self.file else { return Err(AddError::Order("bytes without a file")) };
        file.bytes += leaf.link.content_bytes;
        let inner = file.layout.push(leaf.link)?;
        if self.options.progress && file.bytes >= file.told + PROGRESS_BYTES {
            file.told = file.bytes;
            let event = AddEvent::Progress { name: file.path.clone(), bytes: file.bytes };
            self.tell(event)?;
        }
        if let Some(block) = leaf.block {
            self.keep_prepared(block)?;
        }
        self.keep(inner)
    }

    fn close(&mut self) -> Result<(), AddError> {
        let Some(file) = self.file.take() else { return Err(AddError::Order("the end of no file")) };
        let OpenFile { path, metadata, layout, bytes, told } = file;
        let (added, blocks) = layout.finish()?;
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
        let mut builder = DirectoryBuilder::new(ImportOptions::clone(&self.import(folder.metadata)))?;
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

    /// Ends the add: everything is durable and told on return.
    pub(super) fn finish(&mut self) -> Result<(), AddError> {
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
        self.events.extend(self.held.take());
        self.flush()
    }

    /// Puts what is left, pins the roots, and waits for the disk.
    fn make_durable(&mut self) -> Result<(), AddError> {
        let rest = std::mem::take(&mut self.pending);
        match self.putter.take() {
            Some(mut putter) => {
                putter.put(rest)?;
                putter.finish()?;
            }
            None => put(&self.node, &rest)?,
        }
        // A door that went away meanwhile was promised nothing, so nothing is kept.
        if self.door_is_gone() {
            return Err(AddError::Gone);
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

    /// Keeps blocks that were made here: inner nodes, folders and links.
    fn keep(&mut self, blocks: Vec<Block>) -> Result<(), AddError> {
        if self.options.only_hash {
            return Ok(());
        }
        // What a Cid says by itself needs no place in the store.
        for block in blocks.into_iter().filter(|block| !block.cid().is_identity()) {
            let prepared = self.node.store().prepare(block);
            self.keep_prepared(prepared)?;
        }
        Ok(())
    }

    /// Gathers blocks for a put.
    fn keep_prepared(&mut self, block: Prepared) -> Result<(), AddError> {
        self.pending_bytes += block.block().data().len();
        self.pending.push(block);
        let full = self.pending_bytes >= PUT_BYTES || self.pending.len() >= PUT_BLOCKS_MAX;
        if full { self.put() } else { Ok(()) }
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

    fn import(&self, metadata: Metadata) -> Arc<ImportOptions> {
        self.cutter.import(metadata)
    }

    fn tell_added(&mut self, name: String, added: &Added, metadata: Metadata) -> Result<(), AddError> {
        let import = self.import(metadata);
        let metadata = Metadata { mode: import.mode, mtime: import.mtime };
        self.tell(AddEvent::Added { name, cid: added.cid.clone(), size: added.dag_bytes, metadata })
    }

    /// Tells an event, one late: the last one waits for the commit.
    fn tell(&mut self, event: AddEvent) -> Result<(), AddError> {
        self.events.extend(self.held.replace(event));
        if self.events.len() >= EVENTS_TOLD { self.flush() } else { Ok(()) }
    }

    /// Tells the door what it was not told yet.
    pub(super) fn flush(&mut self) -> Result<(), AddError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.events);
        self.door.blocking_send(Ok(events)).map_err(|_| AddError::Gone)
    }

    /// Tells the door why the add ends, after what was told before.
    pub(super) fn fail(&mut self, error: AddError) {
        // The door may be gone; then nobody needs to hear it.
        let _ = self.flush();
        let _ = self.door.blocking_send(Err(error));
    }
}
