//! A peer that lies: it says that it has whatever a node asks about, and sends other bytes.
//!
//! `liar_peer ADDRESS` says `connected`, and when the node has parted with it, how many bad blocks it could send.
//! Before each it waits, so that none is on its way when it is dropped. `ipse-bench compare --only shaped` starts it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe, not shipped"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use futures::AsyncReadExt;
use ipse_base::{Cid, varint};
use ipse_bitswap::{CidPrefix, Message, Presence, WantType};
use libp2p::{Stream, StreamProtocol};
use support::{BarePeer, write_message};
use tokio::time::timeout;

const BITSWAP: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// More than a node on loopback takes to drop a peer.
const PAUSE: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).expect("ADDRESS");
    let mut bare = BarePeer::connect(&address, BITSWAP, 1);
    let mut answers = bare.outbound.recv().await.expect("a node that speaks bitswap");
    println!("connected");
    let mut bad = 0;
    // The node opens its stream when it has something to ask; all streams end with the connection.
    while let Some(mut asked) = bare.inbound.recv().await {
        while let Some(message) = read(&mut asked).await {
            let wants = message.wantlist.iter().filter(|want| !want.cancel);
            let (blocks, haves): (Vec<_>, Vec<_>) = wants.partition(|want| want.want_type == WantType::Block);
            let have = |cid: &Cid| Presence { cid: cid.clone(), have: true };
            let presences = haves.iter().map(|want| have(&want.cid)).collect();
            write_message(&mut answers, &Message { presences, ..Message::default() }).await;
            for want in blocks {
                let lie = format!("lie {bad}").into_bytes().into();
                let message = Message { blocks: vec![(CidPrefix::of(&want.cid), lie)], ..Message::default() };
                write_message(&mut answers, &message).await;
                bad += 1;
                if has_ended(&mut answers).await {
                    println!("{bad}");
                    return;
                }
            }
        }
    }
    println!("{bad}");
}

/// Whether the node parts with us.
async fn has_ended(stream: &mut Stream) -> bool {
    timeout(PAUSE, stream.read(&mut [0])).await.is_ok()
}

async fn read(stream: &mut Stream) -> Option<Message> {
    let mut head = Vec::new();
    let length = loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        head.push(byte[0]);
        if let Ok((length, _)) = varint::read(&head) {
            break length;
        }
    };
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await.ok()?;
    Message::decode(frame.into()).ok()
}
