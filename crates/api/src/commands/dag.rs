//! `dag`: IPLD nodes, whole Dags and their archives.

use serde::{Deserialize, Serialize};

use crate::{ALLOW_BIG_BLOCK, Argument, Command, LinkJson, OptionDef};

pub(crate) const DAG: Command =
    Command::group("dag", "Work with nodes and whole graphs.", &[GET, PUT, EXPORT, IMPORT, STAT, RESOLVE]);

const GET: Command = Command::new("get", "Print a node, or a value inside of it.")
    .arguments(&[Argument::required("ref", "Path of the node or value.").stdin()])
    .options(&[OptionDef::string(&["output-codec"], "Codec to print it in.").default("dag-json")]);

const PUT: Command = Command::new("put", "Store nodes and print their CIDs.")
    .arguments(&[Argument::file("object data", "Files, each of which holds a node.").variadic().stdin()])
    .options(&[
        OptionDef::string(&["store-codec"], "Codec to store nodes in.").default("dag-cbor"),
        OptionDef::string(&["input-codec"], "Codec of the files.").default("dag-json"),
        OptionDef::bool(&["pin"], "Pin the nodes with all that is below them."),
        OptionDef::string(&["hash"], "Hash function. Default: as the repository is set."),
        ALLOW_BIG_BLOCK,
    ]);

const EXPORT: Command = Command::new("export", "Write a graph as a CAR archive.")
    .arguments(&[Argument::required("root", "CID of the graph's root.")])
    .options(&[
        OptionDef::bool(&["progress", "p"], "Show progress. On by default in a terminal."),
        OptionDef::bool(&["local-only"], "Leave out what is not here, and ask nobody for it."),
    ]);

const IMPORT: Command = Command::new("import", "Read CAR archives and pin their roots.")
    .help("All blocks of an archive are stored; those below no pin may be collected later.")
    .arguments(&[Argument::file("path", "CAR archives, of version 1 or 2.").variadic().stdin()])
    .options(&[
        OptionDef::bool(&["pin-roots"], "Pin the roots that the archives name.").default("true"),
        OptionDef::bool(&["local-only"], "Take archives of incomplete graphs. Implies --pin-roots=false."),
        OptionDef::bool(&["silent"], "Print nothing."),
        OptionDef::bool(&["stats"], "Print how many blocks and bytes were read."),
        ALLOW_BIG_BLOCK,
    ]);

const STAT: Command = Command::new("stat", "Count the blocks and bytes of graphs.")
    .arguments(&[Argument::required("root", "CIDs of the graphs' roots.").variadic().stdin()])
    .options(&[OptionDef::bool(&["progress", "p"], "Show progress. On by default in a terminal.")]);

const RESOLVE: Command = Command::new("resolve", "Print the CID that a path leads to.")
    .arguments(&[Argument::required("ref", "Path to follow.").stdin()]);

/// A node that was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DagPut {
    /// Its Cid.
    pub cid: LinkJson,
}

/// One line of an import: a root, or the counts at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DagImported {
    /// A root that was to be pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<ImportedRoot>,
    /// What was read in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<ImportStats>,
}

/// A root of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImportedRoot {
    /// Its Cid.
    pub cid: LinkJson,
    /// Why it could not be pinned; empty where it was.
    pub pin_error_msg: String,
}

/// What an import has read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImportStats {
    /// Blocks.
    pub block_count: u64,
    /// Their bytes.
    pub block_bytes_count: u64,
}

/// Counts over all Dags that were asked for. What is zero is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DagStatSummary {
    /// Different blocks.
    #[serde(skip_serializing_if = "is_zero")]
    pub unique_blocks: u64,
    /// Their bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub total_size: u64,
    /// Bytes that more than one Dag holds, each time beyond the first.
    #[serde(skip_serializing_if = "is_zero")]
    pub shared_size: u64,
    /// Bytes of all Dags by themselves, divided by the bytes of their different blocks.
    #[serde(skip_serializing_if = "is_zero_f32")]
    pub ratio: f32,
    /// One count for each Dag.
    #[serde(rename = "DagStats", skip_serializing_if = "Vec::is_empty")]
    pub dag_stats: Vec<DagStat>,
}

/// Counts of one Dag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DagStat {
    /// Its root.
    pub cid: String,
    /// Its bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub size: u64,
    /// Its blocks.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_blocks: u64,
}

/// Where a path leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DagResolved {
    /// The block it ends in.
    pub cid: LinkJson,
    /// What is left of it inside that block.
    pub rem_path: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero_f32(value: &f32) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str, value: &impl Serialize) {
        assert_eq!(serde_json::to_string(value).unwrap(), text);
    }

    #[test]
    fn replies_look_as_the_reference_node_writes_them() {
        let root = r#"{"Root":{"Cid":{"/":"QmV"},"PinErrorMsg":""}}"#;
        same(root, &serde_json::from_str::<DagImported>(root).unwrap());
        let stats = r#"{"Stats":{"BlockCount":3,"BlockBytesCount":124}}"#;
        same(stats, &serde_json::from_str::<DagImported>(stats).unwrap());
        let summary = concat!(
            r#"{"UniqueBlocks":3,"TotalSize":124,"SharedSize":20,"Ratio":1.1612903,"#,
            r#""DagStats":[{"Cid":"QmV","Size":124,"NumBlocks":3}]}"#
        );
        same(summary, &serde_json::from_str::<DagStatSummary>(summary).unwrap());
        let resolved = r#"{"Cid":{"/":"QmT"},"RemPath":""}"#;
        same(resolved, &serde_json::from_str::<DagResolved>(resolved).unwrap());
    }
}
