//! Values in, text out: the forms of the recorded output of the reference node.

use bytes::Bytes;
use hyper::body::Frame;
use ipse_api::{
    BitswapStat, CidInspected, ConfigUpdate, DagStatSummary, Identity, Invocation, Ledger, Listing, Peers,
    PinVerified, RepoStat,
};

use super::*;
use crate::answer::tests::{response, wait};
use crate::console::tests::captured;

fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn value<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

const LISTING: &str = r#"{"Objects":[{"Hash":"QmDir","Links":[
    {"Name":"a.txt","Hash":"QmA","Size":2,"Type":2,"Target":""},
    {"Name":"sub","Hash":"QmLonger","Size":0,"Type":1,"Target":""}]}]}"#;

fn listed(query: &str) -> String {
    let mut table = ls::Table::new(&Invocation::from_address("ls", query).unwrap());
    text(|out| table.write(&value::<Listing>(LISTING), out))
}

#[test]
fn folders() {
    assert_eq!(listed("arg=QmDir"), "QmA      2 a.txt\nQmLonger - sub/\n");
    assert_eq!(
        listed("arg=QmDir&headers=true"),
        "Hash     Size Name\nQmA      2    a.txt\nQmLonger -    sub/\n"
    );
    assert_eq!(listed("arg=QmDir&size=false"), "QmA      a.txt\nQmLonger sub/\n");
    assert_eq!(listed("arg=QmDir&arg=x"), "QmDir:\nQmA      2 a.txt\nQmLonger - sub/\n");
    assert_eq!(listed("arg=QmDir&long=true"), "- QmA      2 - a.txt\n- QmLonger - - sub/\n");
}

#[test]
fn sizes_of_a_repository() {
    let stat: RepoStat = value(
        r#"{"RepoSize":204702,"StorageMax":10000000000,"NumObjects":29,"RepoPath":"/r","Version":"fs-repo@18"}"#,
    );
    let written = |query: &str| {
        let invocation = Invocation::from_address("repo/stat", query).unwrap();
        text(|out| repo::write_stat(&stat, &invocation, out))
    };
    assert_eq!(
        written(""),
        "NumObjects: 29\nRepoSize:   204702\nStorageMax: 10000000000\nRepoPath:   /r\nVersion:    fs-repo@18\n"
    );
    assert_eq!(written("human=true&size-only=true"), "RepoSize:   205 kB\nStorageMax: 10 GB\n");
}

#[test]
fn counts_of_a_graph() {
    let summary: DagStatSummary = value(
        r#"{"UniqueBlocks":4,"TotalSize":173,"Ratio":1,"DagStats":[{"Cid":"QmUnAiAWX1fz27JM3YQAH7","Size":173,"NumBlocks":4}]}"#,
    );
    assert_eq!(
        text(|out| dag::summarize(&summary, out)),
        "\nCID                   \tBlocks         \tSize\nQmUnAiAWX1fz27JM3YQAH7\t4              \t173\n\nSummary\n\
         Total Size: 173 (173 B)\nUnique Blocks: 4\nShared Size: 0 (0 B)\nRatio: 1.000000\n\n\n"
    );
}

#[test]
fn the_exchange() {
    let stat: BitswapStat = value(r#"{"Wantlist":[{"/":"QmA"}],"Peers":["P"],"DataReceived":204702}"#);
    let shown = text(|out| bitswap::write_stat(&stat, true, true, out));
    assert_eq!(
        shown,
        "bitswap status\n\tblocks received: 0\n\tblocks sent: 0\n\tdata received: 205 kB\n\tdata sent: 0 B\n\
         \tdup blocks received: 0\n\tdup data received: 0 B\n\twantlist [1 keys]\n\t\tQmA\n\tpartners [1]\n\t\tP\n"
    );
    let ledger: Ledger = value(r#"{"Peer":"P","Value":0.5,"Sent":1,"Recv":2,"Exchanged":3}"#);
    assert_eq!(
        text(|out| bitswap::ledger(&ledger, out)),
        "Ledger for P\nDebt ratio:\t0.500000\nExchanges:\t3\nBytes sent:\t1\nBytes received:\t2\n\n"
    );
}

#[test]
fn peers() {
    let peers: Peers = value(
        r#"{"Peers":[{"Addr":"/ip4/1.2.3.4/tcp/5","Peer":"P","Latency":"3ms","Direction":2,"Streams":[{"Protocol":""}]}]}"#,
    );
    assert_eq!(
        text(|out| swarm::peers(&peers, out)),
        "/ip4/1.2.3.4/tcp/5/p2p/P 3ms outbound\n  <no protocol name>\n"
    );
}

#[test]
fn what_a_cid_says() {
    let cid: CidInspected = value(
        r#"{"cid":"bafk","version":1,"multibase":{"prefix":"b","name":"base32"},"multicodec":{"code":85,"name":"raw"},
            "multihash":{"code":18,"name":"sha2-256","length":32,"digest":"aa"},"cidV1":"bafk"}"#,
    );
    let shown = text(|out| cid::explain(&cid, out));
    assert!(
        shown.contains("Multibase:  base32 (b)\nMulticodec: raw (0x55)\nMultihash:  sha2-256 (0x12)\n"),
        "{shown}"
    );
    assert!(shown.contains("CIDv0:      not possible, requires dag-pb (0x70), got raw (0x55)\n"), "{shown}");
}

#[test]
fn pins_that_miss_something() {
    let pin: PinVerified = value(r#"{"Cid":"Q","BadNodes":[{"Cid":"B","Err":"gone"}]}"#);
    assert_eq!(text(|out| pin::verified(&pin, pin::Quiet(false), out)), "Q broken\n  B: gone\n");
    assert_eq!(text(|out| pin::verified(&pin, pin::Quiet(true), out)), "Q\n");
}

#[test]
fn who_a_node_is() {
    let identity: Identity = value(r#"{"ID":"P","Addresses":["a","b"],"AgentVersion":"v","Protocols":null}"#);
    assert_eq!(id::formatted(&identity, "<id> <aver>\\n<addrs>"), "P v\na\nb");
}

#[test]
fn settings_that_differ() {
    let update: ConfigUpdate =
        value(r#"{"OldCfg":{"A":{"x":1,"y":2}},"NewCfg":{"A":{"x":1,"y":3},"B":true}}"#);
    assert_eq!(text(|out| config::differences(&update, out)), "A.y: 2 -> 3\nB: null -> true\n");
}

#[test]
fn levels_with_and_without_names() {
    let shown = |json: &str| text(|out| log::level(&value(json), out));
    assert_eq!(shown(r#"{"Levels":{"net":"debug"}}"#), "debug\n");
    assert_eq!(shown(r#"{"Levels":{"net":"debug","rpc":"info"}}"#), "net: debug\nrpc: info\n");
    assert_eq!(shown(r#"{"Message":"Changed\n"}"#), "Changed\n");
}

#[test]
fn values_pass_through_as_they_came() {
    let (mut console, out, _) = captured();
    let frames = vec![Frame::data(Bytes::from_static(b"{\"b\":1, \"a\":2}\n{\"x\":1}"))];
    wait(async {
        let mut answer = Answer::new(response(200, "application/json", frames)).await.unwrap();
        raw_lines(&mut answer, &mut console).await.unwrap();
    });
    assert_eq!(out.text(), "{\"b\":1, \"a\":2}\n{\"x\":1}\n");
}
