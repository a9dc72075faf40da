//! `bitswap`: the state of the block exchange.

use ipse_api::{BitswapStat, Ledger, LinkJson, Wantlist};
use ipse_base::{Cid, PeerId};

use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::Reply;

fn links(cids: &[Cid], text: CidText) -> Vec<LinkJson> {
    cids.iter().map(|cid| text.of(cid).into()).collect()
}

pub(super) async fn stat(context: Context) -> Result<Reply, Failure> {
    let stat = context.online_node()?.bitswap_stat().await?;
    let mut peers: Vec<_> = stat.peers.iter().map(ToString::to_string).collect();
    peers.sort_unstable();
    Reply::value(&BitswapStat {
        wantlist: links(&stat.wantlist, context.cids),
        peers,
        blocks_received: stat.blocks_received,
        data_received: stat.bytes_received,
        dup_blks_received: stat.duplicate_blocks,
        dup_data_received: stat.duplicate_bytes,
        messages_received: stat.messages_received,
        blocks_sent: stat.blocks_sent,
        data_sent: stat.bytes_sent,
    })
}

pub(super) async fn wantlist(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let peer = context.invocation.string("peer").map(|text| text.parse::<PeerId>()).transpose()?;
    let other = peer.filter(|peer| peer != node.peer_id());
    let wanted = node.bitswap_wantlist(other.as_ref()).await?;
    Reply::value(&Wantlist { keys: links(&wanted, context.cids) })
}

pub(super) async fn ledger(context: Context) -> Result<Reply, Failure> {
    let peer: PeerId = context.argument(0)?.parse()?;
    let ledger = context.node()?.bitswap_ledger(&peer).await?;
    Reply::value(&Ledger {
        peer: peer.to_string(),
        value: ledger.debt_ratio(),
        sent: ledger.sent,
        recv: ledger.received,
        exchanged: ledger.exchanges,
    })
}
