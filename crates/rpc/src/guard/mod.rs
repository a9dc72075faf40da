//! Who may call: the checks that a request passes before anybody reads what it asks for.
//!
//! The RPC can do everything that the node can, and it listens where every program of the machine, and every
//! web page open in its browsers, can reach it. Hence: tokens where the owner set them, no foreign web pages, no
//! programs of another version that would misread the answers.

mod agent;
mod authorization;
mod origin;

pub(crate) use agent::{is_browser, version_mismatch};
pub use authorization::Authorization;
pub(crate) use authorization::is_authorized;
pub(crate) use origin::Origins;
