//! `resolve`: where a path leads.

use ipse_api::Resolved;

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

pub(super) async fn resolve(context: Context) -> Result<Reply, Failure> {
    let found = context.node()?.resolve(&context.path(0)?).await?;
    let below: String = found.remainder.iter().map(|name| format!("/{name}")).collect();
    Reply::value(&Resolved { path: format!("/ipfs/{}{below}", context.cids.of(&found.cid)) })
}
