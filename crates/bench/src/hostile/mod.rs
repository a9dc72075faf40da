//! A node among hostile peers, and among clients that read nothing: what it holds in memory, and what becomes of
//! those who are honest, beside the same work without them in the same run.

mod honest;
mod peers;
mod readers;

use std::path::PathBuf;

use crate::Outcome;
use crate::lab::guard::Folder;
use crate::lab::node::Node;
use crate::lab::program::Program;
use crate::lab::{content, process};
use honest::Waits;

#[derive(clap::Args)]
#[command(after_help = "Example: ipse-bench hostile ipse=target/release/ipse \
    --attack target/release/examples/hostile_peers --peers 1000 --readers 1000")]
pub(crate) struct Options {
    /// NAME=PATH of the program
    program: String,
    /// The hostile peers' program: `cargo build --release -p ipse-net --example hostile_peers`
    #[arg(long)]
    attack: Option<PathBuf>,
    /// Hostile peers at once; 0 leaves them out
    #[arg(long, default_value_t = 1000)]
    peers: usize,
    /// Clients of the gateway, then of the RPC, that read nothing; 0 leaves them out
    #[arg(long, default_value_t = 1000)]
    readers: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// An existing folder to work in
    #[arg(long)]
    work: Option<PathBuf>,
}

/// A file that the node has, whose blocks are asked for.
struct Large {
    path: PathBuf,
    cid: String,
}

/// Runs what was asked for, and tells.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let folder = Folder::new(options.work.as_deref())?;
    let program = Program::link(&options.program, folder.path())?;
    let node = Node::new(&program, folder.path().join("victim"))?;
    let path = folder.path().join("large");
    content::file(&path, 64 << 20, 1)?;
    let (cid, _) = node.add(&[], &path)?;
    let large = Large { path, cid };
    println!("| work | alone: p50 / p99, ms | beside: p50 / p99, ms | p99 ratio | peak, MiB | after, MiB |");
    println!("|---|---|---|---|---|---|");
    if options.peers > 0 {
        let attack = options.attack.as_deref().ok_or("--attack names the program of the hostile peers")?;
        peers::run(options, &program, &node, &large, attack, folder.path())?;
    }
    if options.readers > 0 {
        readers::run(options, &node, &large.cid, folder.path())?;
    }
    Ok(())
}

/// One row of the table.
fn tell(work: &str, alone: &Waits, beside: &Waits, node: &Node) -> Outcome<()> {
    println!(
        "| {work} | {alone} | {beside} | {:.2} | {:.0} | {:.0} |",
        beside.p99() / alone.p99(),
        process::memory_mib(node.pid()?, "VmHWM")?,
        process::memory_mib(node.pid()?, "VmRSS")?,
    );
    Ok(())
}
