//! Logging: what the program tells about itself on standard error, and how that is changed while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ipse_rpc::LogControl;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

/// The parts of the node that log, each a crate of its own.
const PARTS: [&str; 8] = ["base", "bitswap", "cli", "gateway", "net", "node", "rpc", "store"];
/// The levels by name; the last three are other programs' words for the same.
const LEVELS: [(&str, LevelFilter); 8] = [
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
    ("fatal", LevelFilter::ERROR),
    ("panic", LevelFilter::ERROR),
    ("dpanic", LevelFilter::ERROR),
];

/// The log of this process.
pub(crate) struct Log {
    handle: reload::Handle<EnvFilter, Registry>,
    levels: Mutex<BTreeMap<String, LevelFilter>>,
}

/// Starts logging: by `IPSE_LOG`, else `GOLOG_LOG_LEVEL`, else at `default`.
pub(crate) fn start(debug: bool, default: LevelFilter) -> Log {
    let wanted = ["IPSE_LOG", "GOLOG_LOG_LEVEL"].iter().find_map(|name| std::env::var(name).ok());
    let wanted = if debug { Some("debug".to_owned()) } else { wanted };
    let levels = read(wanted.as_deref().unwrap_or_default(), default);
    let (filter, handle) = reload::Layer::new(filter(&levels));
    let lines = fmt::layer().with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first log.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Log { handle, levels: Mutex::new(levels) }
}

/// Reads `error`, or `error,net=debug,rpc=info`.
fn read(text: &str, default: LevelFilter) -> BTreeMap<String, LevelFilter> {
    let mut levels: BTreeMap<String, LevelFilter> = PARTS.map(|part| (part.to_owned(), default)).into();
    for word in text.split(',') {
        let (part, name) = word.split_once('=').unwrap_or(("*", word));
        let Some(level) = level(name.trim()) else { continue };
        let chosen = levels.iter_mut().filter(|(known, _)| part == "*" || *known == part.trim());
        chosen.for_each(|(_, current)| *current = level);
    }
    levels
}

fn level(name: &str) -> Option<LevelFilter> {
    LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

/// Each part at its level, and libraries no louder than warnings.
fn filter(levels: &BTreeMap<String, LevelFilter>) -> EnvFilter {
    let loudest = levels.values().max().copied().unwrap_or(LevelFilter::ERROR);
    let mut text = loudest.min(LevelFilter::WARN).to_string();
    for (part, level) in levels {
        text.push_str(&format!(",{}={level}", target(part)));
    }
    EnvFilter::builder().parse_lossy(text)
}

/// The module path that a part logs under; this crate's is named after the binary.
fn target(part: &str) -> String {
    if part == "cli" { "ipse".to_owned() } else { format!("ipse_{part}") }
}

impl Log {
    fn change(&self, part: &str, level: LevelFilter) -> Result<(), String> {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let all = matches!(part, "all" | "*");
        if !all && !levels.contains_key(part) {
            return Err(format!("no such logger: {part}; `log ls` lists them"));
        }
        levels
            .iter_mut()
            .filter(|(known, _)| all || *known == part)
            .for_each(|(_, current)| *current = level);
        self.handle.reload(filter(&levels)).map_err(|error| error.to_string())
    }
}

impl LogControl for Log {
    fn parts(&self) -> Vec<String> {
        PARTS.map(str::to_owned).to_vec()
    }

    fn levels(&self, part: &str) -> Option<BTreeMap<String, String>> {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let all = matches!(part, "all" | "*");
        let chosen = levels.iter().filter(|(known, _)| all || *known == part);
        let chosen: BTreeMap<_, _> = chosen.map(|(part, level)| (part.clone(), level.to_string())).collect();
        (!chosen.is_empty()).then_some(chosen)
    }

    fn set(&self, part: &str, name: &str) -> Result<(), String> {
        self.change(part, level(name).ok_or_else(|| format!("unrecognized level: {name:?}"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_by_part() {
        let levels = read("info,net=debug,nope=trace,store=bogus", LevelFilter::ERROR);
        assert_eq!(
            (levels["rpc"], levels["net"], levels["store"]),
            (LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::INFO)
        );
        assert_eq!(read("", LevelFilter::WARN)["rpc"], LevelFilter::WARN);
    }

    #[test]
    fn parts_can_be_turned_up_while_running() {
        let log = start(false, LevelFilter::ERROR);
        assert!(log.set("nope", "debug").is_err() && log.set("net", "nope").is_err());
        log.set("net", "debug").unwrap();
        assert_eq!(log.levels("net").unwrap()["net"], "debug");
        assert_eq!(log.levels("all").unwrap().len(), PARTS.len());
    }
}
