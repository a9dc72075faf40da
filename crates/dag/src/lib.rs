//! Codecs, links, bounded walks, path resolution and CAR archives

mod planner;
pub use planner::{Budget, Planner};
