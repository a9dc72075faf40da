//! `version`: which programs these are. Clients decide by it what they may send.

use ipse_api::VersionInfo;
use ipse_node::COMPATIBLE_REPO_VERSION;

use crate::Failure;
use crate::context::{Context, VERSION};
use crate::reply::Reply;

pub(super) async fn version(_: Context) -> Result<Reply, Failure> {
    Reply::value(&VersionInfo {
        version: VERSION.to_owned(),
        commit: String::new(),
        repo: COMPATIBLE_REPO_VERSION.to_string(),
        system: format!("{}/{}", architecture(), std::env::consts::OS),
        golang: format!("rust{}", env!("CARGO_PKG_RUST_VERSION")),
    })
}

/// The processor by the name that Go's programs print.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
