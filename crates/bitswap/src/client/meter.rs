//! Meter: how fast and how far away a peer is, and what follows for the bytes to ask of it.
//!
//! The window is twice bandwidth times round trip. While the link is faster than the window, what arrives in a
//! round trip is the window itself, so it doubles each round trip until the link is full; then it stays. The
//! round trip is the smallest ever seen, or the queue that the window builds would feed it.

use std::time::{Duration, Instant};

use ipse_base::limits::{SESSION_ASKED_BYTES_MAX, SESSION_ASKED_BYTES_START};

use crate::limits::{SILENCE_MIN, SILENCE_ROUND_TRIPS, WINDOW_FLOOR};

/// Shortest time over which a rate is taken.
const INTERVAL_MIN: Duration = Duration::from_millis(25);
/// Rates of which the highest counts: a pause of the sender should not shrink the window.
const RATES: usize = 8;
/// Latencies from which the percentile is taken, and after how many new ones it is taken again.
const LATENCIES: usize = 128;
const LATENCIES_STEP: usize = 16;
/// Smallest window, in bytes.
const WINDOW_BYTES_MIN: u64 = 512 * 1024;
/// What an unknown peer is guessed to give, in bytes a second, and its round trip.
const GUESSED_RATE: f64 = 8.0 * 1024.0 * 1024.0;
const GUESSED_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Measurements of one peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    round_trip_min: Option<Duration>,
    interval_start: Option<Instant>,
    interval_bytes: u64,
    /// Whether the window was full in this interval, so that its rate says what the link can do.
    interval_full: bool,
    rates: [f64; RATES],
    rate_count: usize,
    /// Smoothed rate of every interval, full or not.
    pace: Option<f64>,
    latencies: Vec<Duration>,
    latency_count: usize,
    percentile_95: Option<Duration>,
}

impl Meter {
    /// A round trip that was measured elsewhere, or an answer to a want.
    pub(super) fn answered(&mut self, latency: Duration) {
        self.round_trip_min = Some(self.round_trip_min.map_or(latency, |least| least.min(latency)));
    }

    /// Time from asking for a block to having it.
    pub(super) fn block_latency(&mut self, latency: Duration) {
        if self.latencies.len() < LATENCIES {
            self.latencies.push(latency);
        } else {
            self.latencies[self.latency_count % LATENCIES] = latency;
        }
        self.latency_count += 1;
        if self.latency_count.is_multiple_of(LATENCIES_STEP) {
            let mut sorted = self.latencies.clone();
            let index = sorted.len() * 95 / 100;
            self.percentile_95 = Some(*sorted.select_nth_unstable(index).1);
        }
    }

    /// The peer has been idle and is asked for something now.
    pub(super) fn begin(&mut self, now: Instant) {
        self.interval_start = Some(now);
        self.interval_bytes = 0;
        self.interval_full = false;
    }

    /// The window is full.
    pub(super) fn full(&mut self) {
        self.interval_full = true;
    }

    /// Bytes arrived.
    pub(super) fn received(&mut self, bytes: u64, is_full: bool, now: Instant) {
        self.interval_bytes += bytes;
        let start = *self.interval_start.get_or_insert(now);
        let elapsed = now.saturating_duration_since(start);
        if elapsed < self.round_trip_min.unwrap_or_default().max(INTERVAL_MIN) {
            return;
        }
        let rate = self.interval_bytes as f64 / elapsed.as_secs_f64();
        self.pace = Some(self.pace.map_or(rate, |pace| pace * 0.75 + rate * 0.25));
        // With the window not full, the rate says what was asked and not what could have come.
        if self.interval_full || rate > self.bandwidth().unwrap_or(f64::INFINITY) {
            self.rates[self.rate_count % RATES] = rate;
            self.rate_count += 1;
        }
        self.begin(now);
        self.interval_full = is_full;
    }

    /// Bytes a second that the peer can give.
    pub(super) fn bandwidth(&self) -> Option<f64> {
        let known = &self.rates[..self.rate_count.min(RATES)];
        known.iter().copied().reduce(f64::max)
    }

    /// Bytes to have asked for at once.
    pub(super) fn window(&self) -> u64 {
        let Some(bandwidth) = self.bandwidth() else { return SESSION_ASKED_BYTES_START };
        let round_trip = self.round_trip_min.unwrap_or(GUESSED_ROUND_TRIP);
        let floor = (bandwidth * WINDOW_FLOOR.as_secs_f64()) as u64;
        let floor = floor.clamp(WINDOW_BYTES_MIN, SESSION_ASKED_BYTES_START);
        ((2.0 * bandwidth * round_trip.as_secs_f64()) as u64).clamp(floor, SESSION_ASKED_BYTES_MAX)
    }

    /// When `bytes` more than those asked for already would be here.
    pub(super) fn expected(&self, bytes: u64) -> Duration {
        let rate = self.bandwidth().or(self.pace).unwrap_or(GUESSED_RATE).max(1.0);
        self.round_trip_min.unwrap_or(GUESSED_ROUND_TRIP) + Duration::from_secs_f64(bytes as f64 / rate)
    }

    /// How long an answer of so many bytes may take, with nothing else on the way, before it counts as lost.
    pub(super) fn silence(&self, bytes: u64) -> Duration {
        let rate = self.bandwidth().or(self.pace).unwrap_or(f64::INFINITY).max(1.0);
        SILENCE_MIN.max(self.round_trip_min.unwrap_or_default() * SILENCE_ROUND_TRIPS)
            + Duration::from_secs_f64(bytes as f64 / rate)
    }

    /// How long a block may take before another peer is asked for it too.
    pub(super) fn lateness(&self) -> Option<Duration> {
        self.percentile_95.map(|latency| (latency * 2).max(INTERVAL_MIN * 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A peer that gives all of the window each round trip, up to the link's rate.
    fn run(meter: &mut Meter, round_trip: Duration, link: f64, rounds: u32) {
        let mut now = Instant::now();
        meter.answered(round_trip);
        meter.begin(now);
        for _ in 0..rounds {
            meter.full();
            let bytes = meter.window().min((link * round_trip.as_secs_f64()) as u64);
            now += round_trip;
            meter.received(bytes, true, now);
        }
    }

    #[test]
    fn the_window_doubles_until_the_link_is_full() {
        let round_trip = Duration::from_millis(50);
        let mut meter = Meter::default();
        assert_eq!(meter.window(), 4 * MIB);
        run(&mut meter, round_trip, 1e12, 1);
        assert_eq!(meter.window(), 8 * MIB);
        run(&mut meter, round_trip, 1e12, 12);
        assert_eq!(meter.window(), SESSION_ASKED_BYTES_MAX);

        let mut meter = Meter::default();
        run(&mut meter, round_trip, 400e6, 20);
        assert_eq!(meter.window(), 40_000_000);
    }

    #[test]
    fn a_slow_peer_gets_a_quarter_of_a_second() {
        let mut meter = Meter::default();
        run(&mut meter, Duration::from_millis(25), 4e6, 20);
        assert_eq!(meter.window(), 1_000_000);
        assert!(meter.expected(2_000_000) > Duration::from_millis(500));
    }

    #[test]
    fn rates_of_a_window_that_is_not_full_do_not_shrink_it() {
        let mut meter = Meter::default();
        let now = Instant::now();
        meter.answered(Duration::from_millis(1));
        meter.begin(now);
        meter.received(100, false, now + Duration::from_secs(1));
        assert_eq!(meter.window(), 4 * MIB);
        assert_eq!(meter.bandwidth(), None);
    }

    #[test]
    fn lateness_is_twice_the_95th_percentile() {
        let mut meter = Meter::default();
        (1..=LATENCIES as u64).for_each(|ms| meter.block_latency(Duration::from_millis(ms)));
        assert_eq!(meter.lateness(), Some(Duration::from_millis(2 * (128 * 95 / 100 + 1))));
    }

    #[test]
    fn silence_allows_for_distance_and_for_the_block_itself() {
        let mut meter = Meter::default();
        assert_eq!(meter.silence(MIB), SILENCE_MIN);
        meter.answered(Duration::from_millis(500));
        assert_eq!(meter.silence(MIB), Duration::from_secs(2));
        let now = Instant::now();
        meter.begin(now);
        meter.received(MIB, false, now + Duration::from_secs(2));
        assert_eq!(meter.silence(2 * MIB), Duration::from_secs(6));
    }
}
