//! The exchange's engine without sockets: a wantlist comes in, messages go out.

use std::time::Instant;

use ipse_base::{Block, Codec, HashCode, PeerId};
use ipse_bitswap::{CidPrefix, Message, ProtocolVersion, Server, ServerOptions, ServerOutput, WantEntry};

use super::Case;
use crate::Outcome;

const WANTS: u64 = 960;
const BYTES: usize = 4096;

fn blocks() -> Outcome<Vec<Block>> {
    let block = |i: u64| {
        let mut data = vec![0; BYTES];
        data[..8].copy_from_slice(&i.to_be_bytes());
        Ok(Block::hash(Codec::RAW, HashCode::SHA2_256, data.into())?)
    };
    (0..WANTS).map(block).collect()
}

fn wantlist(blocks: &[Block]) -> Vec<WantEntry> {
    let ranked = (0..).zip(blocks);
    ranked.map(|(rank, block)| WantEntry::block(block.cid().clone(), i32::MAX - rank)).collect()
}

pub(super) fn cases() -> Outcome<Vec<Case>> {
    let blocks = blocks()?;
    let wants = wantlist(&blocks);
    let message = Message { wantlist: wants.clone(), ..Message::default() };
    let frame = message.encode(ProtocolVersion::V1_2).to_bytes();
    let sending = Message {
        blocks: blocks
            .iter()
            .take(64)
            .map(|block| (CidPrefix::of(block.cid()), block.data().clone()))
            .collect(),
        ..Message::default()
    };
    Ok(vec![
        Case::new("bitswap server: 960 wants to messages", "wants/s", move || {
            let sent = serve(&wants)?;
            if sent == WANTS { Ok(WANTS as f64) } else { Err(format!("{sent} of {WANTS} were sent").into()) }
        }),
        Case::new("bitswap: wantlist of 960 read", "wants/s", move || {
            std::hint::black_box(Message::decode(frame.clone())?);
            Ok(WANTS as f64)
        }),
        Case::new("bitswap: 64 blocks of 4 KiB written", "blocks/s", move || {
            std::hint::black_box(sending.encode(ProtocolVersion::V1_2));
            Ok(64.0)
        }),
    ])
}

/// Answers a wantlist of which everything is here; says how many blocks went out.
fn serve(wants: &[WantEntry]) -> Outcome<u64> {
    let peer: PeerId = "12D3KooWSb9NFn9qruG5WuUPiZ6FnEsN18Z3MHxRoAkBVUfHEpvb".parse()?;
    let (mut server, now, mut sent) = (Server::new(ServerOptions::default()), Instant::now(), 0);
    server.handle_wantlist(&peer, wants, false, now);
    while let Some(output) = server.poll_output() {
        match output {
            ServerOutput::Lookup { token, cids, .. } => {
                let lengths: Vec<Option<u64>> = vec![Some(BYTES as u64); cids.len()];
                server.handle_lookup(token, &lengths, now);
            }
            ServerOutput::Send { token, peer, blocks, .. } => {
                sent += blocks.len() as u64;
                server.handle_sent(&peer, token, Ok((blocks.len() * BYTES) as u64), now);
            }
        }
    }
    Ok(std::hint::black_box(sent))
}
