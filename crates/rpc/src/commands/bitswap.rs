//! `bitswap`: the state of the block exchange.

use ipse_api::{BitswapStat, Ledger, LinkJson, Wantlist};
use ipse_base::{Cid, Kind, PeerId};
use ipse_node::Node;

use crate::Failure;
use crate::context::{CidText, Context, NOT_ONLINE};
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

/// The node, for the commands that refuse in fewer words than [`stat`] does.
fn online(context: &Context) -> Result<&Node, Failure> {
    let node = context.node()?;
    if node.is_online() { Ok(node) } else { Err(Failure::new(Kind::Unavailable, NOT_ONLINE)) }
}

pub(super) async fn wantlist(context: Context) -> Result<Reply, Failure> {
    let node = online(&context)?;
    let peer = context.invocation.string("peer").map(|text| text.parse::<PeerId>()).transpose()?;
    let other = peer.filter(|peer| peer != node.peer_id());
    let wanted = node.bitswap_wantlist(other.as_ref()).await?;
    Reply::value(&Wantlist { keys: links(&wanted, context.cids) })
}

pub(super) async fn ledger(context: Context) -> Result<Reply, Failure> {
    let peer: PeerId = context.argument(0)?.parse()?;
    let ledger = online(&context)?.bitswap_ledger(&peer).await?;
    Reply::value(&Ledger {
        peer: peer.to_string(),
        value: ledger.debt_ratio(),
        sent: ledger.sent,
        recv: ledger.received,
        exchanged: ledger.exchanges,
    })
}
