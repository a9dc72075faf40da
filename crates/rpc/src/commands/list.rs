//! `commands` and `shutdown`: the table itself, and the end of the daemon.

use ipse_api::{CommandListed, ROOT};

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

pub(super) async fn commands(_: Context) -> Result<Reply, Failure> {
    Reply::value(&CommandListed::from(&ROOT))
}

/// Asks the node to stop. The listener lets this reply go out first.
pub(super) async fn shutdown(context: Context) -> Result<Reply, Failure> {
    context.node()?.request_stop();
    Ok(Reply::nothing())
}
