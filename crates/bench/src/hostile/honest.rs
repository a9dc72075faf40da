//! Honest work, one request after the other, and how long each took.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::lab::http;

/// How long requests took, in milliseconds, sorted.
pub(super) struct Waits(Vec<f64>);

impl Waits {
    fn at(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn p99(&self) -> f64 {
        self.at(0.99)
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} / {:.1} ({})", self.at(0.5), self.p99(), self.0.len())
    }
}

/// Requests for so many seconds, at most one each `every`; each has to succeed.
pub(super) fn work(
    seconds: u64,
    every: Duration,
    address: SocketAddr,
    method: &str,
    mut next: impl FnMut() -> Option<String>,
) -> Outcome<Waits> {
    let start = Instant::now();
    let mut waits = Vec::new();
    while start.elapsed() < Duration::from_secs(seconds)
        && let Some(path) = next()
    {
        let begun = Instant::now();
        let answer = http::request(method, address, &path, Duration::from_secs(60))
            .map_err(|failure| format!("{path}: {failure}"))?;
        if answer.status != 200 {
            return Err(format!("{path}: status {}", answer.status).into());
        }
        waits.push(begun.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(every.saturating_sub(begun.elapsed()));
    }
    waits.sort_by(f64::total_cmp);
    Ok(Waits(waits))
}
