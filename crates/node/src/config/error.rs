//! Why a configuration could not be read or changed. The texts are those that scripts know.

use ipse_base::{ErrorKind, Kind};

/// Why a configuration could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON; the source names line and column.
    #[error("failure to decode config: {0}")]
    Malformed(#[source] serde_json::Error),
    /// `ipse.json` is not JSON; the source names line and column.
    #[error("failure to decode ipse.json: {0}")]
    OwnMalformed(#[source] serde_json::Error),
    /// JSON, and not an object.
    #[error("failure to decode config: the file must hold one JSON object")]
    NotAnObject,
    /// No value at this part of the key.
    #[error("failed to get config value: \"{0} not found\"")]
    NotFound(String),
    /// The configuration has no such section.
    #[error("failed to set config value: {0} not found (maybe use --json?)")]
    UnknownSection(String),
    /// A value of the wrong type, or one that can't be read.
    #[error("failure to decode config: {key} should be {expected}, and is {found}")]
    WrongType {
        /// The dotted key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is, as JSON.
        found: String,
    },
    /// The key holds a secret.
    #[error("cannot show or change private key through API")]
    Secret(String),
    /// The identity is changed by making a new repository only.
    #[error("the node's identity cannot be changed through the configuration")]
    Identity,
    /// The file could not be written.
    #[error("failed to write the configuration: {0}")]
    Write(#[source] ipse_store::RepoError),
    /// No profile has this name.
    #[error("{0} is not a profile")]
    UnknownProfile(String),
}

const OWN_HINT: &str = "correct the file `ipse.json` in the repository, or write {} into it for the defaults";

impl ErrorKind for ConfigError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Secret(_) | Self::Identity => Kind::Denied,
            Self::Write(error) => error.kind(),
            _ => Kind::Invalid,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OwnMalformed(_) => OWN_HINT.into(),
            Self::WrongType { key, .. } if key.starts_with("Scrub.") => OWN_HINT.into(),
            Self::Malformed(_) | Self::NotAnObject | Self::WrongType { .. } => {
                "correct the file `config` in the repository, or start from `config show`".into()
            }
            Self::NotFound(_) | Self::UnknownSection(_) => {
                "`config show` lists what is set; keys are written as Section.Key".into()
            }
            Self::Secret(_) | Self::Identity => {
                "edit the file `config` in the repository while the node is stopped".into()
            }
            Self::Write(error) => return error.hint(),
            Self::UnknownProfile(_) => {
                let names: Vec<_> = super::PROFILES.iter().map(|profile| profile.name).collect();
                format!("profiles are: {}", names.join(", "))
            }
        })
    }
}
