//! `log`: how much the running program tells.

use std::sync::Arc;

use ipse_api::{LogLevels, Message, Texts};
use ipse_base::Kind;

use crate::context::Context;
use crate::reply::Reply;
use crate::{Failure, LogControl};

fn control(context: &Context) -> Result<&Arc<dyn LogControl>, Failure> {
    let missing =
        || Failure::new(Kind::Unsupported, "the log of this program can't be changed while it runs");
    context.log.as_ref().ok_or_else(missing)
}

pub(super) async fn ls(context: Context) -> Result<Reply, Failure> {
    Reply::value(&Texts { strings: control(&context)?.parts() })
}

pub(super) async fn level(context: Context) -> Result<Reply, Failure> {
    let log = control(&context)?;
    let part = match context.optional_argument(0) {
        Some("*") => "all",
        Some(part) => part,
        None => "default",
    };
    let Some(level) = context.optional_argument(1) else {
        let levels = log.levels(part);
        let levels =
            levels.ok_or_else(|| Failure::new(Kind::NotFound, format!("subsystem {part} does not exist")))?;
        return Reply::value(&LogLevels { levels });
    };
    log.set(part, level).map_err(Failure::invalid)?;
    Reply::value(&Message { message: format!("Changed log level of '{part}' to '{level}'\n") })
}
