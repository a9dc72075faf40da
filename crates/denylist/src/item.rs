//! Item: one line of a list, as a value.

use ipse_base::{Base, Cid, HashCode, Multihash, PeerId};
use percent_encoding::percent_decode_str;

use crate::DenylistError;
use crate::hidden::Mark;

/// What a path starts at, in the form in which lists compare it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// A block, under whatever codec and version it is named.
    Block(Multihash),
    /// A key that names are published by.
    Key(Multihash),
    /// A domain that names are looked up by.
    Domain(String),
}

impl Root {
    /// What stands behind `/ipns/`.
    pub(crate) fn of_name(name: &str) -> Self {
        match name.parse::<PeerId>() {
            Ok(key) => Self::Key(key.hash().clone()),
            Err(_) => Self::Domain(name.to_ascii_lowercase()),
        }
    }

    /// What stands behind `/ipfs/`. A bare multihash in base58btc is taken too, whatever function made it.
    fn of_block(text: &str) -> Result<Self, DenylistError> {
        if let Ok(cid) = text.parse::<Cid>() {
            return Ok(Self::Block(cid.hash().clone()));
        }
        multihash(text).map(Self::Block).ok_or_else(|| DenylistError::Root(text.to_owned()))
    }
}

/// Which paths below a root a rule is for. Paths have no slash at either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This path alone; the empty one is the root itself.
    Exactly(String),
    /// Whatever begins with this text.
    Beginning(String),
}

impl Pattern {
    /// Reads what stands behind a root.
    fn parse(text: &str) -> Result<Self, DenylistError> {
        let (open, text) = match text.strip_suffix('*') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map_err(|_| DenylistError::Path(text.to_owned()))?;
        let path = decoded.trim_matches('/').to_owned();
        Ok(if open { Self::Beginning(path) } else { Self::Exactly(path) })
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exactly(own) => path == own,
            Self::Beginning(own) => path.starts_with(own.as_str()),
        }
    }
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// Paths that are named.
    Path(Root, Pattern),
    /// A path that only its digest tells; see [`crate::hidden`].
    Hidden {
        /// As a multihash of the path.
        path: Option<(HashCode, Mark)>,
        /// As an anchor of the older lists.
        anchor: Option<Mark>,
    },
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) about: About,
    /// Whether the rule is an exception from those before it.
    pub(crate) allows: bool,
}

impl Item {
    /// Reads a line without its end; `None` where it holds no rule. Hints behind the rule are passed over: none
    /// that the format names changes what is denied.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, DenylistError> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let (allows, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let rule = line.split_ascii_whitespace().next().unwrap_or_default();
        let about = if let Some(rest) = rule.strip_prefix("//") {
            doubles(rest)?
        } else if let Some(rest) = rule.strip_prefix("/ipfs/") {
            let (root, path) = rest.split_once('/').unwrap_or((rest, ""));
            About::Path(Root::of_block(root)?, Pattern::parse(path)?)
        } else if let Some(rest) = rule.strip_prefix("/ipns/") {
            let (root, path) = rest.split_once('/').unwrap_or((rest, ""));
            if root.is_empty() {
                return Err(DenylistError::Root(root.to_owned()));
            }
            About::Path(Root::of_name(root), Pattern::parse(path)?)
        } else {
            return Err(DenylistError::NotARule(rule.to_owned()));
        };
        Ok(Some(Self { about, allows }))
    }
}

/// A double hash. Text that can be read in both forms is taken for both.
fn doubles(text: &str) -> Result<About, DenylistError> {
    let anchor = match text.len() {
        64 => Base::BASE16.decode_bare(&text.to_ascii_lowercase()).ok().and_then(|digest| Mark::of(&digest)),
        _ => None,
    };
    let path = match multihash(text) {
        Some(hash) if hash.is_identity() || !hash.code().is_computable() => {
            return Err(DenylistError::Function(hash.code()));
        }
        Some(hash) => Mark::of(hash.digest()).map(|mark| (hash.code(), mark)),
        None => None,
    };
    match (&path, &anchor) {
        (None, None) => Err(DenylistError::Double(text.to_owned())),
        _ => Ok(About::Hidden { path, anchor }),
    }
}

fn multihash(text: &str) -> Option<Multihash> {
    Multihash::from_bytes(&Base::BASE58BTC.decode_bare(text).ok()?).ok()
}
