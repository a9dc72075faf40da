//! `cat`: a file's bytes. The reply is the bytes themselves.

use crate::{Argument, Command, OptionDef};

pub(crate) const CAT: Command = Command::new("cat", "Print the bytes of files.")
    .arguments(&[Argument::required("ipfs-path", "Paths of the files.").variadic().stdin()])
    .options(&[
        OptionDef::int64(&["offset", "o"], "Byte to start at."),
        OptionDef::int64(&["length", "l"], "Most bytes to print."),
        OptionDef::bool(&["progress", "p"], "Show progress. On by default in a terminal."),
    ]);
