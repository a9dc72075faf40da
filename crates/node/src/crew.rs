//! Crew: threads that do jobs in any order and hand the results out in the order of the jobs.
//!
//! The one who waits for a result does jobs too, so that a small add starts no thread and a large one keeps every
//! processor busy. How much is under way is the caller's to bound, by [`Crew::weight`].

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Threads beside the one who waits: with it, one a processor, and no more than help.
const HELPERS_MAX: usize = 7;

/// Jobs of one kind and those who do them.
pub(crate) struct Crew<J, R> {
    shared: Arc<Shared<J, R>>,
    helpers: Vec<JoinHandle<()>>,
    helpers_max: usize,
    /// The weight of each job whose result was not taken, oldest first.
    weights: VecDeque<usize>,
    weight: usize,
}

struct Shared<J, R> {
    work: Box<dyn Fn(J) -> R + Send + Sync>,
    ring: Mutex<Ring<J, R>>,
    /// There is a job to begin, or none will come any more.
    begun: Condvar,
    /// The oldest job is done.
    done: Condvar,
}

struct Ring<J, R> {
    slots: VecDeque<Slot<J, R>>,
    /// The number of the oldest job in `slots`.
    first: u64,
    /// The number of the first job that nobody has begun.
    next: u64,
    closed: bool,
}

enum Slot<J, R> {
    Waiting(J),
    Running,
    Done(R),
    /// Whoever did it panicked.
    Lost,
}

impl<J: Send + 'static, R: Send + 'static> Crew<J, R> {
    pub(crate) fn new(work: impl Fn(J) -> R + Send + Sync + 'static) -> Self {
        let ring = Ring { slots: VecDeque::new(), first: 0, next: 0, closed: false };
        let shared = Shared {
            work: Box::new(work),
            ring: Mutex::new(ring),
            begun: Condvar::new(),
            done: Condvar::new(),
        };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self {
            shared: Arc::new(shared),
            helpers: Vec::new(),
            helpers_max: (processors - 1).min(HELPERS_MAX),
            weights: VecDeque::new(),
            weight: 0,
        }
    }

    /// What all jobs weigh together whose results were not taken yet.
    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }

    /// Whether all results were taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Gives a job out.
    pub(crate) fn push(&mut self, job: J, weight: usize) {
        let mut ring = self.shared.ring();
        ring.slots.push_back(Slot::Waiting(job));
        let waiting = ring.first + ring.slots.len() as u64 - ring.next;
        drop(ring);
        self.shared.begun.notify_one();
        self.weights.push_back(weight);
        self.weight += weight;
        if waiting > 1 && self.helpers.len() < self.helpers_max {
            let shared = Arc::clone(&self.shared);
            let helper = thread::Builder::new().name("ipse-hash".into()).spawn(move || shared.help());
            // A system that gives no thread leaves more to the one who waits.
            self.helpers.extend(helper);
        }
    }

    /// The result of the oldest job; `None` where there is no job, or where it was lost by a panic.
    pub(crate) fn take(&mut self) -> Option<R> {
        self.weight -= self.weights.pop_front()?;
        let mut ring = self.shared.ring();
        loop {
            if matches!(ring.slots.front(), Some(Slot::Done(_) | Slot::Lost)) {
                ring.first += 1;
                return match ring.slots.pop_front() {
                    Some(Slot::Done(result)) => Some(result),
                    _ => None,
                };
            }
            ring = match ring.begin() {
                Some((number, job)) => {
                    drop(ring);
                    self.shared.run(number, job);
                    self.shared.ring()
                }
                None => self.shared.done.wait(ring).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl<J, R> Drop for Crew<J, R> {
    fn drop(&mut self) {
        let mut ring = self.shared.ring();
        ring.closed = true;
        drop(ring);
        self.shared.begun.notify_all();
        for helper in self.helpers.drain(..) {
            // One that panicked has nothing more to end.
            let _ = helper.join();
        }
    }
}

impl<J, R> Ring<J, R> {
    /// The first job that nobody has begun; it is the caller's then.
    fn begin(&mut self) -> Option<(u64, J)> {
        let place = usize::try_from(self.next - self.first).ok()?;
        let slot = self.slots.get_mut(place)?;
        match std::mem::replace(slot, Slot::Running) {
            Slot::Waiting(job) => {
                self.next += 1;
                Some((self.next - 1, job))
            }
            other => {
                *slot = other;
                None
            }
        }
    }
}

impl<J, R> Shared<J, R> {
    fn ring(&self) -> MutexGuard<'_, Ring<J, R>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help(&self) {
        let mut ring = self.ring();
        loop {
            if ring.closed {
                return;
            }
            ring = match ring.begin() {
                Some((number, job)) => {
                    drop(ring);
                    self.run(number, job);
                    self.ring()
                }
                None => self.begun.wait(ring).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn run(&self, number: u64, job: J) {
        let mut ending = Ending { shared: self, number, slot: Slot::Lost };
        ending.slot = Slot::Done((self.work)(job));
    }
}

/// Says that a job is over, also when doing it panicked: nobody may wait for it for ever.
struct Ending<'a, J, R> {
    shared: &'a Shared<J, R>,
    number: u64,
    slot: Slot<J, R>,
}

impl<J, R> Drop for Ending<'_, J, R> {
    fn drop(&mut self) {
        let mut ring = self.shared.ring();
        // The oldest job is only ever taken when it is over, so it has not left the ring.
        let Ok(place) = usize::try_from(self.number - ring.first) else { return };
        if let Some(slot) = ring.slots.get_mut(place) {
            *slot = std::mem::replace(&mut self.slot, Slot::Lost);
        }
        drop(ring);
        if place == 0 {
            self.shared.done.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut crew = Crew::new(|number: u64| {
            // Work of different length, so that jobs end out of order.
            (0..number % 7 * 1000).fold(number, |sum, n| std::hint::black_box(sum + n - n))
        });
        let (mut pushed, mut taken) = (0, 0);
        while taken < 2000 {
            while pushed < 2000 && crew.weight() < 50 {
                crew.push(pushed, 10);
                pushed += 1;
            }
            assert_eq!(crew.take(), Some(taken));
            taken += 1;
        }
        assert!(crew.is_empty() && crew.weight() == 0 && crew.take().is_none());
    }

    #[test]
    fn a_job_that_panics_is_lost_and_the_others_are_not() {
        let mut crew = Crew::new(|number: u32| {
            assert!(number != 3 || thread::current().name() != Some("ipse-hash"), "planned");
            number
        });
        for number in 0..64 {
            crew.push(number, 1);
        }
        let results: Vec<_> = (0..64).map(|_| crew.take()).collect();
        assert!(results.iter().enumerate().all(|(n, r)| n == 3 || *r == Some(n as u32)));
    }

    #[test]
    fn what_is_not_taken_holds_nobody_up() {
        let mut crew = Crew::new(|number: u32| number);
        (0..64).for_each(|number| crew.push(number, 1));
        assert_eq!(crew.take(), Some(0));
        drop(crew);
    }
}
