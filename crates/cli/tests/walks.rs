//! Commands over many blocks and pins, through the real program.

mod common;

use common::Home;

/// A home with a folder of many small files, and the folder's CID.
fn filled() -> (Home, String) {
    let home = Home::new();
    for number in 0..300 {
        home.write(&format!("many/{}/{number}", number % 7), format!("file {number}"));
    }
    let cid = home.ipfs(&["add", "-Qr", "--cid-version=1", "many"]).good();
    (home, cid.trim().to_owned())
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_folder_is_counted_listed_and_pinned_as_a_whole() {
    let (home, cid) = filled();
    let _daemon = home.daemon();
    let refs = home.ipfs(&["refs", "-r", "-u", &cid]).good();
    assert_eq!(refs.lines().count(), 307);
    let stat = home.ipfs(&["dag", "stat", "--progress=false", &cid]).good();
    assert!(stat.contains("Unique Blocks: 308"), "{stat}");

    let indirect = home.ipfs(&["pin", "ls", "--type=indirect", "-q"]).good();
    assert_eq!(lines(&indirect), lines(&refs));
    assert_eq!(home.ipfs(&["pin", "ls"]).good().lines().count(), 308);
    let pinned = home.ipfs_with(&["pin", "add", "-r=false"], refs.as_bytes()).good();
    assert_eq!(pinned.lines().count(), 307);
    assert_eq!(home.ipfs(&["pin", "ls", "--type=indirect"]).good(), "");
    let direct = home.ipfs(&["pin", "ls", "--type=direct", "-q"]).good();
    assert_eq!(lines(&direct), lines(&refs));
    // One document, as clients that don't ask for a stream get it.
    let keys = home.ipfs(&["pin", "ls", "--enc=json"]).good();
    assert!(keys.starts_with(r#"{"Keys":{""#) && keys.ends_with("}}\n"), "{keys}");
    assert_eq!(keys.matches(r#"{"Type":"direct","Name":""}"#).count(), 307);
    home.ipfs_with(&["pin", "rm"], refs.as_bytes()).good();
    home.ipfs(&["pin", "rm", &cid]).good();
    assert_eq!(home.ipfs(&["pin", "ls"]).good(), "");
    assert_eq!(home.ipfs(&["pin", "ls", "--enc=json"]).good(), "{\"Keys\":{}}\n");
}

#[test]
fn pins_are_set_and_removed_in_parts_each_acknowledged_by_itself() {
    let (home, cid) = filled();
    let daemon = home.daemon();
    let refs = home.ipfs(&["refs", "-r", "-u", &cid]).good();
    // More bytes of paths than one request is about.
    let long = |cid: &str| format!("/ipfs/{cid}{}\n", "/".repeat(15_000));
    let paths: String = refs.lines().map(long).collect();
    let told = home.ipfs_with(&["pin", "add", "-r=false", "--enc=json"], paths.as_bytes()).good();
    assert_eq!(told.lines().count(), 2, "{told}");
    // What is named twice, however far apart, is removed once.
    let twice = paths.clone() + &paths;
    let removed = home.ipfs_with(&["pin", "rm"], twice.as_bytes()).good();
    assert_eq!(removed.lines().count(), 307);
    // The last of all is not here: all before it stay pinned, and those of the first part are told.
    let missing = paths.clone() + &long("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    let failed =
        home.ipfs_with(&["pin", "add", "-r=false", "--offline", "--timeout=60s"], missing.as_bytes());
    assert!(!failed.ok && failed.err.contains("could not find"), "{}", failed.err);
    assert!((1..307).contains(&String::from_utf8_lossy(&failed.out).lines().count()));
    drop(daemon);
    // Without a daemon it is one node for all parts.
    let direct = home.ipfs(&["pin", "ls", "--type=direct", "-q"]).good();
    assert_eq!(lines(&direct), lines(&refs));
    assert_eq!(home.ipfs_with(&["pin", "rm"], paths.as_bytes()).good().lines().count(), 307);
    assert!(home.ipfs_with(&["pin", "add"], b"").bad().contains("required"));
}

#[test]
fn an_archive_of_what_is_here() {
    let (home, cid) = filled();
    let whole = home.ipfs(&["dag", "export", "-p=false", &cid]);
    assert!(whole.ok);
    home.write("whole.car", &whole.out);
    home.ipfs(&["pin", "rm", &cid]).good();
    let refs = home.ipfs(&["refs", "-r", &cid]).good();
    let lost = refs.lines().filter(|line| line.starts_with("bafkrei")).take(3);
    for cid in lost {
        home.ipfs(&["block", "rm", cid]).good();
    }
    assert!(home.ipfs(&["dag", "export", "-p=false", &cid]).bad().contains("could not find"));
    let part = home.ipfs(&["dag", "export", "-p=false", "--local-only", &cid]);
    assert!(part.ok && part.out.len() < whole.out.len());
    home.write("part.car", &part.out);
    let stats = home.ipfs(&["dag", "import", "--local-only", "--stats", "part.car"]).good();
    assert!(stats.contains("Imported 305 blocks"), "{stats}");
    home.ipfs(&["dag", "import", "whole.car"]).good();
    assert_eq!(home.ipfs(&["dag", "export", "-p=false", &cid]).out, whole.out);
}

#[test]
fn what_was_counted_is_told_part_by_part() {
    let (home, cid) = filled();
    let _daemon = home.daemon();
    let written = || {
        let told = home.ipse(&["diag", "hot", "--enc=json"]).good();
        let parts: serde_json::Value = serde_json::from_str(&told).unwrap();
        let counters = parts["store"].as_array().unwrap().clone();
        let written = counters.iter().find(|counter| counter["Name"] == "records_written").unwrap();
        written["Value"].as_u64().unwrap()
    };
    let before = written();
    home.ipse(&["pin", "add", "-r=false", &format!("{cid}/1/8")]).good();
    assert!(written() > before);
    let text = home.ipse(&["diag", "hot"]).good();
    assert!(text.lines().any(|line| line == "store"), "{text}");
    // Every counter stands under its part, all numbers end in one column, and words follow.
    let counters: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
    let end_of_number = |line: &str| {
        let name = line.trim_start().find(' ').unwrap() + 2;
        name + line[name..].find(|letter: char| letter.is_ascii_digit()).unwrap()
            + line[name..].trim_start().find(' ').unwrap()
    };
    assert!(counters.len() > 5);
    assert!(counters.iter().all(|line| end_of_number(line) == end_of_number(counters[0])), "{text}");
}
