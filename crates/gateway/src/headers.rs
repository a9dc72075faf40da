//! Headers that answers share.

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use ipse_base::Cid;

/// Content under a Cid never changes (path gateway specification).
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=29030400, immutable");
/// A listing's looks may change with the gateway.
const LISTING: HeaderValue =
    HeaderValue::from_static("public, max-age=604800, stale-while-revalidate=2678400");

/// Who may read answers, and what the configuration adds.
pub(crate) fn add_common(headers: &mut HeaderMap, configured: &[(HeaderName, HeaderValue)]) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Range, User-Agent, X-Requested-With"),
    );
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Content-Length, Content-Range, X-Ipfs-Path, X-Ipfs-Roots"),
    );
    for (name, _) in configured {
        headers.remove(name);
    }
    for (name, value) in configured {
        headers.append(name.clone(), value.clone());
    }
}

/// The entity tag of a file.
pub(crate) fn file_tag(cid: &Cid) -> String {
    format!("\"{cid}\"")
}

/// The entity tag of a directory's listing.
pub(crate) fn listing_tag(cid: &Cid) -> String {
    format!("\"DirIndex-{}_CID-{cid}\"", env!("CARGO_PKG_VERSION"))
}

/// Headers of everything that is named by a Cid.
pub(crate) fn add_immutable(headers: &mut HeaderMap, tag: &str, path: &str, root: &Cid) {
    headers.insert(CACHE_CONTROL, IMMUTABLE);
    add_identity(headers, tag, path, root);
}

/// Headers of a listing.
pub(crate) fn add_listing(headers: &mut HeaderMap, tag: &str, path: &str, root: &Cid) {
    headers.insert(CACHE_CONTROL, LISTING);
    add_identity(headers, tag, path, root);
}

fn add_identity(headers: &mut HeaderMap, tag: &str, path: &str, root: &Cid) {
    let values = [
        (ETAG, tag.to_owned()),
        (HeaderName::from_static("x-ipfs-path"), percent_encoded(path)),
        (HeaderName::from_static("x-ipfs-roots"), root.to_string()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// A path as it can stand in a header or a link.
pub(crate) fn percent_encoded(path: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const KEPT: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');
    utf8_percent_encode(path, KEPT).to_string()
}

/// Whether the client has it already.
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
