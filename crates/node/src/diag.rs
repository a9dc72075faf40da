//! Looks into the running node: what its parts counted, and what its workers are at.

use std::sync::{Arc, Mutex, PoisonError};

use ipse_base::{Count, Counted};

use crate::{Node, WorkerInfo};

/// The parts that count. Each registers once, when it is made.
#[derive(Default)]
pub(crate) struct Parts(Mutex<Vec<Arc<dyn Counted>>>);

impl Parts {
    fn add(&self, part: Arc<dyn Counted>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    fn counts(&self) -> Vec<(&'static str, Vec<Count>)> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|part| (part.part(), part.counts())).collect()
    }
}

impl Node {
    /// Adds a part, such as a door, to those whose counters [`Node::counts`] tells. Once for each part.
    pub fn register_counters(&self, part: Arc<dyn Counted>) {
        self.inner.parts.add(part);
    }

    /// The counters of every part since the node was started, by part.
    pub fn counts(&self) -> Vec<(&'static str, Vec<Count>)> {
        self.inner.parts.counts()
    }

    /// The background work of this node.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.inner.workers.list()
    }
}
