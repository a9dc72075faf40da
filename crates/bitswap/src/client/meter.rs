//! Meter: how fast and how far away a peer is, and what follows for the bytes to ask of it.
//!
//! The window opens like TCP's: with every byte that arrives while it is full it grows by as much, so that it doubles
//! each round trip, until rounds bring no more than the one before. From then on it is twice bandwidth times round
//! trip. While the link is faster than that, what arrives in a round trip is the window itself, so it goes on
//! doubling. The round trip is the smallest ever seen, or the queue that the window builds would feed it.
//!
//! Why opening is a phase of its own: the first block of a long path comes after a round trip in which nothing
//! came. Taken for a rate that shrinks the window to almost nothing, just when it should open.

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

/// Growth of the rate from one round to the next that says that the link is not full.
const GROWTH: f64 = 1.25;
/// Rounds without growth that end the opening; the first of them stops it.
const FLAT_ROUNDS_MAX: u32 = 3;

/// Measurements of one peer.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    round_trip_min: Option<Duration>,
    opening: Option<Opening>,
    round: Option<Round>,
    rates: [f64; RATES],
    rate_count: usize,
    /// Smoothed rate of every round, full or not.
    pace: Option<f64>,
    latencies: Vec<Duration>,
    latency_count: usize,
    percentile_95: Option<Duration>,
}

/// The window of a link whose bandwidth is not found yet.
#[derive(Debug, Clone)]
struct Opening {
    window: u64,
    best_rate: f64,
    flat_rounds: u32,
}

/// About a round trip of arrivals. It begins with the first that comes after a pause: the wait for that one says
/// how far the peer is, and nothing of its rate.
#[derive(Debug, Clone)]
struct Round {
    start: Instant,
    bytes: u64,
    /// Whether the window was full meanwhile, so that the rate says what the link can do.
    full: bool,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            round_trip_min: None,
            opening: Some(Opening { window: SESSION_ASKED_BYTES_START, best_rate: 0.0, flat_rounds: 0 }),
            round: None,
            rates: [0.0; RATES],
            rate_count: 0,
            pace: None,
            latencies: Vec::new(),
            latency_count: 0,
            percentile_95: None,
        }
    }
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
    pub(super) fn begin(&mut self) {
        self.round = None;
    }

    /// The window is full.
    pub(super) fn full(&mut self) {
        if let Some(round) = &mut self.round {
            round.full = true;
        }
    }

    /// Bytes arrived, with the window full or not.
    pub(super) fn received(&mut self, bytes: u64, is_full: bool, now: Instant) {
        if let Some(opening) = self.opening.as_mut().filter(|opening| is_full && opening.flat_rounds == 0) {
            opening.window = (opening.window + bytes).min(SESSION_ASKED_BYTES_MAX);
        }
        let Some(round) = &mut self.round else {
            self.round = Some(Round { start: now, bytes: 0, full: is_full });
            return;
        };
        round.bytes += bytes;
        let elapsed = now.saturating_duration_since(round.start);
        if elapsed < self.round_trip_min.unwrap_or_default().max(INTERVAL_MIN) {
            return;
        }
        let (rate, was_full) = (round.bytes as f64 / elapsed.as_secs_f64(), round.full);
        self.round = Some(Round { start: now, bytes: 0, full: is_full });
        self.conclude(rate, was_full);
    }

    /// A round is over.
    fn conclude(&mut self, rate: f64, was_full: bool) {
        self.pace = Some(self.pace.map_or(rate, |pace| pace * 0.75 + rate * 0.25));
        // With the window not full, the rate says what was asked and not what could have come.
        if was_full || rate > self.bandwidth().unwrap_or(f64::INFINITY) {
            self.rates[self.rate_count % RATES] = rate;
            self.rate_count += 1;
        }
        let Some(opening) = &mut self.opening else { return };
        if rate >= opening.best_rate * GROWTH {
            opening.best_rate = rate;
            opening.flat_rounds = 0;
        } else if was_full {
            opening.flat_rounds += 1;
        }
        if opening.flat_rounds >= FLAT_ROUNDS_MAX {
            self.opening = None;
        }
    }

    /// Bytes a second that the peer can give.
    pub(super) fn bandwidth(&self) -> Option<f64> {
        let known = &self.rates[..self.rate_count.min(RATES)];
        known.iter().copied().reduce(f64::max)
    }

    /// Bytes to have asked for at once.
    pub(super) fn window(&self) -> u64 {
        if let Some(opening) = &self.opening {
            return opening.window;
        }
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

    /// A peer that gives all of the window each round trip, up to the link's rate, a block at a time.
    fn run(meter: &mut Meter, round_trip: Duration, link: f64, rounds: u32) {
        let mut now = Instant::now();
        meter.answered(round_trip);
        for _ in 0..rounds {
            meter.full();
            let bytes = meter.window().min((link * round_trip.as_secs_f64()) as u64);
            now += round_trip;
            (0..10).for_each(|_| meter.received(bytes / 10, true, now));
        }
    }

    #[test]
    fn the_window_doubles_until_the_link_is_full() {
        let round_trip = Duration::from_millis(50);
        let mut meter = Meter::default();
        for window in [4, 8, 16, 32, 64] {
            assert_eq!(meter.window() / 1000, window * MIB / 1000);
            run(&mut meter, round_trip, 1e12, 1);
        }
        run(&mut meter, round_trip, 1e12, 12);
        assert_eq!(meter.window(), SESSION_ASKED_BYTES_MAX);

        let mut meter = Meter::default();
        run(&mut meter, round_trip, 400e6, 30);
        assert!((36_000_000..=44_000_000).contains(&meter.window()), "{}", meter.window());
    }

    #[test]
    fn the_first_block_of_a_long_path_says_nothing_of_the_rate() {
        let mut meter = Meter::default();
        let now = Instant::now();
        meter.answered(Duration::from_millis(200));
        meter.received(1000, true, now);
        assert!(meter.window() >= 4 * MIB);
        assert_eq!((meter.bandwidth(), meter.pace), (None, None));
        // Nor does a walk that waits for each block before it asks for the next.
        for second in 1..10 {
            meter.begin();
            meter.received(1000, false, now + Duration::from_secs(second));
        }
        assert_eq!((meter.bandwidth(), meter.pace), (None, None));
    }

    #[test]
    fn a_slow_peer_gets_a_quarter_of_a_second() {
        let mut meter = Meter::default();
        run(&mut meter, Duration::from_millis(25), 4e6, 20);
        assert!((900_000..=1_100_000).contains(&meter.window()), "{}", meter.window());
        assert!(meter.expected(2_000_000) > Duration::from_millis(400));
    }

    #[test]
    fn rates_of_a_window_that_is_not_full_do_not_shrink_it() {
        let mut meter = Meter::default();
        let now = Instant::now();
        meter.answered(Duration::from_millis(1));
        (0..20).for_each(|second| meter.received(100, false, now + Duration::from_secs(second)));
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
        meter.received(MIB, false, now);
        meter.received(MIB, false, now + Duration::from_secs(2));
        assert_eq!(meter.silence(2 * MIB), Duration::from_secs(6));
    }
}
