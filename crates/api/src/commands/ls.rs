//! `ls`: the entries of directories.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const LS: Command = Command::new("ls", "List the entries of folders.")
    .arguments(&[Argument::required("ipfs-path", "Paths of the folders.").variadic().stdin()])
    .options(&[
        OptionDef::bool(&["headers", "v"], "Print a line of column names first."),
        OptionDef::bool(&["resolve-type"], "Look into the entries to tell files from folders.")
            .default("true"),
        OptionDef::bool(&["size"], "Look into the entries to tell the sizes of files.").default("true"),
        OptionDef::bool(&["stream", "s"], "Print entries as they come, unsorted."),
        OptionDef::bool(&["long", "l"], "Print modes and times, too."),
    ]);

/// The time of an entry that has none, as Go writes it.
pub const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// What directories hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Listing {
    /// One object for each path that was asked for.
    pub objects: Vec<ListedObject>,
}

/// What one directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedObject {
    /// The path as it was asked for.
    pub hash: String,
    /// Its entries.
    pub links: Vec<ListedLink>,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedLink {
    /// Its name.
    pub name: String,
    /// Its Cid.
    pub hash: String,
    /// A file's size in bytes; 0 for the others.
    pub size: u64,
    /// 0 unknown, 1 directory, 2 file, 4 symlink.
    pub r#type: i32,
    /// Where a symlink leads.
    pub target: String,
    /// Permissions, 0 where none were kept.
    pub mode: u32,
    /// Time of change in RFC 3339, [`NO_TIME`] where none was kept.
    pub mod_time: String,
}

impl Default for ListedLink {
    fn default() -> Self {
        Self {
            name: String::new(),
            hash: String::new(),
            size: 0,
            r#type: 0,
            target: String::new(),
            mode: 0,
            mod_time: NO_TIME.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_as_the_reference_node_writes_it() {
        let text = concat!(
            r#"{"Objects":[{"Hash":"QmV","Links":[{"Name":"kjd","Hash":"Qmf","Size":0,"Type":1,"#,
            r#""Target":"","Mode":0,"ModTime":"0001-01-01T00:00:00Z"}]}]}"#
        );
        let listing: Listing = serde_json::from_str(text).unwrap();
        assert_eq!(listing.objects[0].links[0].r#type, 1);
        assert_eq!(serde_json::to_string(&listing).unwrap(), text);
    }
}
