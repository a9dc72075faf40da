//! When may what arrives now leave?

use std::time::{Duration, Instant};

/// How long a narrow road lets packets queue before it is full.
const QUEUE: Duration = Duration::from_millis(100);

/// One direction of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Road {
    delay: Duration,
    /// Bytes a second; None has no limit.
    rate: Option<f64>,
    loss: f64,
    /// When the narrow place is free again.
    free: Option<Instant>,
}

impl Road {
    /// A road that only takes time.
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, rate: None, loss: 0.0, free: None }
    }

    /// Lets so many bytes pass a second.
    pub(crate) fn narrow(mut self, bytes_a_second: f64) -> Self {
        self.rate = Some(bytes_a_second.max(1.0));
        self
    }

    /// Loses a share of the packets, from 0 to 1.
    pub(crate) fn lossy(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// When bytes that arrive now leave.
    pub(crate) fn leaves(&mut self, now: Instant, bytes: usize) -> Instant {
        let through = match self.rate {
            None => now,
            Some(rate) => {
                let start = self.free.map_or(now, |free| free.max(now));
                start + Duration::from_secs_f64(bytes as f64 / rate)
            }
        };
        self.free = Some(through);
        through + self.delay
    }

    /// When a packet leaves; None if it is lost, by chance or because the queue is full.
    pub(crate) fn packet(&mut self, now: Instant, bytes: usize, chance: f64) -> Option<Instant> {
        (chance >= self.loss && self.wait(now).is_zero()).then(|| self.leaves(now, bytes))
    }

    /// How long a sender that can be stopped should wait, because the queue is full.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let busy = self.free.map_or(Duration::ZERO, |free| free.saturating_duration_since(now));
        busy.saturating_sub(QUEUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_wide_road_only_takes_time() {
        let now = Instant::now();
        let mut road = Road::new(25 * MS);
        assert_eq!(road.leaves(now, 1 << 30), now + 25 * MS);
        assert_eq!(road.leaves(now, 1), now + 25 * MS);
        assert_eq!(road.wait(now), Duration::ZERO);
    }

    #[test]
    fn a_narrow_road_lets_bytes_pass_one_after_another() {
        let now = Instant::now();
        let mut road = Road::new(10 * MS).narrow(1000.0);
        assert_eq!(road.leaves(now, 100), now + 110 * MS);
        assert_eq!(road.leaves(now, 100), now + 210 * MS);
        // 200 ms of work are ahead, of which 100 may queue.
        assert_eq!(road.wait(now), 100 * MS);
        let later = now + 1000 * MS;
        assert_eq!(road.wait(later), Duration::ZERO);
        assert_eq!(road.leaves(later, 100), later + 110 * MS);
    }

    #[test]
    fn packets_are_lost_by_chance_and_at_a_full_queue() {
        let now = Instant::now();
        let mut road = Road::new(MS).narrow(1000.0).lossy(0.5);
        assert_eq!(road.packet(now, 10, 0.4), None);
        assert_eq!(road.packet(now, 90, 0.6), Some(now + 91 * MS));
        assert_eq!(road.packet(now, 90, 0.6), Some(now + 181 * MS));
        assert_eq!(road.packet(now, 90, 0.6), None);
        assert_eq!(road.packet(now + 80 * MS, 90, 0.6), Some(now + 271 * MS));
    }
}
