//! Clients of the RPC that were written for the reference node.

use serde_json::Value;

use super::Special;
use super::cell::{Shape, Transport};
use super::content::Content;
use super::node::Node;
use super::side::Side;
use super::tools::Tools;
use crate::{Outcome, process};

const MIB: u64 = 1024 * 1024;
/// Longer than any window of blocks that a reader may have ahead of it, so
/// that the failure at its end falls into the middle of the answer.
const LARGE: Content = Content::File { bytes: 96 * MIB, seed: 79 };
const SHAPE: Shape = Shape { cid_version: 1, raw_leaves: true, chunk: 1024 * 1024 };

/// The cells of this file.
pub(crate) fn cells() -> Vec<Special> {
    vec![
        ("kubo-rpc-client".into(), |tools, _| rpc_client(tools)),
        ("go-client/truncated-offline".into(), |tools, _| truncated(tools, "offline=true")),
        ("go-client/truncated-by-timeout".into(), |tools, _| truncated(tools, "timeout=5s")),
    ]
}

/// The npm package `kubo-rpc-client`, unchanged.
fn rpc_client(tools: &Tools) -> Outcome<String> {
    let ipse = Node::start(&tools.ipse, Transport::Tcp)?;
    let mut script = process::limited(&tools.node, 150);
    let script = script.arg(tools.interop.join("rpc-client/main.js")).arg(ipse.api());
    // It exits with 1 when a check fails, and its lines say which; only if
    // there are none is the exit status all there is to tell.
    let done = script.output()?;
    let lines: Vec<Value> =
        String::from_utf8_lossy(&done.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let failed: Vec<String> = lines
        .iter()
        .filter(|line| line["ok"] != true)
        .map(|line| format!("{}: {}", line["check"], line["why"]))
        .collect();
    if !failed.is_empty() {
        return Err(failed.join("; ").into());
    }
    if !done.status.success() {
        return Err(format!("{}: {}", done.status, String::from_utf8_lossy(&done.stderr).trim()).into());
    }
    Ok(format!("{} checks", lines.len()))
}

/// A Go client reads a file whose last block is missing. It sends no TE
/// header, and must not take what it gets for the whole.
fn truncated(tools: &Tools, option: &str) -> Outcome<String> {
    let mut ipse = Node::start(&tools.ipse, Transport::Tcp)?;
    let cid = ipse.add(&LARGE, SHAPE)?;
    ipse.run(30, &["pin", "rm", &cid])?;
    let blocks = ipse.run(60, &["refs", &cid])?;
    let last = blocks.lines().last().ok_or("the file has no blocks")?;
    ipse.run(30, &["block", "rm", last])?;

    let url = format!("{}/api/v0/cat?arg={cid}&{option}", ipse.api());
    let said = process::limited(&tools.truncated, 150).arg(url).output()?;
    let report: Value = serde_json::from_slice(&said.stdout)?;
    let bytes = report["bytes"].as_u64().unwrap_or(0);
    match report["outcome"].as_str() {
        Some("trailer" | "broken") if bytes > 0 => {
            Ok(format!("{} after {} MiB: {}", report["outcome"], bytes / MIB, report["detail"]))
        }
        Some("clean") => Err(format!("{bytes} bytes of {} looked like the whole file", 96 * MIB).into()),
        _ => Err(format!("the failure did not fall into the middle: {report}").into()),
    }
}
