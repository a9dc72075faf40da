//! Every socket toward peers: connections, who is connected, and the exchange of blocks with them.
//!
//! Not here: what to fetch or to serve and why (`node` decides, `store` keeps), HTTP toward users (`gateway`,
//! `rpc`), and the rules of the exchange itself, which are values without sockets in `ipse-bitswap`. No other
//! crate knows libp2p's types.
//!
//! Floor 2. Read first: [`Net`] (the facade), [`NetOptions`] (what it is started with), and for the way of a
//! block, `inbound.rs` → `pipeline.rs` → `inbox.rs` on the way in, `exchange.rs` → `link.rs` → `outbound.rs`
//! on the way out.
//!
//! ```
//! use std::sync::Arc;
//! use ipse_base::{Block, BlockSink, Cid, LocalBlocks, SinkError, SourceError};
//! use ipse_net::{Identity, KeyKind, Net, NetOptions};
//!
//! struct Nothing;
//! impl LocalBlocks for Nothing {
//!     fn local(&self, _: &Cid) -> Result<Option<Block>, SourceError> { Ok(None) }
//!     fn local_size(&self, _: &Cid) -> Result<Option<u64>, SourceError> { Ok(None) }
//! }
//! impl BlockSink for Nothing {
//!     fn put(&self, _: &[Block]) -> Result<(), SinkError> { Ok(()) }
//!     fn commit(&self) -> Result<(), SinkError> { Ok(()) }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let mut options = NetOptions::new(Identity::generate(KeyKind::Ed25519)?);
//! options.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
//! options.mdns = false;
//! let net = Net::start(options, Arc::new(Nothing), Arc::new(Nothing)).await?;
//! assert!(net.listen_addresses()[0].starts_with("/ip4/127.0.0.1/tcp/"));
//! net.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod arriving;
mod behaviour;
mod counters;
mod error;
mod exchange;
mod frame;
mod handler;
mod identity;
mod inbound;
mod inbox;
mod ip_limit;
mod link;
mod loaded;
mod loads;
mod misses;
mod muxer;
mod net;
mod offenders;
mod options;
mod outbound;
mod peer;
mod peers;
mod ping;
mod pipeline;
mod places;
mod port;
mod read_ahead;
mod reframed;
mod registry;
mod secure;
mod session;
mod swarm;
mod tls;
mod traffic;
mod unread;
mod unsent;
mod upgrade;

pub use counters::NetCounters;
pub use error::{ConnectError, PeerError, StartError};
pub use identity::{Identity, KeyError, KeyKind};
pub use ipse_bitswap::{Ledger, SessionOptions, Stat};
pub use net::Net;
pub use options::NetOptions;
pub use peers::{Direction, PeerIdentity, PeerInfo};
pub use session::NetSession;
pub use traffic::Bandwidth;
