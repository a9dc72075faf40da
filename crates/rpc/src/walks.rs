//! Walks: how many commands run at the same time that hold what they have read ahead (`get`, `refs`, archives).
//!
//! A client that starts such a command and takes nothing of the reply holds its place. While there are places that
//! hurts nobody, so it may; where others wait, the one that has stood still the longest is broken off. One after the
//! other, and not all that stand still at once: whoever gets a place begins by reading and sending what its
//! connection takes, and as many of them as there are places would keep everybody else waiting meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipse_base::limits::{RPC_WALK_STALL_SECONDS, RPC_WALKS_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::reply::Meter;

/// How often it is looked whether somebody stands still.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one may stand still.
const STALL: Duration = Duration::from_secs(RPC_WALK_STALL_SECONDS);
/// The least time between two that are broken off: all places turn over in as long as one may stand still.
const CUT_EVERY: Duration = Duration::from_millis(RPC_WALK_STALL_SECONDS * 1000 / RPC_WALKS_MAX as u64);

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Walks {
    places: Arc<Semaphore>,
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    meters: Vec<Arc<Meter>>,
    /// When one was last broken off.
    cut: Option<Instant>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Walk {
    walks: Walks,
    pub(crate) meter: Arc<Meter>,
    #[expect(dead_code, reason = "held")]
    place: OwnedSemaphorePermit,
}

impl Default for Walks {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(RPC_WALKS_MAX)), running: Arc::default() }
    }
}

impl Walks {
    /// A place; waits for one. Nothing where the service ends.
    pub(crate) async fn enter(&self) -> Option<Walk> {
        let mut place = std::pin::pin!(self.places.clone().acquire_owned());
        let place = loop {
            match tokio::time::timeout(LOOK_EVERY, &mut place).await {
                Ok(place) => break place.ok()?,
                Err(_) => self.cut_stalled(),
            }
        };
        let meter = Meter::new();
        self.running().meters.push(meter.clone());
        Some(Walk { walks: self.clone(), meter, place })
    }

    fn cut_stalled(&self) {
        let now = Instant::now();
        let mut running = self.running();
        if running.cut.is_some_and(|cut| now < cut + CUT_EVERY) {
            return;
        }
        let longest = running.meters.iter().max_by_key(|meter| meter.stalled());
        if let Some(meter) = longest.filter(|meter| meter.stalled() >= STALL) {
            meter.cut();
            running.cut = Some(now);
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.walks.running().meters.retain(|meter| !Arc::ptr_eq(meter, &self.meter));
    }
}

/// Whether a command is one of those: not `cat`, which reads by position, nor what stays open to be watched.
pub(crate) fn is_walk(words: &[&str]) -> bool {
    matches!(
        words,
        ["get" | "ls" | "refs"]
            | ["dag", "export" | "stat"]
            | ["refs", "local"]
            | ["repo", "ls" | "backup"]
            | ["pin", "ls" | "verify"]
    )
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_others_wait_the_one_that_stands_still_is_cut() {
        let walks = Walks::default();
        let mut all = Vec::new();
        for _ in 0..RPC_WALKS_MAX {
            all.push(walks.enter().await.unwrap());
        }
        let held = all[7].meter.count(vec![0; 10].into());
        let newcomer = tokio::spawn({
            let walks = walks.clone();
            async move { walks.enter().await.is_some() }
        });
        let cut = std::future::poll_fn(|context| all[7].meter.poll_room(context));
        assert!(cut.await.is_err());
        let others = all[6].meter.poll_room(&Context::from_waker(Waker::noop()));
        assert!(matches!(others, std::task::Poll::Ready(Ok(()))), "it waits for its own command");
        drop((held, all.remove(7)));
        assert!(newcomer.await.unwrap());
        assert_eq!(walks.running().meters.len(), RPC_WALKS_MAX - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_stand_still_are_cut_one_after_the_other() {
        let walks = Walks::default();
        let mut all = Vec::new();
        for _ in 0..RPC_WALKS_MAX {
            let walk = walks.enter().await.unwrap();
            let held = walk.meter.count(vec![0; 10].into());
            all.push((walk, held));
        }
        let drop_cut = |all: &mut Vec<(Walk, _)>| {
            let poll = |walk: &Walk| walk.meter.poll_room(&Context::from_waker(Waker::noop()));
            all.retain(|(walk, _)| !matches!(poll(walk), std::task::Poll::Ready(Err(_))));
            RPC_WALKS_MAX - all.len()
        };
        tokio::time::advance(STALL).await;
        for cut in 1..=3 {
            // However many look.
            for _ in 0..3 {
                walks.cut_stalled();
                assert_eq!(drop_cut(&mut all), cut);
            }
            tokio::time::advance(CUT_EVERY).await;
        }
    }
}
