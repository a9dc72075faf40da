//! Files and directories.
//!
//! Path: [`Gateway`](crate::Gateway) → here → `file_body` → `node/file` by position, or `node/cat` where a block is
//! not here and peers are asked.
//! Invariant: what the client has already is answered before any content is read.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_RANGE, RANGE,
};
use hyper::{Request, Response, StatusCode};
use ipse_base::{Cid, ErrorKind, Kind, Path};
use ipse_node::{File, FileCursor, Node, NodeKind, Stream, UnixfsStat};

use crate::body::{self, Body};
use crate::cache::Remembered;
use crate::failure::Failure;
use crate::file_body::{FileBody, Memory};
use crate::listing::Page;
use crate::range::{Selection, select};
use crate::request::ContentTarget;
use crate::{content_type, headers, listing};

/// Where content comes from, and what all answers have in common.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) node: &'a Node,
    pub(crate) memory: &'a Memory,
    pub(crate) common: &'a [(HeaderName, HeaderValue)],
}

/// What a path leads to.
pub(crate) enum Found {
    /// A file, with all that is needed to answer.
    File(Remembered),
    /// An answer that has no headers in common with others yet.
    Other(Response<Body>),
}

impl Source<'_> {
    /// Looks up what a request asks for. `removals` were counted before.
    pub(crate) async fn find<B>(
        self,
        request: &Request<B>,
        target: &ContentTarget,
        removals: u64,
    ) -> Result<Found, Failure> {
        let stat = self.node.unixfs_stat(&target.path).await?;
        match stat.kind {
            NodeKind::Directory | NodeKind::Shard => self.directory(request, target, stat, removals).await,
            NodeKind::Symlink => Ok(Found::Other(symlink(target, &stat))),
            _ => self.remember(target, &target.path.file_name(), &stat, removals).await.map(Found::File),
        }
    }

    /// All there is to know of a file's answer.
    async fn remember(
        self,
        target: &ContentTarget,
        name: &str,
        stat: &UnixfsStat,
        removals: u64,
    ) -> Result<Remembered, Failure> {
        let file = File::of(stat)?;
        let name = target.file_name.as_deref().unwrap_or(name);
        let tag = headers::file_tag(&stat.cid);
        let mut fields = HeaderMap::new();
        headers::add_common(&mut fields, self.common);
        headers::add_immutable(&mut fields, &tag, &target.path.to_string(), &stat.cid);
        fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        fields.insert(CONTENT_LENGTH, HeaderValue::from(file.size()));
        insert(&mut fields, CONTENT_TYPE, type_of(self.node, name, stat).await?);
        if target.download || target.file_name.is_some() {
            insert(&mut fields, CONTENT_DISPOSITION, disposition(name, target.download));
        }
        Ok(Remembered { headers: fields, tag, file: Arc::new(file), removals })
    }

    /// Answers with a file, or as much of it as is asked for. Nothing is read yet.
    pub(crate) fn answer<B>(self, request: &Request<B>, known: &Remembered) -> Response<Body> {
        let size = known.file.size();
        let mut fields = known.headers.clone();
        if headers::is_known(request.headers(), &known.tag) {
            for name in [ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, CONTENT_DISPOSITION] {
                fields.remove(name);
            }
            let mut response = body::status(StatusCode::NOT_MODIFIED);
            *response.headers_mut() = fields;
            return response;
        }
        let asked = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
        let same = |_: &&str| {
            let tag = request.headers().get(IF_RANGE);
            tag.is_none_or(|value| value.as_bytes() == known.tag.as_bytes())
        };
        let (start, end, status) = match select(asked.filter(same), size) {
            Selection::Whole => (0, size, StatusCode::OK),
            Selection::Part { start, length } => (start, start + length, StatusCode::PARTIAL_CONTENT),
            Selection::Unsatisfiable => return self.unsatisfiable(size),
        };
        if status == StatusCode::PARTIAL_CONTENT {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
            insert(&mut fields, CONTENT_RANGE, format!("bytes {start}-{}/{size}", end - 1));
        }
        let cursor = FileCursor::new(Arc::clone(&known.file), start, end);
        let body = FileBody::new(self.node.clone(), cursor, self.memory.clone());
        let mut response = Response::new(Body::file(body));
        *response.headers_mut() = fields;
        *response.status_mut() = status;
        response
    }

    fn unsatisfiable(self, size: u64) -> Response<Body> {
        let text = "the range is behind the end of the file\n";
        let mut response = body::text(StatusCode::RANGE_NOT_SATISFIABLE, text);
        headers::add_common(response.headers_mut(), self.common);
        insert(response.headers_mut(), CONTENT_RANGE, format!("bytes */{size}"));
        response
    }

    async fn directory<B>(
        self,
        request: &Request<B>,
        target: &ContentTarget,
        stat: UnixfsStat,
        removals: u64,
    ) -> Result<Found, Failure> {
        if !target.slash {
            // Relative links in pages work only below a path that ends in a slash.
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            return Ok(Found::Other(body::redirect(&format!("{}/{query}", target.written))));
        }
        let mut names = target.path.segments().to_vec();
        names.push("index.html".into());
        match self.node.unixfs_stat(&Path::new(target.path.root().clone(), names)).await {
            Ok(index) if matches!(index.kind, NodeKind::File | NodeKind::Raw) => {
                return self.remember(target, "index.html", &index, removals).await.map(Found::File);
            }
            Err(error) if error.kind() != Kind::NotFound => return Err(error.into()),
            _ => {}
        }
        let tag = headers::listing_tag(&stat.cid);
        if headers::is_known(request.headers(), &tag) {
            return Ok(Found::Other(not_modified(&tag, target, &stat.cid)));
        }
        let page = listing::page(target, self.node.ls(&target.path, false).await?).await?;
        let mut response = match page {
            Page::Whole(page) => {
                let length = HeaderValue::from(page.len());
                let mut response = Response::new(Body::full(page));
                response.headers_mut().insert(CONTENT_LENGTH, length);
                response
            }
            Page::Long(pieces) => {
                let permit = self.memory.try_stream().ok_or(Failure::Streams)?;
                Response::new(Body::stream(pieces, permit))
            }
        };
        headers::add_listing(response.headers_mut(), &tag, &target.path.to_string(), &stat.cid);
        insert(response.headers_mut(), CONTENT_TYPE, "text/html; charset=utf-8".into());
        Ok(Found::Other(response))
    }
}

/// The content type; the first bytes are read only where the name does not tell.
async fn type_of(node: &Node, name: &str, stat: &UnixfsStat) -> Result<String, Failure> {
    let by_name = content_type::by_name(name);
    if let Some(kind) = by_name {
        return Ok(kind);
    }
    let sniffed = content_type::SNIFFED_BYTES as u64;
    let first = node.read_file(stat.cid.clone(), stat.size, 0, Some(sniffed));
    Ok(content_type::by_content(&gather(first.bytes).await?))
}

async fn gather(mut bytes: Stream<Bytes>) -> Result<Bytes, Failure> {
    let mut gathered = BytesMut::new();
    while let Some(piece) = bytes.next().await.transpose()? {
        gathered.extend_from_slice(&piece);
    }
    Ok(gathered.freeze())
}

fn symlink(target: &ContentTarget, stat: &UnixfsStat) -> Response<Body> {
    let points_to = stat.node.data().cloned().unwrap_or_default();
    let length = HeaderValue::from(points_to.len());
    let mut response = Response::new(Body::full(points_to));
    let tag = headers::file_tag(&stat.cid);
    headers::add_immutable(response.headers_mut(), &tag, &target.path.to_string(), &stat.cid);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("inode/symlink"));
    response
}

fn not_modified(tag: &str, target: &ContentTarget, cid: &Cid) -> Response<Body> {
    let mut response = body::status(StatusCode::NOT_MODIFIED);
    headers::add_immutable(response.headers_mut(), tag, &target.path.to_string(), cid);
    debug_assert!(response.headers().contains_key(ETAG));
    response
}

/// Shown or saved, and under which name (RFC 6266, with the name in both of its forms).
fn disposition(name: &str, download: bool) -> String {
    let kind = if download { "attachment" } else { "inline" };
    let plain: String =
        name.chars().map(|character| if plain_in_header(character) { character } else { '_' }).collect();
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn plain_in_header(character: char) -> bool {
    (character.is_ascii_graphic() || character == ' ') && !matches!(character, '"' | '\\')
}

/// Sets a header; a value that HTTP can't carry is left out.
fn insert(fields: &mut hyper::HeaderMap, name: hyper::header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}
