//! `get`: files and folders to the disk. The reply is a TAR archive, or a file compressed with gzip.

use crate::{Argument, Command, OptionDef};

pub(crate) const GET: Command = Command::new("get", "Write files and folders to the disk.")
    .arguments(&[Argument::required("ipfs-path", "Path of the file or folder.").stdin()])
    .options(&[
        OptionDef::string(&["output", "o"], "Where to write. Default: the last name of the path."),
        OptionDef::bool(&["archive", "a"], "Write a TAR archive."),
        OptionDef::bool(&["compress", "C"], "Compress what is written with gzip."),
        OptionDef::int(&["compression-level", "l"], "How hard to compress, 1 to 9."),
        OptionDef::bool(&["progress", "p"], "Show progress. On by default in a terminal."),
    ]);
