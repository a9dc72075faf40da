//! `config`: the node's settings. What runs keeps those it started with.

use ipse_api::{ConfigField, ConfigUpdate, Invocation};
use ipse_node::Config;
use serde_json::Value;

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

/// A configuration that is uploaded, in bytes at the most.
const CONFIG_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn config(context: Context) -> Result<Reply, Failure> {
    let (node, key) = (context.node()?, context.argument(0)?);
    if let Some(text) = context.optional_argument(1) {
        let value = value(&context.invocation, text)?;
        node.change_config(|config| config.set(key, value))?;
    }
    let value = node.config().get(key)?.clone();
    Reply::value(&ConfigField { key: key.to_owned(), value })
}

/// The value that a text stands for.
fn value(invocation: &Invocation, text: &str) -> Result<Value, Failure> {
    if invocation.bool("json") {
        serde_json::from_str(text)
            .map_err(|error| Failure::invalid(format!("failed to unmarshal json. {error}")))
    } else if invocation.bool("bool") {
        Ok(Value::Bool(text == "true"))
    } else {
        Ok(Value::String(text.to_owned()))
    }
}

pub(super) async fn show(context: Context) -> Result<Reply, Failure> {
    Reply::value(&context.node()?.config().shown())
}

pub(super) async fn replace(mut context: Context) -> Result<Reply, Failure> {
    let too_large = || Failure::invalid("the configuration is too large");
    let text = context.upload()?.next_file(CONFIG_BYTES_MAX, too_large).await?.unwrap_or_default();
    let new = Config::parse(&text)?;
    context.node()?.change_config(|config| {
        *config = config.replaced_by(new)?;
        Ok(())
    })?;
    Ok(Reply::nothing())
}

pub(super) async fn apply(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let names = context.argument(0)?;
    let old = node.config();
    let mut new = old.clone();
    new.apply_profiles(names)?;
    if !context.invocation.bool("dry-run") {
        node.change_config(|config| config.apply_profiles(names))?;
    }
    Reply::value(&ConfigUpdate { old_cfg: old.shown(), new_cfg: new.shown() })
}
