//! `add`: files and folders become Dags.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const ADD: Command = Command::new("add", "Add files or folders and print their CIDs.")
    .help(
        "The data is cut into blocks, stored and pinned. When the command returns, it survives a power cut.\n\
         Without a path, standard input is added.",
    )
    .arguments(&[Argument::file("path", "Files or folders to add.").variadic().recursive().stdin()])
    .options(&[
        OptionDef::bool(&["recursive", "r"], "Add folders with all that is in them."),
        OptionDef::string(&["stdin-name"], "Name for the file that is read from standard input."),
        OptionDef::bool(&["hidden", "H"], "Take names that start with a dot, too, inside of folders."),
        OptionDef::bool(&["dereference-symlinks"], "Follow symbolic links instead of storing them."),
        OptionDef::bool(&["quiet", "q"], "Print only CIDs."),
        OptionDef::bool(&["quieter", "Q"], "Print only the last CID."),
        OptionDef::bool(&["silent"], "Print nothing."),
        OptionDef::bool(&["progress", "p"], "Show progress. On by default in a terminal."),
        OptionDef::bool(&["only-hash", "n"], "Compute CIDs and store nothing."),
        OptionDef::bool(&["wrap-with-directory", "w"], "Put everything into one folder around it."),
        OptionDef::bool(&["pin"], "Keep what is added from garbage collection.").default("true"),
        OptionDef::string(&["pin-name"], "Name for the pin."),
        OptionDef::int(&["cid-version"], "CID version, 0 or 1; 1 brings raw leaves. Default: as the repository is set."),
        OptionDef::string(
            &["hash"],
            "Hash function; one other than sha2-256 needs CID version 1. Default: as the repository is set.",
        ),
        OptionDef::bool(&["raw-leaves"], "Store file content as raw blocks. Default: as the repository is set."),
        OptionDef::string(&["chunker", "s"], "How files are cut: size-BYTES. Default: as the repository is set."),
        OptionDef::int(&["max-file-links"], "Most links of one file node. Default: as the repository is set."),
        OptionDef::int(
            &["max-directory-links"],
            "Most entries of a plain folder node; larger ones are sharded. Default: as the repository is set.",
        ),
        OptionDef::int(
            &["max-hamt-fanout"],
            "Most links of a node of a sharded folder: a power of two from 8 to 1024. Default: as the repository is set.",
        ),
        OptionDef::bool(&["inline"], "Put small blocks into their CIDs."),
        OptionDef::int(&["inline-limit"], "Largest block to put into its CID, in bytes; at most 128.").default("32"),
        OptionDef::bool(&["preserve-mode"], "Keep the permissions of what is added."),
        OptionDef::bool(&["preserve-mtime"], "Keep the times of change of what is added."),
        OptionDef::uint(&["mode"], "Permissions to keep instead, in octal with a leading zero."),
        OptionDef::int64(&["mtime"], "Time of change to keep instead, in seconds since 1970."),
        OptionDef::uint(&["mtime-nsecs"], "The fraction of that time, in nanoseconds."),
    ]);

/// One line of the reply: an entry that was added, or how far one is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddEvent {
    /// The entry's path below what was added.
    pub name: String,
    /// Its Cid; missing in lines of progress.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// Bytes read of it so far; only in lines of progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Its size with everything below it, in bytes, as decimal text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub size: String,
    /// Its permissions in octal, where they were kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// Its time of change in seconds, where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    /// The fraction of that in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime_nsecs: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_the_reference_node_writes_them() {
        let event =
            AddEvent { name: "a&b".into(), hash: "Qm".into(), size: "20".into(), ..AddEvent::default() };
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"Name":"a&b","Hash":"Qm","Size":"20"}"#);
        let progress = AddEvent { name: "a".into(), bytes: Some(12), ..AddEvent::default() };
        assert_eq!(serde_json::to_string(&progress).unwrap(), r#"{"Name":"a","Bytes":12}"#);
    }
}
