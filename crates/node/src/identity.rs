//! The node's key, as the configuration keeps it.

use ipse_base::{Base, ErrorKind, Kind};
use ipse_net::{Identity, KeyError};

/// Why the configuration's identity can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error("the configuration has no Identity.PrivKey")]
    Missing,
    /// The key is not base64.
    #[error("Identity.PrivKey is not base64")]
    Base64,
    /// The key can't be read.
    #[error("Identity.PrivKey: {0}")]
    Key(#[from] KeyError),
}

impl ErrorKind for IdentityError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn hint(&self) -> Option<String> {
        Some("restore the file `config` from a backup, or make a new repository with `ipse init`".into())
    }
}

/// The key's text in the configuration: the base64 of its protobuf form.
pub(crate) fn to_text(key: &Identity) -> String {
    Base::BASE64PAD.encode_bare(&key.to_protobuf())
}

/// Reads the key's text.
pub(crate) fn from_text(text: &str) -> Result<Identity, IdentityError> {
    if text.is_empty() {
        return Err(IdentityError::Missing);
    }
    let bytes = Base::BASE64PAD.decode_bare(text).map_err(|_| IdentityError::Base64)?;
    Ok(Identity::from_protobuf(&bytes)?)
}
