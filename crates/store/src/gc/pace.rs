//! Pace: a collection rests while others use the store, the more the more they do. It takes longer then, and they
//! hardly notice it. Where space is short it does not rest: somebody waits for what it frees.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::lock;

/// Work between two looks at what others do.
const SLICE: Duration = Duration::from_millis(2);
/// Rest for each block that somebody looked for meanwhile.
const REST_EACH: Duration = Duration::from_micros(100);
/// Rest after one slice, however long it took and whatever others do.
const REST_MAX: Duration = Duration::from_millis(10);
/// Rest for work at the most: so that a collection comes to its end beside any load.
const REST_PARTS: u32 = 2;

pub(super) struct Pace {
    /// Blocks that anybody looked for since the collection began, the collection's own left out.
    looks: Arc<AtomicU64>,
    slice: Mutex<Slice>,
}

struct Slice {
    began: Instant,
    looks: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        let slice = Mutex::new(Slice { began: Instant::now(), looks: 0 });
        Self { looks: Arc::default(), slice }
    }

    /// Counts those who look for blocks.
    pub(super) fn looks(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.looks)
    }

    /// The last one who looked was the collection itself.
    pub(super) fn was_us(&self) {
        self.looks.fetch_sub(1, Ordering::Relaxed);
    }

    /// To be called often, with no lock held.
    pub(super) fn rest(&self, core: &Core) {
        let mut slice = lock(&self.slice);
        let worked = slice.began.elapsed();
        if worked < SLICE {
            return;
        }
        let looks = self.looks.load(Ordering::Relaxed);
        let others = u32::try_from(looks.saturating_sub(slice.looks)).unwrap_or(u32::MAX);
        if others > 0 && !core.is_short_of_space() {
            std::thread::sleep(rest(worked, others));
        }
        *slice = Slice { began: Instant::now(), looks };
    }
}

/// How long to rest after so much work, while others looked for so many blocks.
fn rest(worked: Duration, others: u32) -> Duration {
    REST_EACH.saturating_mul(others).min(worked.saturating_mul(REST_PARTS)).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_follows_what_others_do_within_bounds() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(2), 5), Duration::from_micros(500));
        assert_eq!(rest(ms(2), 1_000_000), ms(4));
        assert_eq!(rest(ms(900), u32::MAX), ms(10));
    }
}
