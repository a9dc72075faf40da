//! Errors: everything that ends a command early, with the text and the exit status the reference node has for it.

use std::io;
use std::path::{Path, PathBuf};

use ipse_base::{ErrorKind, Kind};

use crate::args::ArgumentError;
use crate::extract::ExtractError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line makes no sense.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// A local file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tour ended early.
    #[error(transparent)]
    Tour(#[from] crate::tour::TourError),
    /// The node refused or failed; the text is its own.
    #[error("{message}")]
    Node {
        /// What the node said.
        message: String,
        /// What to do next, where the node knows it.
        hint: Option<String>,
        /// Whether the request itself was at fault.
        client: bool,
    },
    /// The address of the daemon is none.
    #[error("unsupported API address: {0}")]
    Address(String),
    /// No such form of output.
    #[error("invalid encoding: {0}")]
    Encoding(String),
    /// The secret of `--api-auth` holds what no header can.
    #[error("the secret holds characters that can't be sent")]
    Secret,
    /// The request can't be written as one.
    #[error("{0}")]
    Request(#[source] hyper::http::Error),
    /// Nothing answers there.
    #[error(
        "cannot connect to the api. Is the daemon running? To run as a standalone CLI command remove the api file in `$IPFS_PATH/api`"
    )]
    Connect {
        /// The address that was tried.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke, or the answer ended before it was complete.
    #[error("{}", transport_text(.0))]
    Transport(#[source] hyper::Error),
    /// The answer is not what the RPC promises.
    #[error("the node's answer can't be read: {0}")]
    Answer(#[source] serde_json::Error),
    /// One value of the answer is larger than this program takes.
    #[error("the node's answer holds a value of more than {0} bytes")]
    AnswerTooLarge(usize),
    /// The answer came from no node.
    #[error("unknown error content type: {0}")]
    AnswerType(String),
    /// `--timeout` ran out.
    #[error("context deadline exceeded")]
    Timeout,
    /// There is no repository.
    #[error("no IPFS repo found in {}.\nplease run: 'ipfs init'", .0.display())]
    NoRepository(PathBuf),
    /// The command needs a daemon.
    #[error("command must be run on the daemon: [{0}]")]
    DaemonOnly(String),
    /// The command can't be sent to a daemon.
    #[error("api flag specified but command cannot be run on the daemon")]
    LocalOnly,
    /// There is no daemon to stop.
    #[error("daemon not running")]
    NotRunning,
    /// There is nothing to edit with.
    #[error("ENV variable $EDITOR not set")]
    NoEditor,
    /// The settings for a new repository name a kind of key that can not be made.
    #[error("unrecognized key type: {0}")]
    KeyKind(String),
    /// A second signal ended the program before everything was closed.
    #[error("stopped before everything was closed")]
    Forced,
    /// A listener could not be opened.
    #[error("listen on {address}: {}", system_text(source))]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A daemon runs where none may.
    #[error("ipfs daemon is running. please stop it to run this command")]
    DaemonRunning,
    /// A node in this process failed after its answer had begun.
    #[error("{0}")]
    InProcess(String),
    /// Results could not be printed.
    #[error("write output: {}", system_text(.0))]
    Output(#[from] io::Error),
    /// An archive could not be unpacked.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Something about the environment of this process.
    #[error("{}", system_text(.0))]
    System(#[source] io::Error),
    /// Another crate's error, which knows its kind and its hint.
    #[error("{0}")]
    Inner(Box<dyn ErrorKind + Send + Sync>),
    /// Some items of several failed; each was reported already.
    #[error("{0}")]
    Some(&'static str),
    /// Everything was reported already.
    #[error("reported")]
    Reported,
}

impl CliError {
    /// Wraps the error of a crate below.
    pub(crate) fn inner(error: impl ErrorKind + Send + Sync + 'static) -> Self {
        Self::Inner(Box::new(error))
    }

    /// What to do next, for the second line.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Node { hint, message, .. } => hint.clone().or_else(|| crate::hints::for_message(message)),
            Self::Connect { address, .. } => {
                Some(format!("nothing answers at {address}; start the node with `ipse daemon`"))
            }
            Self::Transport(_) => {
                Some("the daemon stopped or the connection broke; what arrived is not complete".into())
            }
            Self::Timeout => Some("give it longer with --timeout, or check `ipse swarm peers`".into()),
            Self::NoRepository(_) => Some("make one with `ipse init`, or start with `ipse daemon`".into()),
            Self::DaemonOnly(_) => Some("start the node with `ipse daemon`".into()),
            Self::NotRunning => Some("there is nothing to stop; `ipse daemon` starts one".into()),
            Self::LocalOnly => Some("leave out --api".into()),
            Self::DaemonRunning => Some("stop it with `ipse shutdown`".into()),
            Self::Address(_) => Some("write it as /ip4/127.0.0.1/tcp/5001 or /unix/path/to/socket".into()),
            Self::Inner(error) => error.hint().or_else(|| crate::hints::for_message(&error.to_string())),
            Self::Encoding(_) => Some("write text or json".into()),
            Self::Arguments(error) => error.hint(),
            Self::Extract(error) => error.hint(),
            _ => None,
        }
    }

    /// The same error, without blame for the request.
    pub(crate) fn nobodys_fault(self) -> Self {
        match self {
            Self::Node { message, hint, .. } => Self::Node { message, hint, client: false },
            other => other,
        }
    }

    /// The line about help that the reference node prints below some errors.
    pub(crate) const fn is_client_error(&self) -> bool {
        matches!(self, Self::Node { client: true, .. } | Self::DaemonRunning)
    }
}

/// Why a local file could not be used: what was done to it, and what the system answered.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {}", path.display(), system_text(source))]
pub(crate) struct FileError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// For `map_err`: names the operation and the path.
    pub(crate) fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { operation, path, source }
    }
}

impl ErrorKind for FileError {
    fn kind(&self) -> Kind {
        match self.source.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::PermissionDenied => Kind::Denied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
            _ => Kind::Invalid,
        }
    }
}

/// A system error in the words of the reference node: the C library's text with a small first letter and
/// without the number.
pub(crate) fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if error.raw_os_error().is_some() => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// hyper's words for an answer that broke off are its own; scripts know the reference node's.
fn transport_text(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() || error.is_body_write_aborted() {
        return "unexpected EOF".to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = match cause.downcast_ref::<io::Error>() {
            Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
            Some(error) => system_text(error),
            None => cause.to_string(),
        };
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_read_as_the_reference_node_writes_them() {
        let error =
            std::fs::metadata("missing.txt").map_err(FileError::at("lstat", Path::new("missing.txt")));
        assert_eq!(error.unwrap_err().to_string(), "lstat missing.txt: no such file or directory");
        assert_eq!(system_text(&io::Error::other("Own Words")), "Own Words");
    }
}
