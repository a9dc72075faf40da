//! `cid`: what a Cid says, and its other spellings. Nothing here needs a repository.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const CID: Command =
    Command::group("cid", "Convert and explain CIDs.", &[FORMAT, BASE32, INSPECT, BASES, CODECS, HASHES])
        .without_repository();

const FORMAT: Command = Command::new("format", "Print CIDs in another form.")
    .help(
        "The format holds: %% a percent sign, %b the base's name, %B its letter, %v the version (cidv1), %V its\n\
         number, %c the codec's name, %C its number, %h the hash function's name, %H its number, %L the length of\n\
         the hash, %m the multihash in the base, %M without the base's letter, %d and %D the same for the hash\n\
         alone, %s and %S the same for the CID, %P the prefix: version-codec-hash-length.",
    )
    .arguments(&[Argument::required("cid", "CIDs to print.").variadic().stdin()])
    .options(&[
        OptionDef::string(&["f"], "Format.").default("%s"),
        OptionDef::string(&["v"], "Version to convert to."),
        OptionDef::string(&["mc"], "Codec to convert to."),
        OptionDef::string(&["b"], "Base to print in."),
    ])
    .without_repository();

const BASE32: Command = Command::new("base32", "Print CIDs as version 1 in base32.")
    .arguments(&[Argument::required("cid", "CIDs to print.").variadic().stdin()])
    .without_repository();

const INSPECT: Command = Command::new("inspect", "Explain what a CID says.")
    .arguments(&[Argument::required("cid", "The CID.").stdin()])
    .without_repository();

const BASES: Command = Command::new("bases", "List bases.").options(LISTED_BASES).without_repository();

/// The options of lists of bases, here and in `multibase list`.
pub(crate) const LISTED_BASES: &[OptionDef] = &[
    OptionDef::bool(&["prefix"], "Print their letters, too."),
    OptionDef::bool(&["numeric"], "Print their numbers, too."),
];

const CODECS: Command = Command::new("codecs", "List codecs.").options(LISTED_CODES).without_repository();
const HASHES: Command =
    Command::new("hashes", "List hash functions.").options(LISTED_CODES).without_repository();

const LISTED_CODES: &[OptionDef] = &[
    OptionDef::bool(&["numeric", "n"], "Print their numbers, too."),
    OptionDef::bool(&["supported", "s"], "List only those that this node computes."),
];

/// One Cid in its new form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CidFormatted {
    /// As it was given.
    pub cid_str: String,
    /// As it was asked for.
    pub formatted: String,
    /// Why it could not be converted.
    pub error_msg: String,
}

/// A name of one of the multiformats tables with its number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CodeName {
    /// The number; for a base, that of its letter.
    pub code: u64,
    /// The name.
    pub name: String,
}

/// What a Cid says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CidInspected {
    /// As it was given.
    pub cid: String,
    /// 0 or 1.
    pub version: u8,
    /// The base it is written in.
    pub multibase: InspectedBase,
    /// How its block is to be read.
    pub multicodec: InspectedCode,
    /// Its hash.
    pub multihash: InspectedHash,
    /// Its version 0 form, where it has one.
    #[serde(rename = "cidV0", skip_serializing_if = "String::is_empty")]
    pub cid_v0: String,
    /// Its version 1 form.
    #[serde(rename = "cidV1")]
    pub cid_v1: String,
    /// Why it is no Cid.
    #[serde(rename = "errorMsg", skip_serializing_if = "String::is_empty")]
    pub error_msg: String,
}

/// A base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InspectedBase {
    /// Its letter.
    pub prefix: String,
    /// Its name.
    pub name: String,
}

/// A codec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InspectedCode {
    /// Its number.
    pub code: u64,
    /// Its name.
    pub name: String,
}

/// A hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InspectedHash {
    /// The function's number.
    pub code: u64,
    /// Its name.
    pub name: String,
    /// Bytes of the hash.
    pub length: usize,
    /// The hash in hexadecimal.
    pub digest: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_look_as_the_reference_node_writes_them() {
        let text = concat!(
            r#"{"cid":"nope","version":0,"multibase":{"prefix":"","name":""},"multicodec":{"code":0,"name":""},"#,
            r#""multihash":{"code":0,"name":"","length":0,"digest":""},"cidV1":"","errorMsg":"invalid CID"}"#
        );
        assert_eq!(
            serde_json::to_string(&serde_json::from_str::<CidInspected>(text).unwrap()).unwrap(),
            text
        );
    }
}
