//! The RPC's contract: the table of commands, how one is asked for, and the shapes of the replies.
//!
//! Server and command line read the same table, so they agree on every name, default and error text. It is not
//! the place where commands run: that is `ipse-rpc`. Field names, their order and what is left out of the JSON
//! are the reference node's.
//!
//! Floor 1. Pure: constant data and values.
//!
//! Read first: [`Command`] (an entry of the table), [`Invocation`] (one command to be run, from or to an
//! address) and [`AddEvent`] (what a reply's type looks like).
//!
//! ```
//! use ipse_api::{Invocation, OptionValue, find};
//!
//! let command = find(&["pin", "add"]).expect("it is in the table");
//! let mut invocation = Invocation::new(command, vec!["pin", "add"]);
//! invocation.arguments.push("/ipfs/bafkqaaa".to_owned());
//! invocation.set("name", OptionValue::String("my pin".to_owned()));
//! let address = invocation.to_address();
//! assert_eq!(address, "pin/add?arg=%2Fipfs%2Fbafkqaaa&name=my+pin");
//!
//! let read = Invocation::from_address("pin/add", "arg=%2Fipfs%2Fbafkqaaa&name=my+pin")?;
//! assert!(read.bool("recursive"), "the default");
//! # Ok::<(), ipse_api::InvocationError>(())
//! ```

mod backup;
mod command;
mod commands;
mod duration;
mod error;
mod invocation;
mod json;
mod option;
mod query;
pub mod sock;
mod table;

pub use backup::{
    BackupBegin, BackupDone, BackupEnd, BackupFrame, BackupSegment, DATA_BYTES_MAX, FileEntry, FrameReader,
    Held, Manifest, ManifestError, Marker, PIECE_BYTES, Piece, SegmentEntry, StreamError,
};
pub use command::{Argument, Command, Place};
pub use commands::{
    AddEvent, AddressBook, BadNode, Bandwidth, BitswapStat, BlockStat, CidFormatted, CidInspected, CodeName,
    Collected, CollectionPlan, CommandListed, ConfigField, ConfigUpdate, Connection, DagImported, DagPut,
    DagResolved, DagStat, DagStatSummary, HotCounter, HotCounters, Identity, ImportStats, ImportedRoot,
    InspectedBase, InspectedCode, InspectedHash, Ledger, ListedLink, ListedObject, Listing, LogLevels,
    Message, NO_TIME, OptionListed, Peers, PinAdded, PinEntry, PinLine, PinVerified, Pinged, Pins, Protocol,
    Reference, RemovedBlock, RepoStat, RepoVersion, Resolved, Texts, VerifyProgress, VersionInfo, Wantlist,
    WorkerLine,
};
pub use duration::{format_duration, parse_duration};
pub use error::{ErrorCode, ErrorReply};
pub use invocation::{Invocation, InvocationError};
pub use json::LinkJson;
pub use option::{OptionDef, OptionKind, OptionValue};
pub use query::{decode as decode_query, encode as encode_query, parse as parse_query};
pub use table::{GLOBAL_OPTIONS, ROOT, find, suggestions, walk};

pub(crate) use json::{nullable, number};
pub(crate) use table::ALLOW_BIG_BLOCK;
