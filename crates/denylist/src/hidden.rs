//! Rules that hide what they deny: they hold the digest of a path's text, so that a list can be published without
//! being a directory of what it denies.
//!
//! Two forms are in use. The format's own hashes `MULTIHASH/path` (or `/ipns/DOMAIN/path`) with any function; the
//! anchors of the older lists are the SHA-256 of `CID-IN-BASE32/path`, with the slash where there is no path.

use ipse_base::{Base, Cid, Codec, HashCode, Multihash};

use crate::item::Root;

/// The beginning of a digest, by which rules are found. Half a SHA-256 is as good as a whole one here: whoever
/// finds two paths with the same mark has them denied both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark([u8; 16]);

impl Mark {
    /// `None` for a digest that is too short.
    pub(crate) fn of(digest: &[u8]) -> Option<Self> {
        digest.first_chunk().copied().map(Self)
    }

    fn of_text(code: HashCode, text: &str) -> Option<Self> {
        Self::of(Multihash::digest_of(code, text.as_bytes()).ok()?.digest())
    }

    /// The mark of a path in the format's own form.
    pub(crate) fn of_path(code: HashCode, root: &Root, path: &str) -> Option<Self> {
        let mut text = match root {
            Root::Block(hash) | Root::Key(hash) => Base::BASE58BTC.encode_bare(&hash.to_bytes()),
            Root::Domain(name) => format!("/ipns/{name}"),
        };
        if !path.is_empty() {
            text.push('/');
            text.push_str(path);
        }
        Self::of_text(code, &text)
    }

    /// The mark of a path in the form of the older lists. They tell a block's codecs apart.
    pub(crate) fn of_anchor(root: &Root, codec: Codec, path: &str) -> Option<Self> {
        let mut text = match root {
            Root::Block(hash) => Cid::v1(codec, hash.clone()).to_base(Base::BASE32),
            Root::Key(hash) => Cid::v1(Codec::LIBP2P_KEY, hash.clone()).to_base(Base::BASE32),
            Root::Domain(name) => name.clone(),
        };
        text.push('/');
        text.push_str(path);
        Self::of_text(HashCode::SHA2_256, &text)
    }
}
