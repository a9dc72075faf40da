//! The Cids that the reference node gives to a table of inputs and options, and ours. The inputs are made
//! here, by the recipes that the table was recorded with; the table lies beside the project, so without it
//! the test says SKIP.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use ipse_base::{HashCode, Multihash, Version};
use ipse_unixfs::{Added, Chunker, DirectoryBuilder, FileWriter, ImportOptions, Mtime, Naming, symlink};

/// Rows of the table that the first release has to get right.
const CORE_ROWS: usize = 110;
/// Mode and time of everything in the recipes.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o755;
const TIME: Mtime = (1_600_000_000, 123_456_789);

/// The first `size` bytes of SHA-256("SEED/NAME/0") || SHA-256("SEED/NAME/1") || …
fn stream(seed: &str, name: &str, size: usize) -> Bytes {
    let mut out = Vec::with_capacity(size + 32);
    let mut text = format!("{seed}/{name}/");
    let prefix = text.len();
    for index in 0.. {
        if out.len() >= size {
            break;
        }
        text.truncate(prefix);
        write!(text, "{index}").unwrap();
        out.extend_from_slice(Multihash::digest_of(HashCode::SHA2_256, text.as_bytes()).unwrap().digest());
    }
    out.truncate(size);
    out.into()
}

#[derive(Clone)]
enum Input {
    File(Bytes),
    Symlink(&'static str),
    Folder(BTreeMap<String, Input>),
}

fn small_folder(seed: &str) -> Input {
    let text = |text: &'static str| Input::File(Bytes::from_static(text.as_bytes()));
    let leaf = Input::File(stream(seed, "leaf", 300_000));
    let deep = Input::Folder(BTreeMap::from([("leaf.bin".to_owned(), leaf)]));
    let empty = Input::Folder(BTreeMap::new());
    let sub = Input::Folder(BTreeMap::from([("deep".to_owned(), deep), ("empty".to_owned(), empty)]));
    let mut entries = BTreeMap::from([
        ("sub".to_owned(), sub),
        ("naïve – ünïcode 文件.txt".to_owned(), text("unicode name")),
        (".hidden".to_owned(), text("hidden")),
        ("with space%20 and +.txt".to_owned(), text("odd")),
        ("link".to_owned(), Input::Symlink("file-1.txt")),
    ]);
    for index in 0..7 {
        let content = stream(seed, &format!("s{index}"), 100 * index);
        entries.insert(format!("file-{index}.txt"), Input::File(content));
    }
    Input::Folder(entries)
}

fn large_folder(seed: &str, count: usize) -> Input {
    let entry = |index: usize| {
        let name = format!("entry-{index:05}-{}", "x".repeat(index % 23));
        (name, Input::File(stream(seed, &format!("e{index}"), index % 40)))
    };
    Input::Folder((0..count).map(entry).collect())
}

fn input(seed: &str, name: &str) -> Input {
    match name {
        "repetitive" => Input::File(stream(seed, "unit", 5000).repeat(700).into()),
        "zeros" => Input::File(vec![0; 5_000_000].into()),
        "dir-small" => small_folder(seed),
        "dir-3000" => large_folder(seed, 3000),
        "dir-8000" => large_folder(seed, 8000),
        _ => Input::File(stream(seed, name, name[1..].parse().unwrap())),
    }
}

/// What the options of `add` say.
#[derive(Default)]
struct Add {
    naming: Naming,
    chunker: Option<usize>,
    file_links: Option<usize>,
    directory_links: Option<usize>,
    fanout: Option<u64>,
    inline: bool,
    inline_limit: Option<usize>,
    mode: Option<u32>,
    seconds: Option<i64>,
    nanos: u32,
    preserve_mode: bool,
    preserve_mtime: bool,
    hidden: bool,
    dereference: bool,
    wrap: bool,
}

impl Add {
    /// Nothing for options of what is not built yet: other layouts, chunkers and hash functions.
    fn parse(options: &str) -> Option<Self> {
        let mut add = Self::default();
        for option in options.split_whitespace() {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "--cid-version" => {
                    add.naming.cid_version = Some(if value == "0" { Version::V0 } else { Version::V1 });
                }
                "--hash" => {
                    add.naming.hash = Some(HashCode::from_name(value).filter(|hash| hash.is_computable())?);
                }
                "--raw-leaves" => add.naming.raw_leaves = Some(value != "false"),
                "--chunker" => {
                    let Chunker::Size(bytes) = Chunker::parse(value).ok()?;
                    add.chunker = Some(bytes);
                }
                "--max-file-links" => add.file_links = value.parse().ok(),
                "--max-directory-links" => add.directory_links = value.parse().ok(),
                "--max-hamt-fanout" => add.fanout = value.parse().ok(),
                "--inline" => add.inline = true,
                "--inline-limit" => add.inline_limit = value.parse().ok(),
                "--mode" => add.mode = u32::from_str_radix(value, 8).ok(),
                "--mtime" => add.seconds = value.parse().ok(),
                "--mtime-nsecs" => add.nanos = value.parse().unwrap(),
                "--preserve-mode" => add.preserve_mode = true,
                "--preserve-mtime" => add.preserve_mtime = true,
                "-H" => add.hidden = true,
                "--dereference-symlinks" => add.dereference = true,
                "-w" => add.wrap = true,
                "-r" => {}
                "--trickle" => return None,
                other => panic!("{other} is new in the table"),
            }
        }
        add.naming.metadata =
            add.mode.is_some() || add.seconds.is_some() || add.preserve_mode || add.preserve_mtime;
        Some(add)
    }

    fn import(&self, mode: Option<u32>) -> ImportOptions {
        let legacy = ImportOptions::unixfs_v0_2015();
        let options = ImportOptions {
            chunk_bytes: self.chunker.unwrap_or(legacy.chunk_bytes),
            file_links_max: self.file_links.unwrap_or(legacy.file_links_max),
            directory_links_max: self.directory_links.unwrap_or(0),
            hamt_fanout: self.fanout.unwrap_or(legacy.hamt_fanout),
            inline_limit: self.inline.then(|| self.inline_limit.unwrap_or(32)),
            mode: if self.preserve_mode { mode } else { self.mode },
            mtime: if self.preserve_mtime {
                Some(TIME)
            } else {
                self.seconds.map(|seconds| (seconds, self.nanos))
            },
            ..legacy
        };
        options.with_naming(self.naming).unwrap()
    }

    /// The table was recorded without storing. The reference node then makes the folder at the top with the
    /// usual limits, whatever was asked for.
    fn import_folder(&self, is_top: bool) -> ImportOptions {
        let options = self.import(Some(FOLDER_MODE));
        if !is_top {
            return options;
        }
        ImportOptions { directory_links_max: 0, hamt_fanout: 256, ..options }
    }

    fn add(&self, name: &str, input: &Input) -> Added {
        let added = self.add_input(input, true);
        if !self.wrap {
            return added;
        }
        let plain = ImportOptions { mode: None, mtime: None, ..self.import_folder(true) };
        let mut wrapper = DirectoryBuilder::new(plain).unwrap();
        wrapper.insert(name, added).unwrap();
        wrapper.finish().unwrap().0
    }

    fn add_input(&self, input: &Input, is_top: bool) -> Added {
        match input {
            Input::File(content) => {
                let mut writer = FileWriter::new(self.import(Some(FILE_MODE))).unwrap();
                writer.write(content.clone()).unwrap();
                writer.finish().unwrap().0
            }
            Input::Symlink(target) => symlink(&self.import(None), target).unwrap().0,
            Input::Folder(entries) => {
                let mut folder = DirectoryBuilder::new(self.import_folder(is_top)).unwrap();
                for (name, input) in entries {
                    if name.starts_with('.') && !self.hidden {
                        continue;
                    }
                    let input = match input {
                        Input::Symlink(target) if self.dereference => &entries[*target],
                        other => other,
                    };
                    folder.insert(name, self.add_input(input, false)).unwrap();
                }
                folder.finish().unwrap().0
            }
        }
    }
}

/// As the recorder's own scope of this name.
fn is_core(options: &str) -> bool {
    const CORE: [&str; 7] =
        ["--cid-version=", "--raw-leaves", "--chunker=size-", "--hash=sha2-", "--hash=blake3", "-w", "-r"];
    options
        .split_whitespace()
        .all(|option| option == "--max-file-links=1024" || CORE.iter().any(|start| option.starts_with(start)))
}

#[test]
fn names_are_those_of_the_reference_node() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/import");
    let Ok(table) = std::fs::read_to_string(fixtures.join("reference-cids.tsv")) else {
        println!("SKIP: no recorded table at {}", fixtures.display());
        return;
    };
    let seed = table.lines().find_map(|line| line.strip_prefix("# seed ")).unwrap();
    let mut inputs: HashMap<&str, Input> = HashMap::new();
    let (mut core, mut beyond, mut wrong) = (0, 0, Vec::new());
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [name, options, expected] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let Some(add) = Add::parse(options) else {
            assert!(!is_core(options), "{options}");
            continue;
        };
        *if is_core(options) { &mut core } else { &mut beyond } += 1;
        let input = inputs.entry(name).or_insert_with(|| input(seed, name));
        let actual = add.add(name, input).cid.to_string();
        if actual != expected {
            wrong.push(format!("{name} {options}: {expected} expected, {actual} made"));
        }
    }
    println!("{core} rows of the core and {beyond} beyond it");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(core, CORE_ROWS);
}
