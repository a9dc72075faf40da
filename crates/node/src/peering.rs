//! Peers that the configuration names are kept connected (`Peering.Peers`).

use std::time::Duration;

use ipse_net::Net;

use crate::worker::{Doing, Work, WorkError};

/// How often a connection is looked after while it stands.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Keeps a connection with one peer. Addresses without a peer ID get this one's.
pub(crate) struct Peering {
    pub(crate) net: Net,
    pub(crate) peer: String,
    pub(crate) addresses: Vec<String>,
}

impl Work for Peering {
    fn name(&self) -> String {
        format!("peering with {}", self.peer)
    }

    /// Being connected already costs nothing.
    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        let named = format!("/p2p/{}", self.peer);
        // Without an address, one that is known of the peer may do.
        let bare = [String::new()];
        let addresses = if self.addresses.is_empty() { &bare[..] } else { &self.addresses };
        let mut failure: WorkError = "no address to reach it at".into();
        for address in addresses {
            let has_peer = address.ends_with(&named);
            let target = if has_peer { address.clone() } else { format!("{address}{named}") };
            match self.net.connect(&target).await {
                Ok(_) => {
                    doing.say("connected");
                    return Ok(LOOK_EVERY);
                }
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }
}
