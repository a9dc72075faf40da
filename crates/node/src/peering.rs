//! Peers that the configuration names are kept connected (`Peering.Peers`).

use std::time::Duration;

use ipse_net::Net;
use tokio_util::sync::CancellationToken;

/// How often a connection is looked after while it stands.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The longest pause between two attempts at a peer that does not answer.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Keeps a connection with a peer until the node stops. Addresses without a peer ID get this one's.
pub(crate) async fn keep(net: Net, peer: String, addresses: Vec<String>, stop: CancellationToken) {
    let mut pause = LOOK_EVERY;
    loop {
        pause = match connect(&net, &peer, &addresses).await {
            true => LOOK_EVERY,
            false => (pause * 2).min(PAUSE_MAX),
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Whether the peer is connected. Being so already costs nothing.
async fn connect(net: &Net, peer: &str, addresses: &[String]) -> bool {
    let named = format!("/p2p/{peer}");
    // Without an address, one that is known of the peer may do.
    let bare = [String::new()];
    let addresses = if addresses.is_empty() { &bare[..] } else { addresses };
    for address in addresses {
        let target = if address.ends_with(&named) { address.clone() } else { format!("{address}{named}") };
        match net.connect(&target).await {
            Ok(_) => return true,
            Err(error) => tracing::debug!(peer, %error, "a configured peer is not reached"),
        }
    }
    false
}
