//! Scrub: the worker that reads everything again within an interval, and the pace at which it does.
//!
//! Path: [`Pace`] says how much to read and how long to rest → the store reads from the kept place on, on a thread
//! of the lowest priority → damaged blocks wake the repair worker → the place is kept in the repository.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipse_store::{Position, ScrubPlace, Store, spawn_idle};
use tokio::sync::oneshot;

use crate::worker::{Doing, Work, WorkError};

/// A node that is switched on now and then only still gets through: this much is read at least.
const BYTES_PER_SECOND_MIN: u64 = 128 * 1024;
/// More than this is felt by others, so a cycle that is late stays late.
const BYTES_PER_SECOND_MAX: u64 = 32 * 1024 * 1024;
/// Bytes read in one step at the most.
const STEP_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What others read and write in a second from which on the node is busy.
const BUSY_BYTES_PER_SECOND: u64 = 2 * 1024 * 1024;
/// The rest of a scrub that waits for the node to be less busy.
const BUSY_REST: Duration = Duration::from_secs(30);
/// The longest rest, so that a setting of the clock is noticed.
const REST_MAX: Duration = Duration::from_secs(3600);
/// Steps between which the place is kept: what is read again after a crash is not worth a sync each time.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing for so long.
    Rest(Duration),
    /// Read so many bytes, and rest.
    Read(u64, Duration),
}

/// How fast a cycle goes. A value: time comes in as seconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Seconds in which everything is read once.
    interval: u64,
}

impl Pace {
    /// The cycle as it is to go on: the same, or a new one where it is over, was never begun, or lies in the future
    /// of a clock that was set back.
    fn cycle(self, place: Option<ScrubPlace>, now: u64) -> ScrubPlace {
        let anew = ScrubPlace { began: now, next: Some(Position::default()), ..ScrubPlace::default() };
        match place {
            Some(place) if place.began > now => ScrubPlace { began: now, ..place },
            Some(place) if place.next.is_some() || now < place.began.saturating_add(self.interval) => place,
            _ => anew,
        }
    }

    /// The next step of a cycle over so many bytes, while others move so many a second.
    fn step(self, place: &ScrubPlace, total: u64, busy: u64, now: u64) -> Step {
        let end = place.began.saturating_add(self.interval);
        let left = end.saturating_sub(now);
        if place.next.is_none() {
            return Step::Rest(Duration::from_secs(left.max(1)).min(REST_MAX));
        }
        // Only a cycle that is about to be late goes on in front of others.
        if busy > BUSY_BYTES_PER_SECOND && left > self.interval / 10 {
            return Step::Rest(BUSY_REST);
        }
        // A tenth of the time is spare, for blocks that come and days when the node is off.
        let planned = left.saturating_sub(self.interval / 10).max(1);
        let rate = total.saturating_sub(place.bytes) / planned;
        let rate = rate.clamp(BYTES_PER_SECOND_MIN, BYTES_PER_SECOND_MAX);
        let bytes = (rate * 10).min(STEP_BYTES_MAX);
        Step::Read(bytes, Duration::from_micros(bytes * 1_000_000 / rate))
    }
}

/// Whether the place is to be kept again. A clock that was set back must not hold this up until it is where it was.
const fn is_worth_keeping(kept: u64, now: u64) -> bool {
    now.abs_diff(kept) >= KEEP_EVERY.as_secs()
}

/// Reads everything again, a step each turn.
pub(crate) struct Scrub {
    store: Store,
    pace: Pace,
    place: Option<ScrubPlace>,
    kept: u64,
    /// What everybody read and wrote up to the last turn, and when that was.
    moved: (u64, u64),
    /// What of it was read by this worker since.
    own: u64,
}

impl Scrub {
    /// Over so many days, from where the repository says that it is.
    pub(crate) fn new(store: Store, days: u32) -> Self {
        // Without a place that can be read the cycle begins anew.
        let place = store.repo().scrub_place().ok().flatten();
        let pace = Pace { interval: u64::from(days) * 24 * 3600 };
        Self { store, pace, place, kept: 0, moved: (0, 0), own: 0 }
    }

    /// Bytes that others moved in each second since the last turn. What this worker read is no part of it.
    fn busy(&mut self, now: u64, own: u64) -> u64 {
        let counters = self.store.counters();
        let moved = counters.bytes_read.get() + counters.bytes_written.get();
        let (before, since) = self.moved;
        self.moved = (moved, now);
        moved.saturating_sub(before).saturating_sub(own) / now.saturating_sub(since).max(1)
    }

    fn keep(&mut self, place: ScrubPlace, now: u64) -> Result<(), WorkError> {
        let through = place.next.is_none();
        self.place = Some(place);
        if through || is_worth_keeping(self.kept, now) {
            self.store.repo().write_scrub_place(&place)?;
            self.kept = now;
        }
        Ok(())
    }
}

impl Work for Scrub {
    fn name(&self) -> String {
        "scrub".into()
    }

    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut place = self.pace.cycle(self.place, now);
        let store = self.store.clone();
        let total = tokio::task::spawn_blocking(move || store.block_bytes()).await??;
        let own = std::mem::take(&mut self.own);
        let busy = self.busy(now, own);
        let step = self.pace.step(&place, total, busy, now);
        let rest = match (step, place.next) {
            (Step::Read(bytes, rest), Some(from)) => {
                let (answer, answered) = oneshot::channel();
                let store = self.store.clone();
                spawn_idle(move || {
                    // The worker may have ended meanwhile; then nobody needs to know.
                    let _ = answer.send(store.scrub(from, bytes));
                })?;
                let scrubbed = answered.await??;
                self.own = scrubbed.bytes;
                for damage in &scrubbed.damages {
                    tracing::error!(%damage, "the scrub found damage");
                }
                place.next = scrubbed.next;
                place.bytes += scrubbed.bytes;
                place.damages += scrubbed.damages.len() as u64;
                self.keep(place, now)?;
                rest
            }
            (Step::Rest(rest) | Step::Read(_, rest), _) => rest,
        };
        doing.say(said(&place, total, busy, self.pace.interval, now));
        Ok(rest)
    }
}

/// The state in words.
fn said(place: &ScrubPlace, total: u64, busy: u64, interval: u64, now: u64) -> String {
    let days = |seconds: u64| seconds / (24 * 3600);
    let damages = match place.damages {
        0 => String::new(),
        found => format!(", {found} damaged: see `ipse repo verify`"),
    };
    match place.next {
        None => {
            let left = place.began.saturating_add(interval).saturating_sub(now);
            format!("all {} bytes were read; again in {} days{damages}", place.bytes, days(left))
        }
        Some(next) => {
            let pause = if busy > BUSY_BYTES_PER_SECOND { ", pauses while the node is busy" } else { "" };
            let since = days(now.saturating_sub(place.began));
            format!(
                "{} of {total} bytes read in {since} of {} days, at {next}{pause}{damages}",
                place.bytes,
                days(interval)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;
    const PACE: Pace = Pace { interval: 30 * DAY };

    /// Runs a cycle with the clock as a number; answers how many seconds it took. `on` says when the node runs.
    fn cycle(total: u64, busy: impl Fn(u64) -> u64, on: impl Fn(u64) -> bool) -> u64 {
        let began = 1_000_000;
        let mut place = PACE.cycle(None, began);
        let mut micros = began * 1_000_000;
        while place.next.is_some() {
            let now = micros / 1_000_000;
            if !on(now - began) {
                micros += 3_600_000_000;
                continue;
            }
            match PACE.step(&place, total, busy(now - began), now) {
                Step::Rest(rest) => micros += rest.as_micros() as u64,
                Step::Read(bytes, rest) => {
                    micros += rest.as_micros() as u64;
                    place.bytes += bytes;
                    place.next = Some(Position::default()).filter(|_| place.bytes < total);
                }
            }
        }
        micros / 1_000_000 - began
    }

    #[test]
    fn everything_is_read_within_the_interval_whatever_its_size() {
        for total in [0, 1 << 20, 1 << 34, 1 << 40] {
            let took = cycle(total, |_| 0, |_| true);
            assert!(took <= 27 * DAY + 3600, "{total}: {took}");
        }
        // A terabyte is spread over the time, a small store is not.
        assert!(cycle(1 << 40, |_| 0, |_| true) > 20 * DAY);
        assert!(cycle(1 << 30, |_| 0, |_| true) < DAY);
    }

    #[test]
    fn a_node_that_is_busy_or_often_off_gets_through_too() {
        let daytime = |at: u64| (at % DAY) < DAY / 3;
        assert!(cycle(1 << 40, |at| if daytime(at) { u64::MAX } else { 0 }, |_| true) <= 30 * DAY);
        assert!(cycle(1 << 37, |_| 0, |at| at % DAY < 3600) <= 30 * DAY);
        // One that is busy all the time is made to wait at the end only.
        let took = cycle(1 << 36, |_| u64::MAX, |_| true);
        assert!((27 * DAY..30 * DAY).contains(&took), "{took}");
    }

    #[test]
    fn cycles_follow_each_other_and_survive_a_wrong_clock() {
        let first = PACE.cycle(None, 1000);
        assert_eq!((first.began, first.next), (1000, Some(Position::default())));
        let through = ScrubPlace { next: None, bytes: 7, ..first };
        assert_eq!(PACE.cycle(Some(through), 1000 + 30 * DAY - 1), through);
        assert_eq!(PACE.step(&through, 7, 0, 1000), Step::Rest(REST_MAX));
        assert_eq!(PACE.cycle(Some(through), 1000 + 30 * DAY), PACE.cycle(None, 1000 + 30 * DAY));
        // Set back: the cycle goes on where it is. Set forward: it is late, and no faster than the bound.
        let half = ScrubPlace { bytes: 5, ..first };
        assert_eq!(PACE.cycle(Some(half), 10), ScrubPlace { began: 10, ..half });
        let late = PACE.step(&half, 1 << 50, 0, 1000 + 400 * DAY);
        assert_eq!(late, Step::Read(STEP_BYTES_MAX, Duration::from_millis(125)));
        // Its place is kept every minute, whichever way the clock went.
        assert!(
            !is_worth_keeping(1000, 1059) && is_worth_keeping(1000, 1060) && is_worth_keeping(90 * DAY, 1000)
        );
    }
}
