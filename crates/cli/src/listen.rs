//! Listen: the sockets of the doors, opened at the addresses that the configuration names.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ipse_gateway::{Gateway, GatewayOptions};
use ipse_node::Node;
use ipse_rpc::{Listener, LogControl, Service, ServiceOptions};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use crate::error::CliError;
use crate::remote::ApiAddress;

/// A socket that accepts, and the address it does so at.
struct Door<L> {
    listener: L,
    /// As a multiaddr, with the port that the system chose where none was named.
    address: String,
    port: Option<u16>,
}

/// All sockets of a node's doors.
pub(crate) struct Doors {
    api: Vec<Door<Listener>>,
    gateway: Vec<Door<TcpListener>>,
    local: Option<Listener>,
}

impl Doors {
    /// Opens them.
    ///
    /// # Errors
    /// [`CliError::Listen`] for a port that is taken, [`CliError::Address`] for an address of no known form.
    pub(crate) async fn open(node: &Node) -> Result<Self, CliError> {
        let settings = node.settings();
        let local = node.listen_locally().map_err(CliError::inner)?;
        if local.is_none() {
            tracing::warn!(
                "no local socket, for its path is too long or can't be written: adds go over the RPC"
            );
        }
        let local = local.map(Listener::local).transpose().map_err(CliError::System)?;
        let mut doors = Self { api: Vec::new(), gateway: Vec::new(), local };
        for text in &settings.api_addresses {
            doors.api.push(match text.parse()? {
                ApiAddress::Unix(path) => open_unix(path)?,
                ApiAddress::Tcp { host, port } => {
                    let door = open_tcp(&host, port, text).await?;
                    Door { listener: door.listener.into(), address: door.address, port: door.port }
                }
            });
        }
        for text in &settings.gateway_addresses {
            let ApiAddress::Tcp { host, port } = text.parse()? else {
                return Err(CliError::Address(text.clone()));
            };
            doors.gateway.push(open_tcp(&host, port, text).await?);
        }
        Ok(doors)
    }

    /// Where the RPC listens, as multiaddrs.
    pub(crate) fn api_addresses(&self) -> Vec<String> {
        self.api.iter().map(|door| door.address.clone()).collect()
    }

    /// Where the gateway listens, as multiaddrs.
    pub(crate) fn gateway_addresses(&self) -> Vec<String> {
        self.gateway.iter().map(|door| door.address.clone()).collect()
    }

    /// Answers until the node stops.
    pub(crate) fn serve(self, node: &Node, log: Arc<dyn LogControl>) -> Result<JoinSet<()>, CliError> {
        let mut tasks = JoinSet::new();
        let local = self.local.map(|listener| Door { listener, address: String::new(), port: None });
        for door in self.api.into_iter().chain(local) {
            let options = ServiceOptions::from_settings(node.settings(), door.port).map_err(|failure| {
                CliError::Node { message: failure.to_string(), hint: None, client: false }
            })?;
            let service = Service::new(node.clone(), ServiceOptions { log: Some(log.clone()), ..options });
            let stop = node.clone();
            tasks.spawn(ipse_rpc::serve(door.listener, service, async move { stop.stop_requested().await }));
        }
        for door in self.gateway {
            let gateway = Gateway::new(node.clone(), GatewayOptions::from_settings(node.settings()));
            let stop = node.clone();
            tasks.spawn(ipse_gateway::serve(
                door.listener,
                gateway,
                async move { stop.stop_requested().await },
            ));
        }
        Ok(tasks)
    }
}

async fn open_tcp(host: &str, port: u16, text: &str) -> Result<Door<TcpListener>, CliError> {
    let failed = |source: io::Error| CliError::Listen { address: text.to_owned(), source };
    let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let family = if local.is_ipv4() { "ip4" } else { "ip6" };
    let address = format!("/{family}/{}/tcp/{}", local.ip(), local.port());
    Ok(Door { listener, address, port: Some(local.port()) })
}

fn open_unix(path: PathBuf) -> Result<Door<Listener>, CliError> {
    let address = format!("/unix{}", path.display());
    let failed = |source: io::Error| CliError::Listen { address: address.clone(), source };
    // What a killed daemon left behind; the repository's lock says that nobody else listens there.
    if std::os::unix::net::UnixStream::connect(&path).is_err() && path.exists() {
        std::fs::remove_file(&path).map_err(failed)?;
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    Ok(Door { listener: listener.into(), address, port: None })
}

/// The address at which this machine reaches a listener: one on all addresses is reached on the loopback one.
pub(crate) fn reachable(address: &str) -> String {
    address.replacen("/ip4/0.0.0.0/", "/ip4/127.0.0.1/", 1).replacen("/ip6/::/", "/ip6/::1/", 1)
}

/// The URL of a listener.
pub(crate) fn url(address: &str) -> Option<String> {
    match reachable(address).parse().ok()? {
        tcp @ ApiAddress::Tcp { .. } => Some(format!("http://{tcp}")),
        ApiAddress::Unix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_reached_on_the_loopback() {
        assert_eq!(reachable("/ip4/0.0.0.0/tcp/1"), "/ip4/127.0.0.1/tcp/1");
        assert_eq!(url("/ip6/::/tcp/1").as_deref(), Some("http://[::1]:1"));
        assert_eq!(url("/unix/x"), None);
    }
}
