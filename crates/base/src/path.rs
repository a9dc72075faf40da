//! Path: `/ipfs/CID/a/b` and `/ipns/NAME/a/b`, with every spelling that the reference node takes.

use std::str::FromStr;

use crate::limits::PATH_BYTES_MAX;
use crate::{Cid, CidError, ErrorKind, Kind};

/// Which of the two trees a path starts in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Immutable: the root is a block.
    Ipfs(Cid),
    /// Mutable: the root is a name that has to be resolved first.
    Ipns(String),
}

/// A content path: a root and the names to follow from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    root: Namespace,
    segments: Vec<String>,
}

/// Why text is not a path. The texts are those of the reference node, which scripts read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not enough there to name a root.
    #[error("invalid path {0:?}: path does not have enough components")]
    TooShort(String),
    /// The root is not a Cid.
    #[error("invalid path {path:?}: {source}")]
    Cid {
        /// The path as given.
        path: String,
        /// What is wrong with its root.
        source: CidError,
    },
    /// A namespace other than `/ipfs` and `/ipns`.
    #[error("invalid path {0:?}: unknown namespace")]
    Namespace(String),
    /// `..` climbs above the root, or a segment holds NUL.
    #[error("invalid path {0:?}: it leaves its root or holds a NUL byte")]
    Segment(String),
    /// Longer than any path this node takes.
    #[error("path of {0} bytes is too long")]
    TooLong(usize),
}

impl ErrorKind for PathError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn hint(&self) -> Option<String> {
        Some("write a path as /ipfs/CID/name, CID/name or ipfs://CID/name".into())
    }
}

impl Path {
    /// The path of a block itself.
    pub const fn of(cid: Cid) -> Self {
        Self { root: Namespace::Ipfs(cid), segments: Vec::new() }
    }

    /// A path below a root.
    pub const fn new(root: Namespace, segments: Vec<String>) -> Self {
        Self { root, segments }
    }

    /// Where it starts.
    pub const fn root(&self) -> &Namespace {
        &self.root
    }

    /// The Cid it starts at, unless it starts at a name.
    pub const fn cid(&self) -> Option<&Cid> {
        match &self.root {
            Namespace::Ipfs(cid) => Some(cid),
            Namespace::Ipns(_) => None,
        }
    }

    /// The names to follow, in order; never empty strings.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The last name, or the root as text.
    pub fn file_name(&self) -> String {
        self.segments.last().cloned().unwrap_or_else(|| match &self.root {
            Namespace::Ipfs(cid) => cid.to_string(),
            Namespace::Ipns(name) => name.clone(),
        })
    }
}

/// Splits at `/`, drops empty segments and `.`, and applies `..`.
fn segments_of(path: &str, text: &str) -> Result<Vec<String>, PathError> {
    let mut segments: Vec<String> = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or_else(|| PathError::Segment(path.to_owned()))?;
            }
            _ if segment.contains('\0') => return Err(PathError::Segment(path.to_owned())),
            _ => segments.push(segment.to_owned()),
        }
    }
    Ok(segments)
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong(text.len()));
        }
        let (namespace, rest) = if let Some(rest) = strip_scheme(text, "ipfs") {
            ("ipfs", rest)
        } else if let Some(rest) = strip_scheme(text, "ipns") {
            ("ipns", rest)
        } else if let Some(absolute) = text.strip_prefix('/') {
            absolute.split_once('/').unwrap_or((absolute, ""))
        } else {
            ("ipfs", text)
        };
        let bare = std::ptr::eq(rest, text);
        let (root, below) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(namespace, "ipfs" | "ipns" | "ipld") && !namespace.is_empty() {
            return Err(PathError::Namespace(text.to_owned()));
        }
        if root.is_empty() {
            return Err(PathError::TooShort(text.to_owned()));
        }
        let root = if namespace == "ipns" {
            Namespace::Ipns(root.to_owned())
        } else {
            let cid = root.parse().map_err(|source| match bare {
                // The reference node takes a bare word for a path that is cut short.
                true => PathError::TooShort(text.to_owned()),
                false => PathError::Cid { path: text.to_owned(), source },
            })?;
            Namespace::Ipfs(cid)
        };
        Ok(Self { root, segments: segments_of(text, below)? })
    }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let head = text.get(..scheme.len())?;
    let rest = text.get(scheme.len()..)?.strip_prefix("://")?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.root {
            Namespace::Ipfs(cid) => write!(f, "/ipfs/{cid}")?,
            Namespace::Ipns(name) => write!(f, "/ipns/{name}")?,
        }
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";

    #[test]
    fn every_spelling() {
        for text in [
            format!("/ipfs/{CID}/a/b"),
            format!("{CID}/a/b"),
            format!("ipfs://{CID}/a/b"),
            format!("IPFS://{CID}/a//./b/"),
            format!("/ipfs/{CID}/x/../a/b"),
        ] {
            let path: Path = text.parse().unwrap();
            assert_eq!(path.to_string(), format!("/ipfs/{CID}/a/b"), "{text}");
        }
        let name: Path = "/ipns/example.org/a".parse().unwrap();
        assert_eq!(name.root(), &Namespace::Ipns("example.org".into()));
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in [
            "",
            "/",
            "/ipfs",
            "/ipfs/",
            "/nope/x",
            "notacid",
            &format!("{CID}/../.."),
            &format!("{CID}/a\0b"),
        ] {
            assert!(text.parse::<Path>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            if let Ok(path) = text.parse::<Path>() {
                assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
            }
        });
    }
}
