//! `refs` and `refs local`: edges as lines.

use std::sync::Arc;

use futures::StreamExt;
use ipse_api::Reference as Line;
use ipse_base::Path;
use ipse_node::{Node, RefsOptions};

use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::Reply;

/// The format of plain references.
const TARGET: &str = "<dst>";

pub(super) async fn refs(context: Context) -> Result<Reply, Failure> {
    let invocation = &context.invocation;
    let mut format = invocation.string("format").unwrap_or_else(|| TARGET.to_owned());
    if invocation.bool("edges") {
        if format != TARGET {
            return Err(Failure::invalid("using format argument with edges is not allowed"));
        }
        "<src> -> <dst>".clone_into(&mut format);
    }
    let depth_max = match invocation.int("max-depth") {
        _ if !invocation.bool("recursive") => Some(1),
        Some(depth) => usize::try_from(depth).ok(),
        None => None,
    };
    let options = RefsOptions { unique: invocation.bool("unique"), depth_max };
    let (node, cids, format) = (context.node()?.clone(), context.cids, Arc::<str>::from(format));
    let paths = context.paths()?;
    // A path that can't be followed is a line, and the next one is listed all the same.
    let lines = futures::stream::iter(paths)
        .then(move |path| edges(node.clone(), path, options, format.clone(), cids))
        .flatten();
    Ok(Reply::values(lines))
}

async fn edges(
    node: Node,
    path: Path,
    options: RefsOptions,
    format: Arc<str>,
    cids: CidText,
) -> futures::stream::BoxStream<'static, Result<Line<'static>, Failure>> {
    let failed = |error: ipse_node::ReadError| Ok(Line { err: error.to_string().into(), ..Line::default() });
    match node.refs(&path, options).await {
        Err(error) => futures::stream::iter([failed(error)]).boxed(),
        Ok(found) => found
            .map(move |edge| match edge {
                Err(error) => failed(error),
                Ok(edge) => {
                    let target = cids.of(&edge.target);
                    let text = match &*format {
                        TARGET => target,
                        format => format
                            .replace("<src>", &cids.of(&edge.source))
                            .replace("<dst>", &target)
                            .replace("<linkname>", &edge.name),
                    };
                    Ok(Line { r#ref: text.into(), ..Line::default() })
                }
            })
            .boxed(),
    }
}

pub(super) async fn local(context: Context) -> Result<Reply, Failure> {
    let cids = context.cids;
    let found = context.node()?.refs_local();
    let lines = found.map(move |cid| {
        let cid = cid.map_err(Failure::from)?;
        Ok(Line { r#ref: cids.of(&cid).into(), ..Line::default() })
    });
    Ok(Reply::values(lines))
}
