//! The commands, one file per family: each reads its invocation, calls the node, and shapes the reply.

mod add;
mod archive;
mod backup;
mod bitswap;
mod block;
mod cat;
mod cid;
mod config;
mod dag;
mod diag;
mod get;
mod id;
mod list;
mod log;
mod ls;
mod multibase;
mod pin;
mod ping;
mod refs;
mod repo;
mod resolve;
mod stats;
mod swarm;
mod version;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

/// A command, ready to run.
pub(crate) type Handler = fn(Context) -> BoxFuture<'static, Result<Reply, Failure>>;

/// What runs the command of these words; `None` for a group, which does nothing by itself.
pub(crate) fn handler(words: &[&str]) -> Option<Handler> {
    Some(match words {
        ["add"] => |context| add::add(context).boxed(),
        ["bitswap", "ledger"] => |context| bitswap::ledger(context).boxed(),
        ["bitswap" | "stats", "stat" | "bitswap"] => |context| bitswap::stat(context).boxed(),
        ["bitswap", "wantlist"] => |context| bitswap::wantlist(context).boxed(),
        ["block", "get"] => |context| block::get(context).boxed(),
        ["block", "put"] => |context| block::put(context).boxed(),
        ["block", "rm"] => |context| block::rm(context).boxed(),
        ["block", "stat"] => |context| block::stat(context).boxed(),
        ["cat"] => |context| cat::cat(context).boxed(),
        ["cid", "base32"] => |context| cid::base32(context).boxed(),
        ["cid", "bases"] | ["multibase", "list"] => |context| cid::bases(context).boxed(),
        ["cid", "codecs"] => |context| cid::codecs(context).boxed(),
        ["cid", "format"] => |context| cid::format(context).boxed(),
        ["cid", "hashes"] => |context| cid::hashes(context).boxed(),
        ["cid", "inspect"] => |context| cid::inspect(context).boxed(),
        ["commands"] => |context| list::commands(context).boxed(),
        ["config"] => |context| config::config(context).boxed(),
        ["config", "profile", "apply"] => |context| config::apply(context).boxed(),
        ["config", "replace"] => |context| config::replace(context).boxed(),
        ["config", "show"] => |context| config::show(context).boxed(),
        ["dag", "export"] => |context| dag::export(context).boxed(),
        ["dag", "get"] => |context| dag::get(context).boxed(),
        ["dag", "import"] => |context| dag::import(context).boxed(),
        ["dag", "put"] => |context| dag::put(context).boxed(),
        ["dag", "resolve"] => |context| dag::resolve(context).boxed(),
        ["dag", "stat"] => |context| dag::stat(context).boxed(),
        ["diag", "hot"] => |context| diag::hot(context).boxed(),
        ["diag", "workers"] => |context| diag::workers(context).boxed(),
        ["get"] => |context| get::get(context).boxed(),
        ["id"] => |context| id::id(context).boxed(),
        ["log", "level"] => |context| log::level(context).boxed(),
        ["log", "ls"] => |context| log::ls(context).boxed(),
        ["ls"] => |context| ls::ls(context).boxed(),
        ["multibase", "decode"] => |context| multibase::decode(context).boxed(),
        ["multibase", "encode"] => |context| multibase::encode(context).boxed(),
        ["multibase", "transcode"] => |context| multibase::transcode(context).boxed(),
        ["pin", "add"] => |context| pin::add(context).boxed(),
        ["pin", "ls"] => |context| pin::ls(context).boxed(),
        ["pin", "rm"] => |context| pin::rm(context).boxed(),
        ["pin", "update"] => |context| pin::update(context).boxed(),
        ["pin", "verify"] => |context| pin::verify(context).boxed(),
        ["ping"] => |context| ping::ping(context).boxed(),
        ["refs"] => |context| refs::refs(context).boxed(),
        ["refs", "local"] | ["repo", "ls"] => |context| refs::local(context).boxed(),
        ["repo", "backup"] => |context| backup::backup(context).boxed(),
        ["repo", "gc"] => |context| repo::gc(context).boxed(),
        ["repo" | "stats", "stat" | "repo"] => |context| repo::stat(context).boxed(),
        ["repo", "verify"] => |context| repo::verify(context).boxed(),
        ["repo", "version"] => |context| repo::version(context).boxed(),
        ["resolve"] => |context| resolve::resolve(context).boxed(),
        ["shutdown"] => |context| list::shutdown(context).boxed(),
        ["stats", "bw"] => |context| stats::bw(context).boxed(),
        ["swarm", "addrs"] => |context| swarm::addrs(context).boxed(),
        ["swarm", "addrs", "listen" | "local"] => |context| swarm::local(context).boxed(),
        ["swarm", "connect"] => |context| swarm::connect(context).boxed(),
        ["swarm", "disconnect"] => |context| swarm::disconnect(context).boxed(),
        ["swarm", "peers"] => |context| swarm::peers(context).boxed(),
        ["version"] => |context| version::version(context).boxed(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ipse_api::{Place, walk};

    #[test]
    fn the_table_and_the_handlers_are_the_same_commands() {
        for (path, command) in walk() {
            let local = command.place == Place::LocalOnly;
            assert_eq!(super::handler(&path).is_some(), command.runs && !local, "{path:?}");
        }
    }
}
