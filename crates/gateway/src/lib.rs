//! The public door: `/ipfs/CID/path` over HTTP (path gateway specification).
//!
//! Not here: anything that changes the node (`rpc`), and peers (`net`). Floor 5: it holds a
//! [`Node`](ipse_node::Node), translates, and owns the table from error kind to HTTP status.
//!
//! Read first: [`Gateway`] (one request in, one response out), `content` (files and directories) and `range`.
//!
//! ```no_run
//! # async fn example(node: ipse_node::Node) -> std::io::Result<()> {
//! use ipse_gateway::{Gateway, GatewayOptions, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let stop = node.clone();
//! serve(listener, Gateway::new(node, GatewayOptions::default()), async move { stop.stop_requested().await }).await;
//! # Ok(())
//! # }
//! ```

mod body;
mod cache;
mod content;
mod content_type;
mod counters;
mod failure;
mod file_body;
mod frame;
mod headers;
mod listing;
mod pulse;
mod range;
mod request;
mod serve;
mod service;

pub use body::Body;
pub use frame::Frame;
pub use serve::serve;
pub use service::{Gateway, GatewayOptions};
