//! Denylists: what the operator of a node refuses to provide (Compact Denylist Format, IPIP-383).
//!
//! A [`Reader`] takes the lines of one list after the other and makes a [`Denylist`], which says of a path or a
//! block whether a rule denies it, and which one. Nothing here touches a file: whoever has the lists feeds their
//! lines.
//!
//! ```
//! use ipse_denylist::Reader;
//!
//! let cid = "QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR";
//! let mut reader = Reader::default();
//! reader.begin("mine.deny");
//! reader.line(format!("/ipfs/{cid}/private*").as_bytes())?;
//! reader.end()?;
//! let list = reader.finish();
//!
//! let found = list.find(&format!("/ipfs/{cid}/private/a.txt").parse()?);
//! assert_eq!(found.map(|place| place.to_string()), Some("mine.deny:1".into()));
//! assert!(list.find(&format!("/ipfs/{cid}/public").parse()?).is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod header;
mod hidden;
mod item;
mod list;
mod reader;

pub use error::DenylistError;
pub use list::{Denylist, Place};
pub use reader::{Reader, Refused};
