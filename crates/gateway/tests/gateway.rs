//! The gateway over a node without a network: what a browser would ask.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{HeaderMap, Method, Request, StatusCode};
use ipse_base::Cid;
use ipse_gateway::{Gateway, GatewayOptions};
use ipse_node::{AddEvent, AddInput, AddOptions, ImportOptions, InitOptions, Metadata, Node, OpenOptions};
use tempfile::TempDir;

struct Site {
    _folder: TempDir,
    gateway: Gateway,
    root: Cid,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

const FILES: &[(&str, &str)] = &[
    ("d/hello.txt", "hello world\n"),
    ("d/a <b>.bin", "\x00\x01"),
    ("d/site/index.html", "<h1>home</h1>"),
    ("d/empty", ""),
];

async fn site() -> Site {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    Node::init(&repository, InitOptions { profiles: "test".into(), ..InitOptions::default() }).unwrap();
    let node = Node::open(&repository, OpenOptions::default()).await.unwrap();
    let mut adding = node
        .add(AddOptions {
            import: ImportOptions::unixfs_v1_2025(),
            wrap: false,
            pin: true,
            pin_name: None,
            only_hash: false,
            progress: false,
            preserve_mode: false,
            preserve_mtime: false,
        })
        .unwrap();
    for (name, data) in FILES {
        let begin = AddInput::File((*name).into(), Metadata::default());
        let data = AddInput::Data(Bytes::from_static(data.as_bytes()));
        adding.input.send(vec![begin, data, AddInput::FileEnd]).await.unwrap();
    }
    adding.input.send(vec![AddInput::Finish]).await.unwrap();
    let mut root = None;
    while let Some(events) = adding.events.recv().await {
        for event in events.unwrap() {
            if let AddEvent::Added { cid, .. } = event {
                root = Some(cid);
            }
        }
    }
    let gateway = Gateway::new(node, GatewayOptions::default());
    Site { _folder: folder, gateway, root: root.unwrap() }
}

impl Site {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path.replace("ROOT", &self.root.to_string()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.gateway.call(request.body(Empty::<Bytes>::new()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_its_headers() {
    let site = site().await;
    let answer = site.get("/ipfs/ROOT/hello.txt").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"hello world\n"[..]));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("content-length"), "12");
    assert_eq!(answer.header("cache-control"), "public, max-age=29030400, immutable");
    assert_eq!(answer.header("x-ipfs-path"), format!("/ipfs/{}/hello.txt", site.root));
    let tag = answer.header("etag").to_owned();

    let head = site.ask(Method::HEAD, "/ipfs/ROOT/hello.txt", &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (StatusCode::OK, "12", 0));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let again = site.ask(Method::GET, "/ipfs/ROOT/hello.txt", &[("if-none-match", &known)]).await;
        assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, tag.as_str()), "{known}");
    }
    let empty = site.get("/ipfs/ROOT/empty").await;
    assert_eq!((empty.status, empty.header("content-length")), (StatusCode::OK, "0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_range() {
    let site = site().await;
    let ranged = async |range: &str| site.ask(Method::GET, "/ipfs/ROOT/hello.txt", &[("range", range)]).await;
    let part = ranged("bytes=6-10").await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"world"[..]));
    assert_eq!(part.header("content-range"), "bytes 6-10/12");
    assert_eq!(ranged("bytes=-6").await.body, "world\n");
    let behind = ranged("bytes=50-").await;
    assert_eq!(
        (behind.status, behind.header("content-range")),
        (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */12")
    );
    let stale = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(site.ask(Method::GET, "/ipfs/ROOT/hello.txt", &stale).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders() {
    let site = site().await;
    let bare = site.get("/ipfs/ROOT/site?x=1").await;
    assert_eq!(bare.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(bare.header("location"), format!("/ipfs/{}/site/?x=1", site.root));
    let index = site.get("/ipfs/ROOT/site/").await;
    assert_eq!((index.status, index.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(index.body, "<h1>home</h1>");
    let listing = site.get("/ipfs/ROOT/").await;
    let page = String::from_utf8(listing.body.to_vec()).unwrap();
    assert!(page.contains("a &lt;b&gt;.bin") && page.contains("/a%20%3Cb%3E.bin"), "{page}");
    assert!(listing.header("etag").starts_with("\"DirIndex-"));
    assert!(!page.contains("<b>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_to_save_under() {
    let site = site().await;
    let answer = site.get("/ipfs/ROOT/hello.txt?filename=%22a%0d%0ab.png&download=true").await;
    assert_eq!(answer.header("content-type"), "image/png");
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"_a__b.png\""), "{disposition}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_status() {
    let site = site().await;
    for (path, status) in [
        ("/ipfs/ROOT/nope", StatusCode::NOT_FOUND),
        ("/ipfs/notacid", StatusCode::BAD_REQUEST),
        ("/ipfs/ROOT/..%2f..", StatusCode::BAD_REQUEST),
        ("/elsewhere", StatusCode::NOT_FOUND),
        ("/ipns/example.org", StatusCode::NOT_IMPLEMENTED),
        ("/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", StatusCode::NOT_FOUND),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, status, "{path}: {:?}", answer.body);
        assert!(!answer.body.is_empty(), "{path}");
    }
    let posted = site.ask(Method::POST, "/ipfs/ROOT/hello.txt", &[]).await;
    assert_eq!(
        (posted.status, posted.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, OPTIONS")
    );
    assert_eq!(site.ask(Method::OPTIONS, "/ipfs/ROOT/", &[]).await.status, StatusCode::NO_CONTENT);
}
