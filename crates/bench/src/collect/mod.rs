//! What a collection costs those who use the store meanwhile: the same load without it and beside it, straight
//! through the store's own interface.

mod blocks;
mod load;
mod shelf;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipse_store::Store;
use serde_json::json;

use crate::Outcome;
use crate::compare::number;
use crate::lab::guard::Folder;
use crate::lab::process::{memory_mib, reset_peak};
use blocks::Sizes;
use load::{Load, Seen};
use shelf::Shelf;

const MIB: f64 = 1_048_576.0;
/// What a deletion takes in the log.
const TOMBSTONE_BYTES: u64 = 64;
/// What a block takes in the log beyond its own bytes: header, name, and padding as it falls.
const FRAME_BYTES: u64 = 28 + 36 + 4;

#[derive(clap::Args)]
#[command(after_help = "Example: ipse-bench collect --blocks 1000000 --work /var/tmp")]
pub(crate) struct Options {
    /// Blocks in the repository
    #[arg(long, default_value_t = 1_000_000)]
    blocks: u64,
    /// Percentage of them that nothing keeps
    #[arg(long, default_value_t = 50)]
    garbage: u64,
    /// Blocks in a row that are alike, as files leave them; 1 mixes garbage and the rest as finely as can be
    #[arg(long, default_value_t = 1)]
    run: u64,
    /// Sizes of the blocks: mixed (most up to 1 KiB, some up to 256 KiB) or a number of bytes
    #[arg(long, default_value = "mixed")]
    sizes: Sizes,
    /// Threads that add
    #[arg(long, default_value_t = 4)]
    adders: usize,
    /// Threads that read
    #[arg(long, default_value_t = 4)]
    readers: usize,
    /// Adds of eight blocks a second of each adder; each ends in a pin that is durable
    #[arg(long, default_value_t = 40)]
    adds: u32,
    /// Reads a second of each reader
    #[arg(long, default_value_t = 1000)]
    reads: u32,
    /// Seconds of the load without collection
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// An existing folder to work in
    #[arg(long)]
    work: Option<PathBuf>,
    /// Write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What came of a collection.
struct Freed {
    seconds: f64,
    peak_mib: f64,
    blocks: u64,
    copied_bytes: u64,
    /// Bytes of the disk that garbage took.
    garbage_bytes: u64,
    /// What of them returned.
    returned_bytes: u64,
}

/// Fills a repository, loads it, collects under the load, and tells.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let folder = Folder::new(options.work.as_deref())?;
    let root = folder.path().join("repo");
    let shelf = Shelf {
        blocks: options.blocks,
        garbage: options.garbage,
        run: options.run.max(1),
        sizes: options.sizes,
    };
    let start = Instant::now();
    let (store, filled) = shelf.fill(&root)?;
    println!(
        "{} blocks of {} MiB, {} of {} MiB garbage, in {:.0} s",
        options.blocks,
        number(filled.bytes as f64 / MIB),
        filled.garbage,
        number(filled.garbage_bytes as f64 / MIB),
        start.elapsed().as_secs_f64()
    );
    crate::lab::limits::settle();
    let alone = {
        let load = Load::start(&store, &shelf, &filled, options, 0);
        std::thread::sleep(Duration::from_secs(options.seconds));
        load.stop()?
    };
    crate::lab::limits::settle();
    let load = Load::start(&store, &shelf, &filled, options, 1 << 40);
    std::thread::sleep(Duration::from_secs(1));
    let freed = collect(&store)?;
    let beside = load.stop()?;
    let lost = alone.missing(&store)? + beside.missing(&store)?;
    tell(options, &alone, &beside, &freed, lost)
}

fn segment_bytes(store: &Store) -> Outcome<u64> {
    let stats = store.stats()?;
    Ok(stats.disk_bytes - stats.index_bytes)
}

fn collect(store: &Store) -> Outcome<Freed> {
    let pid = std::process::id();
    reset_peak(pid)?;
    let (before, written) = (segment_bytes(store)?, store.counters().log_bytes.get());
    let start = Instant::now();
    let plan = store.plan_collection()?;
    println!("plan after {:.1} s: {plan}", start.elapsed().as_secs_f64());
    let garbage_bytes = plan.bytes + plan.blocks * FRAME_BYTES;
    let collected = store.collect(&plan, &mut |_| {})?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{collected:?}");
    let (after, grown) = (segment_bytes(store)?, store.counters().log_bytes.get() - written);
    // What others wrote meanwhile is not the collection's; what it copied is.
    let others = grown.saturating_sub(collected.copied_bytes + collected.blocks * TOMBSTONE_BYTES);
    Ok(Freed {
        seconds,
        peak_mib: memory_mib(pid, "VmHWM")?,
        blocks: collected.blocks,
        copied_bytes: collected.copied_bytes,
        garbage_bytes,
        returned_bytes: (before + others).saturating_sub(after),
    })
}

fn tell(options: &Options, alone: &Seen, beside: &Seen, freed: &Freed, lost: u64) -> Outcome<()> {
    println!("\n| step | alone, p50 / p99 / max ms | beside collection | p99, ratio |\n|---|---|---|---|");
    let mut steps = serde_json::Map::new();
    for ((name, one), (_, two)) in alone.steps().into_iter().zip(beside.steps()) {
        let ratio = two.p99 / one.p99;
        println!("| {name} | {one} | {two} | {} |", number(ratio));
        steps.insert(name.into(), json!({"alone": one.json(), "beside": two.json(), "ratio": ratio}));
    }
    let share = freed.returned_bytes as f64 / freed.garbage_bytes as f64;
    let rate = freed.blocks as f64 / freed.seconds;
    println!(
        "\ncollected {} blocks in {:.1} s ({} blocks/s), {} MiB copied, peak memory {} MiB",
        freed.blocks,
        freed.seconds,
        number(rate),
        number(freed.copied_bytes as f64 / MIB),
        number(freed.peak_mib)
    );
    println!("returned {:.1} % of the garbage in allocated blocks", share * 100.0);
    let failed = alone.failed + beside.failed;
    println!("failed reads {failed}, blocks lost that were added or pinned {lost}");
    if let Some(path) = &options.json {
        let figures = json!({"blocks": options.blocks, "garbage_percent": options.garbage, "run": options.run,
            "steps": steps, "collected": freed.blocks, "seconds": freed.seconds, "blocks_s": rate,
            "copied_bytes": freed.copied_bytes, "peak_mib": freed.peak_mib, "returned_share": share,
            "failed_reads": failed, "lost_blocks": lost});
        std::fs::write(path, format!("{figures:#}\n"))?;
    }
    if failed + lost > 0 {
        return Err("something was lost".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_under_load_loses_nothing_and_returns_the_space() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { blocks: 4000, garbage: 50, run: 1, sizes: Sizes::Bytes(700) };
        let (store, filled) = shelf.fill(&folder.path().join("repo")).unwrap();
        assert!(filled.garbage > 1000 && filled.garbage < 3000);
        let options = Options {
            blocks: shelf.blocks,
            garbage: shelf.garbage,
            run: 1,
            sizes: shelf.sizes,
            adders: 1,
            readers: 1,
            adds: 100,
            reads: 100,
            seconds: 1,
            work: None,
            json: None,
        };
        let load = Load::start(&store, &shelf, &filled, &options, 0);
        let freed = collect(&store).unwrap();
        let seen = load.stop().unwrap();
        assert!(freed.blocks > 1000 && freed.returned_bytes > 0);
        assert_eq!((seen.failed, seen.missing(&store).unwrap()), (0, 0));
    }
}
