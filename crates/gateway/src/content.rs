//! Files and directories.
//!
//! Path: [`Gateway`](crate::Gateway) → here → `node/cat` → `unixfs/read` → `store`, or peers.
//! Invariant: what the client has already is answered before any content is read.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    IF_RANGE, RANGE,
};
use hyper::{Method, Request, Response, StatusCode};
use ipse_base::{Cid, ErrorKind};
use ipse_base::{Kind, Path};
use ipse_node::{Node, NodeKind, Stream, UnixfsStat};

use crate::body::{self, Body};
use crate::failure::Failure;
use crate::range::{Selection, select};
use crate::request::ContentTarget;
use crate::{content_type, headers, listing};

/// Answers a request for content.
pub(crate) async fn serve<B>(
    node: &Node,
    request: &Request<B>,
    target: &ContentTarget,
) -> Result<Response<Body>, Failure> {
    let stat = node.unixfs_stat(&target.path).await?;
    match stat.kind {
        NodeKind::Directory | NodeKind::Shard => directory(node, request, target, stat).await,
        NodeKind::Symlink => Ok(symlink(target, &stat)),
        _ => file(node, request, target, &target.path.file_name(), &stat).await,
    }
}

async fn file<B>(
    node: &Node,
    request: &Request<B>,
    target: &ContentTarget,
    name: &str,
    stat: &UnixfsStat,
) -> Result<Response<Body>, Failure> {
    let tag = headers::file_tag(&stat.cid);
    if headers::is_known(request.headers(), &tag) {
        return Ok(not_modified(&tag, target, &stat.cid));
    }
    let asked = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
    let same = request.headers().get(IF_RANGE).is_none_or(|value| value.as_bytes() == tag.as_bytes());
    let (start, length, partial) = match select(asked.filter(|_| same), stat.size) {
        Selection::Whole => (0, stat.size, false),
        Selection::Part { start, length } => (start, length, true),
        Selection::Unsatisfiable => return Ok(unsatisfiable(stat.size)),
    };
    let name = target.file_name.as_deref().unwrap_or(name);
    let kind = type_of(node, name, stat).await?;
    let mut response = Response::new(match request.method() {
        &Method::HEAD => body::empty(),
        _ => body::stream(node.read_file(stat.cid.clone(), stat.size, start, Some(length)).bytes),
    });
    let fields = response.headers_mut();
    headers::add_immutable(fields, &tag, &target.path.to_string(), &stat.cid);
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    insert(fields, CONTENT_TYPE, kind);
    if target.download || target.file_name.is_some() {
        insert(fields, CONTENT_DISPOSITION, disposition(name, target.download));
    }
    if partial {
        insert(fields, CONTENT_RANGE, format!("bytes {start}-{}/{}", start + length - 1, stat.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
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

async fn directory<B>(
    node: &Node,
    request: &Request<B>,
    target: &ContentTarget,
    stat: UnixfsStat,
) -> Result<Response<Body>, Failure> {
    if !target.slash {
        // Relative links in pages work only below a path that ends in a slash.
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        return Ok(body::redirect(&format!("{}/{query}", target.written)));
    }
    let mut names = target.path.segments().to_vec();
    names.push("index.html".into());
    match node.unixfs_stat(&Path::new(target.path.root().clone(), names)).await {
        Ok(index) if matches!(index.kind, NodeKind::File | NodeKind::Raw) => {
            return file(node, request, target, "index.html", &index).await;
        }
        Err(error) if error.kind() != Kind::NotFound => return Err(error.into()),
        _ => {}
    }
    let tag = headers::listing_tag(&stat.cid);
    if headers::is_known(request.headers(), &tag) {
        return Ok(not_modified(&tag, target, &stat.cid));
    }
    let page = listing::page(target, node.ls(&target.path, false).await?);
    let mut response = Response::new(body::stream(page));
    headers::add_listing(response.headers_mut(), &tag, &target.path.to_string(), &stat.cid);
    insert(response.headers_mut(), CONTENT_TYPE, "text/html; charset=utf-8".into());
    Ok(response)
}

fn symlink(target: &ContentTarget, stat: &UnixfsStat) -> Response<Body> {
    let points_to = stat.node.data().cloned().unwrap_or_default();
    let length = HeaderValue::from(points_to.len());
    let mut response = Response::new(body::full(points_to));
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

fn unsatisfiable(size: u64) -> Response<Body> {
    let mut response =
        body::text(StatusCode::RANGE_NOT_SATISFIABLE, "the range is behind the end of the file\n");
    insert(response.headers_mut(), CONTENT_RANGE, format!("bytes */{size}"));
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
