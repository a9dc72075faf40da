//! The local socket spoken byte by byte, by clients that keep to the rules and by others.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as StdStream;

use futures::StreamExt;
use ipse_api::sock::{Entry, EntryHead, ReplyDecoder, ReplyFrame, UPGRADE};
use ipse_node::PinFilter;
use ipse_rpc::{Listener, serve};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use support::Fixture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A node with a local socket that answers until the test ends.
async fn listening() -> Fixture {
    let fixture = Fixture::offline().await;
    let listener = Listener::local(fixture.node.listen_locally().unwrap().unwrap()).unwrap();
    tokio::spawn(serve(listener, fixture.service.clone(), std::future::pending()));
    fixture
}

async fn asked(fixture: &Fixture, upgrade: &str, query: &str) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(fixture.root().join("ipse.sock")).await.unwrap();
    let head = format!(
        "POST /api/v0/add?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: {upgrade}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(answer).unwrap())
}

async fn agreed(fixture: &Fixture) -> UnixStream {
    let (stream, answer) = asked(fixture, UPGRADE, "").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    stream
}

fn head(path: &str) -> EntryHead {
    EntryHead { path: path.into(), ..EntryHead::default() }
}

fn frames(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| entry.write(&mut bytes));
    bytes
}

/// All frames up to the end of the connection.
async fn replied(mut stream: UnixStream) -> Vec<ReplyFrame> {
    let mut bytes = Vec::new();
    // A server that has heard enough may close with bytes unread.
    let _ = stream.read_to_end(&mut bytes).await;
    let mut decoder = ReplyDecoder::default();
    decoder.feed(&bytes);
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

/// What a reply says in words.
fn words(frames: &[ReplyFrame]) -> String {
    let text = frames.iter().map(|frame| match frame {
        ReplyFrame::Head(status, _) => format!("{status}: "),
        ReplyFrame::Data(data) => String::from_utf8_lossy(data).into_owned(),
        ReplyFrame::Failure(message) => format!("failed: {message}"),
        ReplyFrame::End => "end".into(),
    });
    text.collect()
}

/// Sends bytes with descriptors.
async fn hand_over(stream: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    stream.writable().await.unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(descriptors));
    let sent = sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(sent, bytes.len());
}

async fn pins(fixture: &Fixture) -> usize {
    fixture.node.pin_list(PinFilter::All).count().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_known_is_a_request_as_any_other() {
    let fixture = listening().await;
    let (_stream, answer) = asked(&fixture, "ipse-add/999", "").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (_stream, answer) = asked(&fixture, UPGRADE, "encoding=nope").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_descriptor_is_read_in_place() {
    let fixture = listening().await;
    let mut stream = agreed(&fixture).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("f"), vec![7; 1_000_000]).unwrap();
    let mut file = std::fs::File::open(folder.path().join("f")).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(5)).unwrap();
    hand_over(&stream, &frames(&[Entry::Descriptor(head("f"))]), &[file.as_fd()]).await;
    stream.write_all(&frames(&[Entry::Finish])).await.unwrap();
    let told = words(&replied(stream).await);
    assert!(told.starts_with("200: {\"Name\":\"f\"") && told.ends_with("end"), "{told}");
    assert_eq!(std::io::Seek::stream_position(&mut file).unwrap(), 5);
    let same = fixture.call("add", &[("f", &vec![7; 1_000_000])]).await.text();
    assert!(told.contains(same.trim()), "{told} {same}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_add_is_refused_and_pins_nothing() {
    let fixture = listening().await;
    let descriptor = frames(&[Entry::Descriptor(head("f"))]);
    let begin = |path: &str| frames(&[Entry::Begin(head(path))]);
    for (bytes, refusal) in [
        (vec![0xff; 24], "entry of unknown kind 255"),
        (descriptor.clone(), "a descriptor is missing"),
        (frames(&[Entry::Data(b"x".to_vec()), Entry::Finish]), "bytes without a file"),
        ([begin("a"), begin("b")].concat(), "an entry begins inside a file"),
        ([begin("a"), frames(&[Entry::Finish])].concat(), "the upload ends inside a file"),
        (frames(&[Entry::Symlink(head("l"), vec![0xff])]), "a symlink points at what is not text"),
    ] {
        let mut stream = agreed(&fixture).await;
        stream.write_all(&bytes).await.unwrap();
        let told = words(&replied(stream).await);
        assert!(told.starts_with("500: ") && told.contains(refusal), "{told}");
    }
    let folder = std::fs::File::open("/").unwrap();
    let stream = agreed(&fixture).await;
    hand_over(&stream, &descriptor, &[folder.as_fd()]).await;
    assert!(words(&replied(stream).await).contains("not of a regular file"));
    let stream = agreed(&fixture).await;
    hand_over(&stream, &descriptor, &[folder.as_fd(); 16]).await;
    assert!(words(&replied(stream).await).contains("more descriptors than frames"));
    assert_eq!(pins(&fixture).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_add() {
    let fixture = listening().await;
    let mut stream = agreed(&fixture).await;
    stream.write_all(&frames(&[Entry::File(head("f"), b"hello".to_vec())])).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(words(&replied(stream).await).contains("the upload broke off"));

    // A file without an end that anybody lives to see: only the client's leaving ends it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    std::fs::File::create(&path).unwrap().set_len(1 << 43).unwrap();
    let (mut stream, answer) = asked(&fixture, UPGRADE, "only-hash=true&progress=true").await;
    assert!(answer.starts_with("HTTP/1.1 101 "));
    let file = std::fs::File::open(&path).unwrap();
    hand_over(&stream, &frames(&[Entry::Descriptor(head("f"))]), &[file.as_fd()]).await;
    stream.write_all(&frames(&[Entry::Finish])).await.unwrap();
    stream.read_u8().await.unwrap();
    drop((stream, file));
    // The daemon lets go of the file: nobody has it open any more.
    let link = |pid: &str| format!("/proc/{pid}/fd");
    let open = || {
        let descriptors = std::fs::read_dir(link("self")).unwrap().flatten();
        descriptors.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == path)).count()
    };
    while open() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pins(&fixture).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_commands_are_answered_as_over_tcp() {
    let fixture = listening().await;
    let root = fixture.root().join("ipse.sock");
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = StdStream::connect(root).unwrap();
        stream
            .write_all(b"POST /api/v0/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    assert!(answer.await.unwrap().contains("\"Version\""));
}
