//! Remote: the RPC of a running daemon, over TCP or a Unix socket.

mod address;
mod authorization;
mod connection;
mod local;

pub(crate) use address::ApiAddress;
pub(crate) use authorization::authorization;
pub(crate) use connection::Connection;
pub(crate) use local::LocalAdd;
