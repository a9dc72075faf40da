//! The laboratory: programs under test, their children, what they are fed with, and the machine's own limits.

pub(crate) mod archive;
pub(crate) mod boxo;
pub(crate) mod command;
pub(crate) mod content;
pub(crate) mod disk;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod limits;
pub(crate) mod nginx;
pub(crate) mod node;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod wrk;
