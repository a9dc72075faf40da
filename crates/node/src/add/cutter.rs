//! Cutter: the inputs of an add become steps, and files chunks. It reads nothing and hashes nothing.

use std::sync::Arc;

use bytes::Bytes;
use ipse_unixfs::{ImportOptions, Splitter};

use super::chunk::{Chunk, Content, OpenSource};
use super::{AddError, AddInput, AddOptions, FileSource, Metadata};

/// One step of an add, in order. Chunks go in as `L`, and leaves come out.
pub(super) enum Step<L> {
    Directory(String, Metadata),
    Symlink(String, String, Metadata),
    /// A file begins.
    Open(String, Metadata),
    Leaf(L),
    /// The file is complete.
    Close,
}

impl<L> Step<L> {
    /// The same step of another kind of leaf.
    pub(super) fn map<M, E>(self, make: impl FnOnce(L) -> Result<M, E>) -> Result<Step<M>, E> {
        Ok(match self {
            Self::Leaf(leaf) => Step::Leaf(make(leaf)?),
            Self::Directory(path, metadata) => Step::Directory(path, metadata),
            Self::Symlink(path, target, metadata) => Step::Symlink(path, target, metadata),
            Self::Open(path, metadata) => Step::Open(path, metadata),
            Self::Close => Step::Close,
        })
    }
}

/// Where steps go.
pub(super) trait Steps {
    /// Takes a step; may wait while others are behind.
    fn step(&mut self, step: Step<Chunk>) -> Result<(), AddError>;
}

pub(super) struct Cutter {
    /// How files without metadata of their own are imported.
    import: Arc<ImportOptions>,
    preserve_mode: bool,
    preserve_mtime: bool,
    file: Option<Open>,
}

/// A file whose bytes come as a stream.
struct Open {
    import: Arc<ImportOptions>,
    splitter: Splitter,
    /// The first chunk, until it is known whether it is the only one: then it carries the metadata.
    first: First,
}

enum First {
    Expected,
    Held(Bytes),
    Gone,
}

impl Cutter {
    pub(super) fn new(options: &AddOptions) -> Self {
        Self {
            import: Arc::new(options.import.clone()),
            preserve_mode: options.preserve_mode,
            preserve_mtime: options.preserve_mtime,
            file: None,
        }
    }

    /// How an input is imported.
    pub(super) fn import(&self, metadata: Metadata) -> Arc<ImportOptions> {
        let mode = metadata.mode.filter(|_| self.preserve_mode);
        let mtime = metadata.mtime.filter(|_| self.preserve_mtime);
        if mode.is_none() && mtime.is_none() {
            return Arc::clone(&self.import);
        }
        let mut import = ImportOptions::clone(&self.import);
        import.mode = mode.or(import.mode);
        import.mtime = mtime.or(import.mtime);
        Arc::new(import)
    }

    /// Takes the next input; `Finish` is no step.
    pub(super) fn take(&mut self, input: AddInput, steps: &mut impl Steps) -> Result<(), AddError> {
        if self.file.is_some() && !matches!(input, AddInput::Data(_) | AddInput::FileEnd) {
            let finish = matches!(input, AddInput::Finish);
            return Err(AddError::Order(match finish {
                true => "the upload ends inside a file",
                false => "an entry begins inside a file",
            }));
        }
        match input {
            AddInput::Directory(path, metadata) => steps.step(Step::Directory(path, metadata)),
            AddInput::Symlink(path, target, metadata) => steps.step(Step::Symlink(path, target, metadata)),
            AddInput::File(path, metadata) => {
                let import = self.import(metadata);
                let splitter = Splitter::new(import.chunk_bytes);
                self.file = Some(Open { import, splitter, first: First::Expected });
                steps.step(Step::Open(path, metadata))
            }
            AddInput::Data(data) => self.data(data, steps),
            AddInput::FileEnd => self.close(steps),
            AddInput::Source(path, source, metadata) => self.source(path, source, metadata, steps),
            AddInput::Finish => Ok(()),
        }
    }

    fn data(&mut self, data: Bytes, steps: &mut impl Steps) -> Result<(), AddError> {
        let Some(file) = &mut self.file else { return Err(AddError::Order("bytes without a file")) };
        for bytes in file.splitter.push(data) {
            file.chunk(bytes, steps)?;
        }
        Ok(())
    }

    fn close(&mut self, steps: &mut impl Steps) -> Result<(), AddError> {
        let Some(mut file) = self.file.take() else { return Err(AddError::Order("the end of no file")) };
        if let Some(rest) = file.splitter.finish() {
            file.chunk(rest, steps)?;
        }
        match std::mem::replace(&mut file.first, First::Gone) {
            First::Gone => {}
            First::Held(only) => file.step(only, true, steps)?,
            First::Expected => file.step(Bytes::new(), true, steps)?,
        }
        steps.step(Step::Close)
    }

    /// A file that is read in place: its length says beforehand how it is cut.
    fn source(
        &self,
        path: String,
        source: Box<dyn FileSource>,
        metadata: Metadata,
        steps: &mut impl Steps,
    ) -> Result<(), AddError> {
        let total = source.length().map_err(|source| AddError::Read { path: path.clone(), source })?;
        let options = self.import(metadata);
        steps.step(Step::Open(path.clone(), metadata))?;
        let file = Arc::new(OpenSource { path, source });
        let chunk_bytes = options.chunk_bytes.max(1) as u64;
        let sole = total <= chunk_bytes;
        let mut offset = 0;
        loop {
            let length = (total - offset).min(chunk_bytes) as usize;
            let content = Content::Part { file: Arc::clone(&file), offset, length };
            steps.step(Step::Leaf(Chunk { options: Arc::clone(&options), sole, content }))?;
            offset += length as u64;
            if offset >= total {
                return steps.step(Step::Close);
            }
        }
    }
}

impl Open {
    fn chunk(&mut self, bytes: Bytes, steps: &mut impl Steps) -> Result<(), AddError> {
        match std::mem::replace(&mut self.first, First::Gone) {
            First::Expected => {
                self.first = First::Held(bytes);
                return Ok(());
            }
            First::Held(first) => self.step(first, false, steps)?,
            First::Gone => {}
        }
        self.step(bytes, false, steps)
    }

    fn step(&self, bytes: Bytes, sole: bool, steps: &mut impl Steps) -> Result<(), AddError> {
        let options = Arc::clone(&self.import);
        steps.step(Step::Leaf(Chunk { options, sole, content: Content::Bytes(bytes) }))
    }
}
