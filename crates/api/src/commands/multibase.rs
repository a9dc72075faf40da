//! `multibase`: bytes as text and back. The replies are the bytes themselves; nothing here needs a repository.

use super::cid::LISTED_BASES;
use crate::{Argument, Command, OptionDef};

pub(crate) const MULTIBASE: Command =
    Command::group("multibase", "Write bytes as text and back.", &[ENCODE, DECODE, TRANSCODE, LIST])
        .without_repository();

const BASE: &[OptionDef] = &[OptionDef::string(&["b"], "Base to write in.").default("base64url")];

const ENCODE: Command = Command::new("encode", "Write bytes as text.")
    .arguments(&[Argument::file("file", "File to write as text.").stdin()])
    .options(BASE)
    .without_repository();

const DECODE: Command = Command::new("decode", "Turn text back into bytes.")
    .arguments(&[Argument::file("encoded_file", "File with the text.").stdin()])
    .without_repository();

const TRANSCODE: Command = Command::new("transcode", "Write text in another base.")
    .arguments(&[Argument::file("encoded_file", "File with the text.").stdin()])
    .options(BASE)
    .without_repository();

const LIST: Command = Command::new("list", "List bases.").options(LISTED_BASES).without_repository();
