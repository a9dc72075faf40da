//! Commands without a daemon, in the reference node's words.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Home, tree};

const HELLO: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
const MISSING: &str = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEJ";

/// A folder whose CID is known from the reference node.
fn folder(home: &Home) {
    home.write("hello.txt", "hello world\n");
    home.write("dir/a.txt", "a\n");
    home.write("dir/sub/deep.txt", "deep\n");
    home.write("dir/.hidden", "h\n");
}

const DIR: &str = "QmUnAiAWX1fz27JM3YQAH7w2rc8d9apTFdBngwSP6crQe1";

#[test]
fn version_needs_nothing_and_is_quick() {
    let home = Home::empty();
    assert_eq!(home.ipfs(&["version"]).good(), "ipfs version 0.44.0\n");
    assert!(home.ipse(&["version"]).good().contains("0.44.0"));
    assert!(!home.repository().exists());
    // The best of several: other tests run beside this one. A debug build is far slower than what people run.
    let quickest = (0..20).map(|_| {
        let started = Instant::now();
        home.ipfs(&["version"]).good();
        started.elapsed()
    });
    assert!(quickest.min().unwrap() < Duration::from_millis(100));
}

#[test]
fn a_repository_is_made_once() {
    let home = Home::empty();
    let said = home.ipfs(&["init", "--profile=test"]).good();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "generating ED25519 keypair...done");
    assert!(lines[1].starts_with("peer identity: 12D3Koo"), "{said}");
    assert_eq!(lines[2], format!("initializing IPFS node at {}", home.repository().display()));
    let config = fs::read(home.repository().join("config")).unwrap();
    let again = home.ipfs(&["init"]).bad();
    assert!(again.starts_with("Error: ipfs configuration file already exists!"), "{again}");
    assert_eq!(fs::read(home.repository().join("config")).unwrap(), config);
}

#[test]
fn without_a_repository_commands_say_so() {
    let home = Home::empty();
    home.write("a", "a");
    let refused = home.ipfs(&["add", "a"]).bad();
    assert!(
        refused.starts_with(&format!("Error: no IPFS repo found in {}.", home.repository().display())),
        "{refused}"
    );
    assert!(home.ipse(&["add", "a"]).bad().lines().last().unwrap().starts_with("Hint: "));
    assert_eq!(
        home.ipfs(&["cid", "base32", HELLO]).good(),
        "bafybeicg2rebjoofv4kbyovkw7af3rpiitvnl6i7ckcywaq6xjcxnc2mby\n"
    );
}

#[test]
fn files_and_folders_go_in_and_come_out() {
    let home = Home::new();
    folder(&home);
    assert_eq!(home.ipfs(&["add", "hello.txt"]).good(), format!("added {HELLO} hello.txt\n"));
    assert_eq!(home.ipfs(&["add", "-q", "hello.txt"]).good(), format!("{HELLO}\n"));
    let said = home.ipfs(&["add", "-r", "dir"]).good();
    assert_eq!(
        said,
        format!(
            "added Qmbvkmk9LFsGneteXk3G7YLqtLVME566ho6ibaQZZVHaC9 dir/a.txt\n\
             added QmRSmZi9vaPTEP2y39ZbknpxoXoGRXxiiiwmVQFmTFJEUF dir/sub/deep.txt\n\
             added QmdwdEzoQDbgEhsqPy8fNZS8wzEEXx1R1DsztWnJhV6Fpe dir/sub\nadded {DIR} dir\n"
        )
    );
    assert_eq!(home.ipfs(&["cat", HELLO]).good(), "hello world\n");
    assert_eq!(home.ipfs(&["cat", "-o", "2", "-l3", HELLO]).good(), "llo");
    assert_eq!(home.ipfs(&["cat", &format!("/ipfs/{DIR}/sub/deep.txt")]).good(), "deep\n");
    assert_eq!(
        home.ipfs(&["ls", DIR]).good(),
        "Qmbvkmk9LFsGneteXk3G7YLqtLVME566ho6ibaQZZVHaC9 2 a.txt\n\
         QmdwdEzoQDbgEhsqPy8fNZS8wzEEXx1R1DsztWnJhV6Fpe - sub/\n"
    );
    assert_eq!(home.ipfs(&["get", DIR, "-o", "out"]).good(), "Saving file(s) to out\n");
    let names: Vec<String> =
        tree(&home.path("out")).iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(names, ["a.txt", "sub/deep.txt"]);
    assert_eq!(home.ipfs(&["get", "-a", DIR, "-o", "out.tar"]).good(), "Saving archive to out.tar\n");
    assert!(fs::metadata(home.path("out.tar")).unwrap().len() > 1024);
}

#[test]
fn standard_input_in_place_of_files_and_arguments() {
    let home = Home::new();
    assert_eq!(home.ipfs_with(&["add"], b"hello world\n").good(), format!("added {HELLO} {HELLO}\n"));
    assert_eq!(home.ipfs_with(&["add", "--stdin-name=x", "-w", "-Q"], b"hello world\n").good().len(), 47);
    assert_eq!(
        home.ipfs_with(&["cat"], format!("{HELLO}\n{HELLO}\n").as_bytes()).good(),
        "hello world\nhello world\n"
    );
    assert_eq!(home.ipfs(&["cat"]).bad(), "Error: argument \"ipfs-path\" is required\n");
}

#[test]
fn a_large_file_comes_back_byte_for_byte() {
    let home = Home::new();
    let content: Vec<u8> =
        (0..9_000_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    home.write("large", &content);
    let cid = home.ipfs(&["add", "-Q", "large"]).good();
    let back = home.ipfs(&["cat", cid.trim()]);
    assert!(back.ok && back.out == content);
    home.ipfs(&["get", cid.trim(), "-o", "back"]).good();
    assert!(fs::read(home.path("back")).unwrap() == content);
}

#[test]
fn what_cannot_be_read_is_reported_and_the_rest_goes_on() {
    let home = Home::new();
    folder(&home);
    let _socket = std::os::unix::net::UnixListener::bind(home.path("dir/socket")).unwrap();
    let done = home.ipfs(&["add", "-Qr", "dir"]);
    assert_eq!(done.text(), format!("{DIR}\n"), "{}", done.err);
    assert!(done.bad().starts_with("Error: unrecognized file type for dir/socket"));
    let refused = home.ipfs(&["add", "dir"]).bad();
    assert!(refused.starts_with("Error: 'dir' is a directory, use the '-r' flag to specify directories\n\nUSAGE\n  ipfs add <path>..."), "{refused}");
    assert!(
        home.ipfs(&["add", "missing"]).bad().starts_with("Error: lstat missing: no such file or directory\n")
    );
}

#[test]
fn pins_come_and_go() {
    let home = Home::new();
    folder(&home);
    home.ipfs(&["add", "hello.txt"]).good();
    assert_eq!(home.ipfs(&["pin", "ls", HELLO]).good(), format!("{HELLO} recursive\n"));
    assert_eq!(home.ipfs(&["pin", "rm", HELLO]).good(), format!("unpinned {HELLO}\n"));
    assert_eq!(home.ipfs(&["pin", "rm", HELLO]).bad(), "Error: not pinned or pinned indirectly\n");
    assert_eq!(home.ipfs(&["pin", "add", "--name=x", HELLO]).good(), format!("pinned {HELLO} recursively\n"));
    assert!(home.ipfs(&["pin", "ls", "--names"]).good().contains(&format!("{HELLO} recursive x\n")));
    assert_eq!(
        home.ipfs(&["pin", "ls", "--type=nope"]).bad(),
        "Error: invalid type 'nope', must be one of {direct, indirect, recursive, all}\n"
    );
}

#[test]
fn errors_are_the_reference_nodes_and_hints_are_ours() {
    let home = Home::new();
    folder(&home);
    let text = format!("Error: block was not found locally (offline): ipld: could not find {MISSING}\n");
    assert_eq!(home.ipfs(&["cat", MISSING]).bad(), text);
    let ours = home.ipse(&["cat", MISSING]).bad();
    assert!(ours.starts_with(&text) && ours[text.len()..].starts_with("Hint: "), "{ours}");
    let invalid = "Error: invalid path \"notacid\": path does not have enough components\n";
    assert_eq!(home.ipfs(&["cat", "notacid"]).bad(), invalid);
    assert_eq!(home.ipfs(&["get", "notacid"]).bad(), invalid);
    assert!(!home.path("notacid").exists());
    assert_eq!(
        home.ipfs(&["swarm", "peers"]).bad(),
        "Error: this action must be run in online mode, try running 'ipfs daemon' first\n"
    );
    assert_eq!(home.ipfs(&["shutdown"]).bad(), "Error: daemon not running\n");
    assert_eq!(home.ipfs(&["nosuchcommand"]).bad(), "Error: Unknown Command \"nosuchcommand\"\n\n");
}

#[test]
fn settings_are_read_and_written() {
    let home = Home::new();
    assert_eq!(home.ipfs(&["config", "Addresses.API"]).good(), "/ip4/127.0.0.1/tcp/0\n");
    assert_eq!(home.ipfs(&["config", "--json", "Swarm.ConnMgr.LowWater", "7"]).good(), "");
    assert_eq!(home.ipfs(&["config", "Swarm.ConnMgr.LowWater"]).good(), "7\n");
    assert_eq!(
        home.ipfs(&["config", "Nope.Nope"]).bad(),
        "Error: failed to get config value: \"Nope not found\"\n"
    );
    assert!(
        home.ipfs(&["config", "Identity.PrivKey"])
            .bad()
            .contains("cannot show or change private key through API")
    );
    assert!(!home.ipfs(&["config", "show"]).good().contains("PrivKey"));
}

#[test]
fn help_and_completion_need_no_repository() {
    let home = Home::empty();
    assert!(home.ipfs(&["pin"]).good().starts_with("USAGE\n  ipfs pin - "));
    assert!(home.ipfs(&["add", "--help"]).good().contains("\nOPTIONS\n\n  -r, --recursive"));
    assert!(home.ipse(&["--help"]).good().contains("ipse"));
    assert!(home.ipfs(&["commands"]).good().starts_with("ipfs\nipfs add\n"));
    assert!(home.ipse(&["commands", "completion", "bash"]).good().contains("complete"));
    assert!(!home.repository().exists());
}
