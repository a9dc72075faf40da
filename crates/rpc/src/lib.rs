//! The private HTTP door: the node's commands under `/api/v0`, wire-compatible with the reference node's clients.
//!
//! It reads requests against the table of `ipse-api`, runs them on a [`Node`](ipse_node::Node), and frames the
//! answers. What commands do is the node's business; what they print is the command line's. Floor 5.
//!
//! Read first: [`Service`] (a request in, a response out), [`serve`] (the listener) and [`ServiceOptions`] (who
//! may call).
//!
//! ```no_run
//! # async fn example(node: ipse_node::Node) -> Result<(), Box<dyn std::error::Error>> {
//! use ipse_rpc::{Service, ServiceOptions, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:5001").await?;
//! let options = ServiceOptions::from_settings(node.settings(), Some(5001)).map_err(|failure| failure.to_string())?;
//! let stop = node.clone();
//! serve(listener, Service::new(node, options), async move { stop.stop_requested().await }).await;
//! # Ok(())
//! # }
//! ```

mod commands;
mod context;
mod failure;
mod guard;
mod local;
mod multipart;
mod narrow;
mod options;
mod reply;
mod serve;
mod service;
mod upload;
mod walks;
mod webui;

pub use failure::Failure;
pub use guard::Authorization;
pub use options::{LogControl, ServiceOptions};
pub use reply::{BoxError, BrokenOff, ReplyBody};
pub use serve::{Listener, serve};
pub use service::{Hint, Service};
