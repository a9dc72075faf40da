//! Misses: wants of peers that are not here. Each costs the exchange a few microseconds, and all peers share it: a
//! hundred peers that ask for thousands of made-up names a second would leave it no time for anybody else.
//!
//! So what a peer asked for in vain is its debt, which time pays off. Whoever is deep in debt takes turns with others
//! like him before his next wants are taken in: his stream is not read meanwhile, and nothing is lost. Peers that
//! ask for what is here are never in debt, however fast they are.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Misses that a peer may have at once.
const MISSES_MAX: u64 = 1024;
/// Misses that time pays off, a second.
const PAID_PER_SECOND: u64 = 128;
/// How long a want of somebody in debt takes: all of them together are kept to a few in a hundred of a processor.
const TURN_PER_WANT: Duration = Duration::from_micros(50);

/// What one connection's peer owes.
#[derive(Debug)]
pub(crate) struct Debt(Mutex<State>);

#[derive(Debug)]
struct State {
    misses: u64,
    at: Instant,
}

/// The turn of those who are in debt.
#[derive(Debug)]
pub(crate) struct Debtors(Semaphore);

impl Default for Debt {
    fn default() -> Self {
        Self(Mutex::new(State { misses: 0, at: Instant::now() }))
    }
}

impl Debt {
    /// Adds so many misses, none to let time pass; what is owed now.
    pub(crate) fn add(&self, misses: u64) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let paid = (now - state.at).as_millis() as u64 * PAID_PER_SECOND / 1000;
        if paid > 0 {
            state.misses = state.misses.saturating_sub(paid);
            state.at = now;
        }
        state.misses = state.misses.saturating_add(misses).min(2 * MISSES_MAX);
        state.misses
    }
}

impl Default for Debtors {
    fn default() -> Self {
        Self(Semaphore::const_new(1))
    }
}

impl Debtors {
    /// Returns when so many wants may be taken in: at once, unless the peer is deep in debt. Dropping it gives the
    /// turn up.
    pub(crate) async fn turn(&self, debt: &Debt, wants: usize) -> bool {
        if debt.add(0) <= MISSES_MAX {
            return false;
        }
        // Nobody closes it.
        let _turn = self.0.acquire().await;
        tokio::time::sleep(TURN_PER_WANT.saturating_mul(u32::try_from(wants).unwrap_or(u32::MAX))).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn debts_are_paid_by_time_and_do_not_grow_without_end() {
        let debt = Debt::default();
        assert_eq!(debt.add(MISSES_MAX), MISSES_MAX);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(debt.add(0), MISSES_MAX - PAID_PER_SECOND);
        assert_eq!(debt.add(u64::MAX / 2), 2 * MISSES_MAX);
        tokio::time::advance(Duration::from_secs(2 * MISSES_MAX / PAID_PER_SECOND)).await;
        assert_eq!(debt.add(0), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn those_in_debt_wait_for_one_another_and_nobody_else_does() {
        let (debtors, debt) = (Debtors::default(), Debt::default());
        debt.add(MISSES_MAX + PAID_PER_SECOND);
        let start = Instant::now();
        let all = futures::future::join_all((0..4).map(|_| debtors.turn(&debt, 1000)));
        let mut all = std::pin::pin!(all);
        assert!(futures::poll!(&mut all).is_pending());
        assert_eq!(debtors.turn(&Debt::default(), 1000).now_or_never(), Some(false));
        all.await;
        assert!(start.elapsed() >= TURN_PER_WANT * 4000);
    }
}
