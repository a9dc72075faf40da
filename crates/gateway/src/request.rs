//! What a request asks for: the path in its target, decoded.

use hyper::Uri;
use ipse_base::Path;
use percent_encoding::percent_decode_str;

use crate::failure::Failure;

/// What a request asks for.
pub(crate) enum Target {
    /// Content.
    Content(ContentTarget),
    /// Another place.
    Redirect(String),
    /// `/`.
    Root,
}

/// A content path with what the query says of it.
pub(crate) struct ContentTarget {
    /// The path.
    pub(crate) path: Path,
    /// Whether the path was written with a slash at its end.
    pub(crate) slash: bool,
    /// The target as it was written, without its query.
    pub(crate) written: String,
    /// `?filename=`: the name to save under.
    pub(crate) file_name: Option<String>,
    /// `?download=true`: to be saved, not shown.
    pub(crate) download: bool,
}

impl Target {
    /// Reads a request's target.
    ///
    /// # Errors
    /// [`Failure`]: not found outside `/ipfs` and `/ipns`, invalid for a malformed path.
    pub(crate) fn parse(uri: &Uri) -> Result<Self, Failure> {
        let written = uri.path();
        if written == "/" {
            return Ok(Self::Root);
        }
        if !written.starts_with("/ipfs/") && !written.starts_with("/ipns/") {
            return Err(Failure::NoSuchPage(written.to_owned()));
        }
        // Paths are split before they are decoded: an encoded slash belongs to a name.
        if written.split('/').any(|segment| segment.contains("%2F") || segment.contains("%2f")) {
            return Err(Failure::EncodedSlash);
        }
        let decoded = percent_decode_str(written).decode_utf8().map_err(|_| Failure::NotUtf8)?;
        let path: Path = decoded.parse()?;
        let (mut file_name, mut download) = (None, false);
        for (key, value) in uri.query().into_iter().flat_map(query_pairs) {
            match key.as_str() {
                "filename" if !value.is_empty() => file_name = Some(value),
                "download" => download = value == "true",
                "uri" => return Self::from_uri_handler(&value),
                _ => {}
            }
        }
        let slash = written.ends_with('/');
        Ok(Self::Content(ContentTarget { path, slash, written: written.to_owned(), file_name, download }))
    }

    /// A browser that was told that we handle `ipfs://` sends the whole URI in the query.
    fn from_uri_handler(uri: &str) -> Result<Self, Failure> {
        let path: Path = uri.parse()?;
        Ok(Self::Redirect(path.to_string()))
    }
}

fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4";

    fn parse(text: &str) -> Result<Target, Failure> {
        Target::parse(&text.parse().unwrap())
    }

    #[test]
    fn reads_path_and_query() {
        let text = format!("/ipfs/{CID}/a%20b/?filename=x+y.txt&download=true");
        let Target::Content(target) = parse(&text).unwrap() else { panic!("content") };
        assert_eq!(target.path.segments(), ["a b"]);
        assert!(target.slash && target.download);
        assert_eq!(target.file_name.as_deref(), Some("x y.txt"));
    }

    #[test]
    fn refuses_what_is_no_path() {
        for bad in [
            "/nope",
            "/ipfs/notacid",
            "/ipfs/%ff",
            &format!("/ipfs/{CID}/a%2Fb"),
            &format!("/ipfs/{CID}/%00"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn browsers_hand_over_whole_uris() {
        let text = format!("/ipfs/?uri=ipfs%3A%2F%2F{CID}%2Fa");
        // The path itself is empty here, so only the query counts.
        assert!(parse(&text).is_err() || matches!(parse(&text), Ok(Target::Redirect(_))));
    }

    #[test]
    fn fuzz_targets() {
        bolero::check!().with_type::<String>().for_each(|text| {
            if let Ok(uri) = format!("/ipfs/{text}").parse::<Uri>() {
                let _ = Target::parse(&uri);
            }
        });
    }
}
