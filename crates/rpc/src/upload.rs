//! The files that come with a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::Failure;
use crate::local::{Entries, LocalFile};
use crate::multipart::{Parser, PartEvent, PartHead, PartKind};
use crate::reply::BoxError;

/// Where a symlink points, in bytes at the most.
const TARGET_BYTES_MAX: usize = 4096;

/// Arguments that come in a body, in bytes at the most.
const ARGUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The body of a request, whatever server it came through.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Whether a request's body was read to its end. A reply that starts before that closes the connection behind it.
#[derive(Debug, Clone)]
pub(crate) struct BodyRead(Arc<AtomicBool>);

impl BodyRead {
    pub(crate) fn new(read: bool) -> Self {
        Self(Arc::new(AtomicBool::new(read)))
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An upload that is being read.
pub(crate) enum Upload {
    /// The body of a request.
    Multipart(Box<MultipartUpload>),
    /// The local socket.
    Local(Entries),
}

/// The upload in the body of a request.
pub(crate) struct MultipartUpload {
    body: RequestBody,
    parser: Parser,
    ended: bool,
    read: BodyRead,
}

/// What stands in an upload, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Uploaded {
    /// A directory.
    Directory(PartHead),
    /// A symbolic link and where it points.
    Symlink(PartHead, String),
    /// A file begins.
    File(PartHead),
    /// More of it.
    Data(Bytes),
    /// It is complete.
    FileEnd,
    /// A whole file that is read where it lies.
    Source(PartHead, LocalFile),
}

impl Upload {
    pub(crate) fn new(body: RequestBody, boundary: &str, read: BodyRead) -> Self {
        let parser = Parser::new(boundary);
        Self::Multipart(Box::new(MultipartUpload { body, parser, ended: false, read }))
    }

    /// The next entry or piece of one.
    pub(crate) async fn next(&mut self) -> Result<Option<Uploaded>, Failure> {
        match self {
            Self::Multipart(upload) => upload.next().await,
            Self::Local(entries) => Ok(entries.next().await?),
        }
    }

    /// The whole content of the next file; other entries are passed over. A file of more than `bytes_max` is refused
    /// with what `too_large` says.
    pub(crate) async fn next_file(
        &mut self,
        bytes_max: usize,
        too_large: impl Fn() -> Failure,
    ) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.next().await? {
                None => return Ok(None),
                Some(Uploaded::File(_)) => break,
                Some(_) => {}
            }
        }
        let mut content = BytesMut::new();
        while let Some(Uploaded::Data(data)) = self.next().await? {
            if content.len() + data.len() > bytes_max {
                return Err(too_large());
            }
            content.extend_from_slice(&data);
        }
        Ok(Some(content.freeze()))
    }

    /// The lines of the first file: arguments that are too many for an address.
    pub(crate) async fn lines(&mut self) -> Result<Vec<String>, Failure> {
        let too_large = || Failure::invalid("the list of arguments is too long");
        let content = self.next_file(ARGUMENTS_BYTES_MAX, too_large).await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&content);
        Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}

impl MultipartUpload {
    async fn next(&mut self) -> Result<Option<Uploaded>, Failure> {
        let Some(event) = self.event().await? else { return Ok(None) };
        Ok(Some(match event {
            PartEvent::Begin(head) if head.kind == PartKind::Symlink => {
                let target = self.target().await?;
                Uploaded::Symlink(head, target)
            }
            PartEvent::Begin(head) if head.kind == PartKind::Directory => {
                // A directory's part has no content worth reading.
                while !matches!(self.event().await?, None | Some(PartEvent::End)) {}
                Uploaded::Directory(head)
            }
            PartEvent::Begin(head) => Uploaded::File(head),
            PartEvent::Data(data) => Uploaded::Data(data),
            PartEvent::End => Uploaded::FileEnd,
        }))
    }

    async fn target(&mut self) -> Result<String, Failure> {
        let mut target = Vec::new();
        while let Some(PartEvent::Data(data)) = self.event().await? {
            target.extend_from_slice(&data);
            if target.len() > TARGET_BYTES_MAX {
                return Err(crate::multipart::MultipartError::TargetTooLong.into());
            }
        }
        String::from_utf8(target).map_err(|_| Failure::invalid("a symlink points at what is not text"))
    }

    async fn event(&mut self) -> Result<Option<PartEvent>, Failure> {
        loop {
            if let Some(event) = self.parser.next()? {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.parser.feed(data);
                    }
                }
                Some(Err(error)) => return Err(Failure::invalid(format!("the upload broke off: {error}"))),
                None => {
                    self.parser.finish()?;
                    self.ended = true;
                    self.read.set();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    fn upload(text: &str) -> (Upload, BodyRead) {
        let body = Full::new(Bytes::from(text.replace('\n', "\r\n"))).map_err(|never| match never {});
        let read = BodyRead::new(false);
        (Upload::new(UnsyncBoxBody::new(body), "X", read.clone()), read)
    }

    const TREE: &str = "--X\nContent-Disposition: form-data; filename=\"d\"\nContent-Type: application/x-directory\n\n\n\
        --X\nContent-Disposition: form-data; filename=\"d%2Fl\"\nContent-Type: application/symlink\n\n../x\n\
        --X\nContent-Disposition: form-data; filename=\"d%2Ff\"\n\nhello\n--X--\n";

    #[tokio::test]
    async fn directories_links_and_files_in_order() {
        let (mut upload, read) = upload(TREE);
        let Some(Uploaded::Directory(head)) = upload.next().await.unwrap() else { panic!() };
        assert_eq!(head.path, "d");
        let Some(Uploaded::Symlink(head, target)) = upload.next().await.unwrap() else { panic!() };
        assert_eq!((head.path.as_str(), target.as_str()), ("d/l", "../x"));
        let Some(Uploaded::File(head)) = upload.next().await.unwrap() else { panic!() };
        assert_eq!(head.path, "d/f");
        assert_eq!(upload.next().await.unwrap(), Some(Uploaded::Data("hello".into())));
        assert_eq!(upload.next().await.unwrap(), Some(Uploaded::FileEnd));
        assert!(!read.get());
        assert_eq!(upload.next().await.unwrap(), None);
        assert!(read.get());
    }

    #[tokio::test]
    async fn whole_files_are_bounded() {
        let large = || Failure::invalid("large");
        assert_eq!(upload(TREE).0.next_file(5, large).await.unwrap().unwrap(), "hello");
        assert_eq!(upload(TREE).0.next_file(4, large).await.unwrap_err(), large());
    }

    #[tokio::test]
    async fn a_broken_upload_is_a_failure() {
        let (mut upload, _) = upload("--X\nContent-Disposition: form-data; filename=\"f\"\n\nhello");
        while upload.next().await.is_ok_and(|event| event.is_some()) {}
        assert_eq!(upload.next().await.unwrap_err().message, "unexpected EOF");
    }
}
