//! The transport, byte by byte over TCP: guards, methods, framing, and what becomes of late failures.

#![allow(clippy::unwrap_used)]

mod support;

use ipse_rpc::{Authorization, ServiceOptions};
use support::{Fixture, Server, multipart};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn server(options: ServiceOptions) -> (Fixture, Server) {
    let fixture = Fixture::open(false, options).await;
    let server = fixture.listen().await;
    (fixture, server)
}

fn status(reply: &str) -> u16 {
    reply.split(' ').nth(1).unwrap().parse().unwrap()
}

fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").unwrap().1
}

fn has_header(reply: &str, line: &str) -> bool {
    let head = reply.split_once("\r\n\r\n").unwrap().0;
    head.lines().any(|header| header.eq_ignore_ascii_case(line))
}

#[tokio::test]
async fn methods_and_unknown_commands() {
    let (_fixture, server) = server(ServiceOptions { port: Some(5001), ..ServiceOptions::default() }).await;
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let reply = server.ask(method, "/api/v0/version", "").await;
        assert_eq!(status(&reply), 405, "{method}");
        assert!(has_header(&reply, "Allow: OPTIONS, POST"), "{reply}");
    }
    let reply = server.ask("GET", "/api/v0/version", "").await;
    assert_eq!(body(&reply), "405 - Method Not Allowed\n");
    for path in ["/api/v0/nosuch", "/api/v0/", "/api/v0/daemon", "/api/v0/config/edit", "/", "/api/v1/id"] {
        let reply = server.ask("POST", path, "").await;
        assert_eq!((status(&reply), body(&reply)), (404, "404 page not found\n"), "{path}");
    }
    assert_eq!(status(&server.ask("POST", "/api/v0", "").await), 307);
    let plain = server.ask("OPTIONS", "/api/v0/id", "").await;
    assert!(status(&plain) == 204 && has_header(&plain, "Allow: OPTIONS, POST"), "{plain}");
    let preflight = server
        .ask(
            "OPTIONS",
            "/api/v0/id",
            "Origin: http://localhost:5001\r\nAccess-Control-Request-Method: POST\r\n",
        )
        .await;
    assert_eq!(status(&preflight), 204);
    assert!(has_header(&preflight, "Access-Control-Allow-Origin: http://localhost:5001"), "{preflight}");
    server.stop().await;
}

#[tokio::test]
async fn pages_browsers_and_other_versions() {
    let (_fixture, server) = server(ServiceOptions { port: Some(5001), ..ServiceOptions::default() }).await;
    for (headers, expected) in [
        ("Origin: http://localhost:5001\r\n", 200),
        ("Origin: http://evil\r\n", 403),
        ("Referer: http://evil/x\r\n", 403),
        ("Referer: http://127.0.0.1:5001/webui\r\n", 200),
        ("User-Agent: Mozilla/5.0\r\n", 403),
        ("User-Agent: Mozilla/5.0 Electron/1\r\n", 200),
        ("User-Agent: /kubo/0.30.0/\r\n", 400),
        ("User-Agent: /kubo/0.44.0/\r\n", 200),
    ] {
        let reply = server.ask("POST", "/api/v0/repo/version", headers).await;
        assert_eq!(status(&reply), expected, "{headers}");
    }
    let reply = server.ask("POST", "/api/v0/repo/version", "Origin: http://evil\r\n").await;
    assert_eq!(body(&reply), "403 - Forbidden\n");
    let version = server.ask("POST", "/api/v0/version", "User-Agent: /kubo/0.30.0/\r\n").await;
    assert_eq!(status(&version), 200);
    assert!(has_header(&version, "Server: kubo/0.44.0") && body(&version).contains("\"Version\":\"0.44.0\""));
    assert_eq!(status(&server.ask("GET", "/webui", "").await), 302);
    assert_eq!(status(&server.ask("GET", "/webui/", "").await), 200);
    server.stop().await;
}

#[tokio::test]
async fn tokens_open_only_their_paths() {
    let authorization = Authorization::new("bearer:t", vec!["/api/v0/pin".into()]).unwrap();
    let (_fixture, server) =
        server(ServiceOptions { authorizations: vec![authorization], ..ServiceOptions::default() }).await;
    for (path, headers, expected) in [
        ("/api/v0/pin/ls", "Authorization: Bearer t\r\n", 200),
        ("/api/v0/version", "Authorization: Bearer t\r\n", 200),
        ("/api/v0/repo/stat", "Authorization: Bearer t\r\n", 403),
        ("/api/v0/pin/ls", "Authorization: Bearer x\r\n", 403),
        ("/api/v0/version", "", 403),
    ] {
        assert_eq!(status(&server.ask("POST", path, headers).await), expected, "{path} {headers}");
    }
    server.stop().await;
}

#[tokio::test]
async fn malformed_requests_are_plain_text() {
    let (_fixture, server) = server(ServiceOptions::default()).await;
    for (path, text) in [
        ("cat", "argument \"ipfs-path\" is required\n"),
        ("add", "file argument 'path' is required\n"),
        ("cat?arg=x&offset=1&offset=2", "expected key offset to have only a single value, received [1 2]\n"),
        ("cat?arg=x&offset=1&o=2", "duplicate command options were provided (\"offset\" and \"o\")\n"),
        ("pin/ls?encoding=bogus", "invalid encoding: bogus\n"),
    ] {
        let reply = server.ask("POST", &format!("/api/v0/{path}"), "").await;
        assert_eq!((status(&reply), body(&reply)), (400, text), "{path}");
        assert!(has_header(&reply, "Content-Type: text/plain; charset=utf-8"), "{reply}");
    }
    let silent = server.ask("POST", "/api/v0/pin/ls?timeout=abc", "").await;
    assert_eq!((status(&silent), body(&silent)), (200, ""));
    server.stop().await;
}

/// A reply whose first file is whole and whose second one lacks a block.
async fn half_broken(fixture: &Fixture) -> String {
    let mut cids = Vec::new();
    for (name, content) in [("a", vec![1; 100_000]), ("b", vec![2; 600_000])] {
        let lines = fixture.call("add?pin=false&cid-version=1", &[(name, &content)]).await.lines();
        cids.push(lines[0]["Hash"].as_str().unwrap().to_owned());
    }
    let leaves = fixture.call(&format!("refs?arg={}", cids[1]), &[]).await.lines();
    let leaf = leaves[1]["Ref"].as_str().unwrap();
    fixture.call(&format!("block/rm?arg={leaf}"), &[]).await.lines();
    format!("/api/v0/cat?arg={}&arg={}", cids[0], cids[1])
}

#[tokio::test]
async fn a_late_failure_is_a_trailer_for_those_who_take_trailers() {
    let (fixture, server) = server(ServiceOptions::default()).await;
    let path = half_broken(&fixture).await;
    let reply = server.ask("POST", &path, "TE: trailers\r\n").await;
    assert_eq!(status(&reply), 200);
    assert!(has_header(&reply, "Trailer: X-Stream-Error"), "{}", &reply[..400]);
    let end = &reply[reply.len() - 200..];
    let trailer = end.split("\r\n0\r\n").nth(1).expect("the last chunk");
    assert!(trailer.to_lowercase().starts_with("x-stream-error: block was not found locally"), "{trailer}");
    server.stop().await;
}

#[tokio::test]
async fn a_late_failure_breaks_the_connection_of_all_others() {
    let (fixture, server) = server(ServiceOptions::default()).await;
    let path = half_broken(&fixture).await;
    let reply = server.ask("POST", &path, "").await;
    assert_eq!(status(&reply), 200);
    assert!(body(&reply).len() > 100_000, "what was there before the failure has arrived");
    assert!(!reply.ends_with("0\r\n\r\n"), "a clean end would look like success");
    server.stop().await;
}

#[tokio::test]
async fn lines_come_while_the_command_runs() {
    let (_fixture, server) = server(ServiceOptions::default()).await;
    let (content_type, body) = multipart(&[("a", b"first"), ("b", b"second"), ("c", &vec![7; 300_000])]);
    let head = format!(
        "POST /api/v0/add HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (early, late) = body.split_at(body.len() - 1000);
    stream.write_all(early).await.unwrap();
    let mut reply = Vec::new();
    while !String::from_utf8_lossy(&reply).contains("\"Name\":\"a\"") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&reply));
        reply.extend_from_slice(&buffer[..read]);
    }
    stream.write_all(late).await.unwrap();
    stream.read_to_end(&mut reply).await.unwrap();
    let reply = String::from_utf8_lossy(&reply);
    assert!(has_header(&reply, "Connection: close"), "the reply began before the request ended: {reply}");
    assert!(has_header(&reply, "X-Chunked-Output: 1") && reply.contains("\"Name\":\"c\""), "{reply}");
    assert!(reply.ends_with("0\r\n\r\n"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn a_caller_that_leaves_in_an_upload_pins_nothing() {
    let (fixture, server) = server(ServiceOptions::default()).await;
    let (content_type, body) = multipart(&[("a", &vec![7; 300_000])]);
    let head = format!(
        "POST /api/v0/add HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..body.len() - 100]).await.unwrap();
    drop(stream);
    server.stop().await;
    let pins = fixture.call("pin/ls", &[]).await.json();
    assert_eq!(pins, serde_json::json!({"Keys": {}}));
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let (_fixture, server) = server(ServiceOptions::default()).await;
    let one = "POST /api/v0/version HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let last = "POST /api/v0/version HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let replies = server.raw(format!("{one}{one}{last}").as_bytes()).await;
    assert_eq!(String::from_utf8_lossy(&replies).matches("HTTP/1.1 200 OK").count(), 3);
    server.stop().await;
}

#[tokio::test]
async fn shutdown_answers_and_asks_the_node_to_stop() {
    let (fixture, server) = server(ServiceOptions::default()).await;
    assert_eq!(status(&server.ask("POST", "/api/v0/shutdown", "").await), 200);
    tokio::time::timeout(std::time::Duration::from_secs(5), fixture.node.stop_requested()).await.unwrap();
    server.stop().await;
}
