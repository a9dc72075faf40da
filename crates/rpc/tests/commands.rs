//! Commands on a real node, in the same process: what they answer is what the reference node answers.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Read;

use serde_json::json;
use support::Fixture;

const HELLO: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
const MISSING: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

async fn with_hello() -> Fixture {
    let fixture = Fixture::offline().await;
    let lines = fixture.call("add", &[("hello.txt", b"hello world\n")]).await.lines();
    assert_eq!(lines, [json!({"Name": "hello.txt", "Hash": HELLO, "Size": "20"})]);
    fixture
}

#[tokio::test]
async fn what_is_added_is_read_listed_pinned_and_resolved() {
    let fixture = with_hello().await;
    let cat = fixture.call(&format!("cat?arg={HELLO}"), &[]).await;
    assert_eq!(cat.text(), "hello world\n");
    assert_eq!(cat.headers["x-content-length"], "12");
    assert_eq!(cat.headers["x-stream-output"], "1");
    assert_eq!(fixture.call(&format!("cat?arg={HELLO}&offset=2&length=3"), &[]).await.text(), "llo");
    assert_eq!(
        fixture.call(&format!("cat?arg={HELLO}&arg={HELLO}&offset=12&l=5"), &[]).await.text(),
        "hello"
    );

    let pins = fixture.call("pin/ls", &[]).await;
    assert_eq!(
        pins.text(),
        format!("{{\"Keys\":{{\"{HELLO}\":{{\"Type\":\"recursive\",\"Name\":\"\"}}}}}}\n")
    );
    let lines = fixture.call("pin/ls?stream=true", &[]).await.lines();
    assert_eq!(lines, [json!({"Cid": HELLO, "Type": "recursive"})]);

    let stat = fixture.call(&format!("block/stat?arg={HELLO}"), &[]).await.json();
    assert_eq!(stat, json!({"Key": HELLO, "Size": 20}));
    let resolved = fixture.call(&format!("resolve?arg={HELLO}"), &[]).await.json();
    assert_eq!(resolved, json!({"Path": format!("/ipfs/{HELLO}")}));
    let node = fixture.call(&format!("dag/get?arg={HELLO}"), &[]).await.json();
    assert_eq!(node, json!({"Data": {"/": {"bytes": "CAISDGhlbGxvIHdvcmxkChgM"}}, "Links": []}));
}

#[tokio::test]
async fn folders() {
    let fixture = Fixture::offline().await;
    let files: [(&str, &[u8]); 5] = [
        ("dir/", b""),
        ("dir/a.txt", b"a\n"),
        ("dir/sub/", b""),
        ("dir/sub/deep.txt", b"deep\n"),
        ("dir/empty/", b""),
    ];
    let lines = fixture.call("add?progress=true&wrap-with-directory=true", &files).await.lines();
    let names: Vec<_> =
        lines.iter().filter(|line| line["Hash"].is_string()).map(|line| line["Name"].clone()).collect();
    assert_eq!(names.last().unwrap(), "");
    assert!(names.contains(&json!("dir/sub/deep.txt")) && names.contains(&json!("dir/empty")), "{names:?}");
    assert!(lines.contains(&json!({"Name": "dir/a.txt", "Bytes": 2})), "{lines:?}");

    let root = lines.last().unwrap()["Hash"].as_str().unwrap();
    let listing = fixture.call(&format!("ls?arg={root}/dir"), &[]).await.json();
    let object = &listing["Objects"][0];
    assert_eq!(object["Hash"], format!("{root}/dir"));
    let kinds: Vec<_> =
        object["Links"].as_array().unwrap().iter().map(|link| (&link["Name"], &link["Type"])).collect();
    assert_eq!(
        kinds,
        [(&json!("a.txt"), &json!(2)), (&json!("empty"), &json!(1)), (&json!("sub"), &json!(1))]
    );
    assert_eq!(object["Links"][0]["Size"], 2);
    assert_eq!(fixture.call(&format!("ls?stream=true&arg={root}/dir"), &[]).await.lines().len(), 3);

    let edges =
        fixture.call(&format!("refs?arg={root}&recursive=true&format=%3Clinkname%3E"), &[]).await.lines();
    let names: Vec<_> = edges.iter().map(|line| line["Ref"].as_str().unwrap()).collect();
    assert_eq!(names, ["dir", "a.txt", "empty", "sub", "deep.txt"]);
    assert_eq!(fixture.call(&format!("refs/{root}"), &[]).await.lines().len(), 1);

    let tar = fixture.call(&format!("get?arg={root}/dir"), &[]).await;
    assert_eq!(tar.headers["content-type"], "application/x-tar");
    let mut archive = tar::Archive::new(tar.body.as_slice());
    let mut found: Vec<(String, String)> = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        found.push((entry.path().unwrap().to_str().unwrap().to_owned(), text));
    }
    assert!(found.contains(&("dir/a.txt".into(), "a\n".into())), "{found:?}");
    assert!(found.contains(&("dir/sub/deep.txt".into(), "deep\n".into())), "{found:?}");

    let sub = fixture.call(&format!("dag/resolve?arg={root}/dir/sub"), &[]).await.json();
    assert_eq!(sub["RemPath"], "");
    let weight = fixture.call(&format!("dag/stat?progress=false&arg={root}"), &[]).await.lines();
    assert_eq!(weight[0]["UniqueBlocks"], 6);
}

#[tokio::test]
async fn archives_go_out_and_come_in() {
    let fixture = with_hello().await;
    let exported = fixture.call(&format!("dag/export?arg={HELLO}"), &[]).await;
    assert_eq!(exported.headers["content-type"], "application/vnd.ipld.car");
    let other = Fixture::offline().await;
    let lines = other.call("dag/import?stats=true", &[("x.car", &exported.body)]).await.lines();
    assert_eq!(
        lines,
        [
            json!({"Root": {"Cid": {"/": HELLO}, "PinErrorMsg": ""}}),
            json!({"Stats": {"BlockCount": 1, "BlockBytesCount": 20}}),
        ]
    );
    assert_eq!(other.call(&format!("cat?arg={HELLO}"), &[]).await.text(), "hello world\n");
    let torn = &exported.body[..exported.body.len() - 3];
    let refused = other.call("dag/import", &[("x.car", torn)]).await;
    assert!(!refused.message().is_empty());
}

#[tokio::test]
async fn blocks_and_nodes() {
    let fixture = Fixture::offline().await;
    let lines = fixture.call("block/put", &[("a", b"hello world\n"), ("b", b"x")]).await.lines();
    let raw = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4";
    assert_eq!(lines[0], json!({"Key": raw, "Size": 12}));
    assert_eq!(lines.len(), 2);
    let got = fixture.call(&format!("block/get?arg={raw}"), &[]).await;
    assert_eq!(
        (got.text().as_str(), &got.headers["content-type"]),
        ("hello world\n", &"application/vnd.ipld.raw".parse().unwrap())
    );
    let removed = fixture.call(&format!("block/rm?arg={raw}&arg={MISSING}"), &[]).await.lines();
    assert_eq!(removed[0], json!({"Hash": raw}));
    assert_eq!(removed[1], json!({"Hash": MISSING, "Error": format!("ipld: could not find {MISSING}")}));
    let big = vec![0; 2 * 1024 * 1024 + 1];
    assert!(
        fixture
            .call("block/put", &[("big", &big)])
            .await
            .message()
            .starts_with("produced block is over 2MiB")
    );

    let put = fixture.call("dag/put", &[("n.json", br#"{"a":1}"#)]).await.lines();
    let cid = put[0]["Cid"]["/"].as_str().unwrap().to_owned();
    assert_eq!(cid, "bafyreihltcnuuyqp2jm24aqydpnlj7b6w3ogwrplomrjtg5rifv44mmjey");
    assert_eq!(fixture.call(&format!("dag/get?arg={cid}/a"), &[]).await.text().trim(), "1");
    let local = fixture.call("refs/local", &[]).await.lines();
    assert_eq!(local.len(), 2, "{local:?}");
}

#[tokio::test]
async fn pins() {
    let fixture = with_hello().await;
    let refused = fixture.call(&format!("pin/add?arg={HELLO}&recursive=false"), &[]).await;
    assert_eq!(refused.message(), format!("pin: {HELLO} already pinned recursively"));
    let named = fixture.call(&format!("pin/add?arg={HELLO}&name=foo&progress=true"), &[]).await.lines();
    assert_eq!(named.last().unwrap(), &json!({"Pins": [HELLO]}));
    assert_eq!(fixture.call("pin/ls?names=true", &[]).await.json()["Keys"][HELLO]["Name"], "foo");
    assert_eq!(fixture.call("pin/ls?name=bar", &[]).await.json(), json!({"Keys": {}}));
    assert_eq!(
        fixture.call("pin/verify?verbose=true", &[]).await.lines(),
        [json!({"Cid": HELLO, "Ok": true})]
    );
    let base32 = fixture.call("pin/ls?cid-base=base32&stream=true", &[]).await.lines();
    assert_eq!(base32[0]["Cid"], "bafybeicg2rebjoofv4kbyovkw7af3rpiitvnl6i7ckcywaq6xjcxnc2mby");
    assert_eq!(fixture.call(&format!("pin/rm?arg={HELLO}"), &[]).await.json(), json!({"Pins": [HELLO]}));
    let again = fixture.call(&format!("pin/rm?arg={HELLO}"), &[]).await;
    assert_eq!(again.message(), "not pinned or pinned indirectly");
    let asked = fixture.call(&format!("pin/ls?arg={MISSING}"), &[]).await;
    assert_eq!(asked.message(), format!("path '{MISSING}' is not pinned"));
    assert_eq!(
        fixture.call("pin/ls?type=nope", &[]).await.message(),
        "invalid type 'nope', must be one of {direct, indirect, recursive, all}"
    );
}

#[tokio::test]
async fn the_repository() {
    let fixture = with_hello().await;
    let stat = fixture.call("repo/stat", &[]).await.json();
    assert_eq!((&stat["NumObjects"], &stat["Version"]), (&json!(1), &json!("fs-repo@18")));
    assert_eq!(fixture.call("stats/repo?size-only=true", &[]).await.json()["RepoPath"], "");
    assert_eq!(fixture.call("repo/version", &[]).await.json(), json!({"Version": "18"}));
    let verified = fixture.call("repo/verify", &[]).await.lines();
    assert_eq!(verified.last().unwrap()["Msg"], "verify complete, all blocks validated.");
    fixture.call(&format!("pin/rm?arg={HELLO}"), &[]).await.json();
    assert_eq!(fixture.call("repo/gc", &[]).await.lines().len(), 1);
    assert_eq!(fixture.call("refs/local", &[]).await.lines(), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn settings() {
    let fixture = Fixture::offline().await;
    let set = fixture.call("config?arg=Discovery.MDNS.Enabled&arg=true&bool=true", &[]).await.json();
    assert_eq!(set, json!({"Key": "Discovery.MDNS.Enabled", "Value": true}));
    assert_eq!(fixture.call("config?arg=Discovery.MDNS.Enabled", &[]).await.json()["Value"], true);
    assert_eq!(
        fixture.call("config?arg=Nope.Nope", &[]).await.message(),
        r#"failed to get config value: "Nope not found""#
    );
    let secret = fixture.call("config?arg=Identity.PrivKey", &[]).await;
    assert_eq!(secret.message(), "cannot show or change private key through API");
    assert!(!fixture.call("config/show", &[]).await.text().contains("PrivKey"));
    assert_eq!(fixture.call("config/profile/apply?arg=nope", &[]).await.message(), "nope is not a profile");
    let dry = fixture.call("config/profile/apply?arg=lowpower&dry-run=true", &[]).await.json();
    assert_ne!(dry["OldCfg"], dry["NewCfg"]);
    assert_eq!(fixture.call("config/show", &[]).await.json(), dry["OldCfg"]);
    let replaced = fixture.call("config/replace", &[("config", br#"{"Addresses":{}}"#)]).await;
    assert_eq!(replaced.text(), "");
    assert_eq!(fixture.call("config/show", &[]).await.json()["Addresses"], json!({}));
}

#[tokio::test]
async fn refusals_read_as_the_reference_node_writes_them() {
    let fixture = with_hello().await;
    for (address, text) in [
        ("cat?arg=notacid", r#"invalid path "notacid": path does not have enough components"#.to_owned()),
        (
            &format!("cat?arg={MISSING}"),
            format!("block was not found locally (offline): ipld: could not find {MISSING}"),
        ),
        (&format!("cat?arg={HELLO}&offset=-1"), "cannot specify negative offset".to_owned()),
        (&format!("dag/get?arg={HELLO}&output-codec=nope"), r#"unknown multicodec: "nope""#.to_owned()),
        (
            &format!("refs?arg={HELLO}&edges=true&format=x"),
            "using format argument with edges is not allowed".to_owned(),
        ),
        ("swarm/peers", "this action must be run in online mode, try running 'ipfs daemon' first".to_owned()),
        ("pin/ls?cid-base=foo", "unsupported multibase encoding: foo".to_owned()),
        (
            &format!("get?arg={HELLO}&compress=true&compression-level=15"),
            "compression level must be between 1 and 9".to_owned(),
        ),
    ] {
        assert_eq!(fixture.call(address, &[]).await.message(), text, "{address}");
    }
    let missing_folder = MISSING.replace("bafkrei", "bafybei");
    assert_eq!(
        fixture.call(&format!("refs?arg={missing_folder}&arg={HELLO}"), &[]).await.lines(),
        [
            json!({"Ref": "", "Err": format!("block was not found locally (offline): ipld: could not find {missing_folder}")})
        ]
    );
    let offline = fixture.call("bitswap/stat", &[]).await;
    assert_eq!(offline.status, 400);
    assert!(offline.message().starts_with("unable to run offline: "));
    let traversal = fixture.call("add", &[("../x", b"")]).await;
    assert_eq!(traversal.message(), r#"invalid file name "..%2Fx""#);
}

#[tokio::test]
async fn arguments_may_come_as_lines_of_an_upload() {
    let fixture = with_hello().await;
    let lines = format!("{HELLO}\n{HELLO}\n");
    assert_eq!(fixture.call("cat", &[("args", lines.as_bytes())]).await.text(), "hello world\n".repeat(2));
}

#[tokio::test]
async fn only_hashing_keeps_nothing_and_failures_pin_nothing() {
    let fixture = Fixture::offline().await;
    let lines = fixture.call("add?only-hash=true", &[("hello.txt", b"hello world\n")]).await.lines();
    assert_eq!(lines[0]["Hash"], HELLO);
    assert!(fixture.call("refs/local", &[]).await.lines().is_empty());
    let refused = fixture.call("add?pin=false&pin-name=x", &[("f", b"x")]).await;
    assert_eq!(refused.message(), "pin-name option requires pin to be set");
    assert_eq!(fixture.call("pin/ls", &[]).await.json(), json!({"Keys": {}}));
}

#[tokio::test]
async fn the_node_and_its_network() {
    let fixture = Fixture::open(true, ipse_rpc::ServiceOptions::default()).await;
    let other = Fixture::open(true, ipse_rpc::ServiceOptions::default()).await;
    let id = other.call("id", &[]).await.json();
    let peer = id["ID"].as_str().unwrap();
    assert!(id["PublicKey"].as_str().unwrap().starts_with("CAES"));
    let local = other.call("swarm/addrs/local?id=true", &[]).await.json();
    let address = local["Strings"][0].as_str().unwrap();
    assert_eq!(fixture.call("swarm/peers", &[]).await.text(), "{\"Peers\":null}\n");
    let connected = fixture.call(&format!("swarm/connect?arg={address}"), &[]).await.json();
    assert_eq!(connected, json!({"Strings": [format!("connect {peer} success")]}));
    let peers = fixture.call("swarm/peers?direction=true", &[]).await.json();
    assert_eq!((&peers["Peers"][0]["Peer"], &peers["Peers"][0]["Direction"]), (&json!(peer), &json!(2)));
    let pings = fixture.call(&format!("ping?arg={peer}&count=1"), &[]).await.lines();
    assert_eq!(pings[0]["Text"], format!("PING {peer}."));
    assert!(pings[1]["Time"].as_u64().unwrap() > 0, "{pings:?}");
    assert!(pings[2]["Text"].as_str().unwrap().starts_with("Average latency: "), "{pings:?}");

    other.call("add", &[("hello.txt", b"hello world\n")]).await.lines();
    assert_eq!(fixture.call(&format!("cat?arg={HELLO}&timeout=20s"), &[]).await.text(), "hello world\n");
    let stat = fixture.call("bitswap/stat", &[]).await.json();
    assert_eq!(stat["BlocksReceived"], 1, "{stat}");
    let late = fixture.call(&format!("cat?arg={MISSING}&timeout=100ms"), &[]).await;
    assert!(!late.message().is_empty());
    let gone = fixture.call(&format!("swarm/disconnect?arg=/p2p/{peer}"), &[]).await.json();
    assert_eq!(gone["Strings"][0], format!("disconnect {peer} success"));
    let again = fixture.call(&format!("swarm/disconnect?arg=/p2p/{peer}"), &[]).await.json();
    assert_eq!(again["Strings"][0], format!("disconnect {peer} failure: not connected"));
    fixture.node.shutdown().await.unwrap();
    other.node.shutdown().await.unwrap();
}

#[tokio::test]
async fn some_commands_need_no_repository() {
    let service = ipse_rpc::Service::without_node(ipse_rpc::ServiceOptions::default());
    for (address, status) in [("version", 200), ("commands", 200), ("cid/bases", 200), ("pin/ls", 500)] {
        let request = hyper::Request::post(format!("/api/v0/{address}"));
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(service.call(request).await.status(), status, "{address}");
    }
}
