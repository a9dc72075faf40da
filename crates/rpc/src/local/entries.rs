//! The entries of an add as they come in over the local socket, descriptors beside them.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ipse_api::sock::{Entry, EntryDecoder, EntryHead};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::{LocalError, LocalFile};
use crate::multipart::{PartHead, PartKind};
use crate::upload::Uploaded;

/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;
/// Descriptors in one message at the most; a client sends one.
const DESCRIPTORS_MAX: usize = 4;

/// The entries, read one after the other.
pub(crate) struct Entries {
    stream: Arc<UnixStream>,
    decoder: EntryDecoder,
    window: Vec<u8>,
    /// Descriptors whose frames are not whole yet. The system ends a read behind each message that brings some, so
    /// there is hardly ever more than one.
    descriptors: VecDeque<OwnedFd>,
    /// What the last frame means and was not handed on.
    ready: VecDeque<Uploaded>,
    /// Told when everything was sent; gone then.
    finished: Option<oneshot::Sender<()>>,
}

impl Entries {
    /// Reads from a stream of which `begun` was read already. `finished` is told at the end.
    pub(super) fn new(stream: Arc<UnixStream>, begun: &[u8], finished: oneshot::Sender<()>) -> Self {
        let mut decoder = EntryDecoder::default();
        decoder.feed(begun);
        Self {
            stream,
            decoder,
            window: vec![0; READ_BYTES],
            descriptors: VecDeque::new(),
            ready: VecDeque::new(),
            finished: Some(finished),
        }
    }

    /// The next entry or piece of one; `None` when everything was sent.
    pub(crate) async fn next(&mut self) -> Result<Option<Uploaded>, LocalError> {
        loop {
            if let Some(uploaded) = self.ready.pop_front() {
                return Ok(Some(uploaded));
            }
            if self.finished.is_none() {
                return Ok(None);
            }
            match self.decoder.next()? {
                Some(entry) => self.take(entry)?,
                None => self.receive().await?,
            }
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), LocalError> {
        match entry {
            Entry::Directory(head) => {
                self.ready.push_back(Uploaded::Directory(part(head, PartKind::Directory)))
            }
            Entry::Symlink(head, target) => {
                let target = String::from_utf8(target).map_err(|_| LocalError::Target)?;
                self.ready.push_back(Uploaded::Symlink(part(head, PartKind::Symlink), target));
            }
            Entry::File(head, content) => {
                self.ready.push_back(Uploaded::File(part(head, PartKind::File)));
                if !content.is_empty() {
                    self.ready.push_back(Uploaded::Data(content.into()));
                }
                self.ready.push_back(Uploaded::FileEnd);
            }
            Entry::Descriptor(head) => {
                let descriptor = self.descriptors.pop_front().ok_or(LocalError::NoDescriptor)?;
                let file = LocalFile::new(descriptor)?;
                self.ready.push_back(Uploaded::Source(part(head, PartKind::File), file));
            }
            Entry::Begin(head) => self.ready.push_back(Uploaded::File(part(head, PartKind::File))),
            Entry::Data(content) if content.is_empty() => {}
            Entry::Data(content) => self.ready.push_back(Uploaded::Data(content.into())),
            Entry::End => self.ready.push_back(Uploaded::FileEnd),
            Entry::Finish => {
                // Whoever waited for it may be gone; then nothing waits.
                let _ = self.finished.take().map(|finished| finished.send(()));
            }
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<(), LocalError> {
        let Self { stream, window, descriptors, .. } = self;
        let bytes = stream.async_io(Interest::READABLE, || receive(stream, window, descriptors)).await;
        match bytes {
            Ok(0) => Err(LocalError::BrokenOff),
            Ok(bytes) if self.descriptors.len() <= DESCRIPTORS_MAX => {
                self.decoder.feed(&self.window[..bytes]);
                Ok(())
            }
            Ok(_) => Err(LocalError::ManyDescriptors),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(LocalError::ManyDescriptors),
            Err(_) => Err(LocalError::BrokenOff),
        }
    }
}

/// One read: bytes into the window, descriptors behind the others.
fn receive(stream: &UnixStream, window: &mut [u8], descriptors: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(stream, &mut [IoSliceMut::new(window)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(received.bytes)
}

fn part(head: EntryHead, kind: PartKind) -> PartHead {
    PartHead { kind, path: head.path, mode: head.stamp.mode, mtime: head.stamp.mtime }
}
