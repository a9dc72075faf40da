//! The laws of the house as tests. Each reads the manifests or the sources and
//! says, where a law is broken, in which line and what to do instead.
//!
//! What is a law and why is told in ARCHITECTURE.md; here is only how it is
//! kept.
// A test that cannot read its subject has nothing better to do than to panic.
#![allow(clippy::unwrap_used)]

mod code;
mod crates;
mod floors;
mod imports;
mod lints;
mod modules;
mod reach;
mod sizes;
mod tracked;

/// Fails with every violation at once: whoever broke a law in five places
/// wants to hear of five places.
fn obey(law: &str, remedy: &str, broken: &[String]) {
    assert!(broken.is_empty(), "\n{law}\n  {}\n{remedy}\n", broken.join("\n  "));
}
