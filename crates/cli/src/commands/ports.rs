//! Free ports for a new repository: the usual ones where nobody has them, the next free ones otherwise.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Ports of peers, RPC and gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) swarm: u16,
    pub(super) api: u16,
    pub(super) gateway: u16,
}

/// What the reference node uses, and everything that looks for one.
pub(super) const USUAL: Ports = Ports { swarm: 4001, api: 5001, gateway: 8080 };

/// Ports that are tried behind a usual one.
const TRIES: u16 = 200;

/// Ports that are free now.
pub(super) fn free() -> Ports {
    let api = next(USUAL.api, |port| tcp(Ipv4Addr::LOCALHOST, port));
    Ports {
        swarm: next(USUAL.swarm, |port| tcp(Ipv4Addr::UNSPECIFIED, port) && udp(port)),
        api,
        gateway: next(USUAL.gateway, |port| port != api && tcp(Ipv4Addr::LOCALHOST, port)),
    }
}

/// The first free one; where all are taken, the usual one, whose listener will say so.
fn next(usual: u16, is_free: impl Fn(u16) -> bool) -> u16 {
    (usual..usual + TRIES).find(|port| is_free(*port)).unwrap_or(usual)
}

fn tcp(address: Ipv4Addr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok()
}

fn udp(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

impl Ports {
    /// The addresses to listen on: for peers, for the RPC, for the gateway.
    pub(super) fn addresses(self) -> (Vec<String>, String, String) {
        let Self { swarm, api, gateway } = self;
        let peers = [
            format!("/ip4/0.0.0.0/tcp/{swarm}"),
            format!("/ip6/::/tcp/{swarm}"),
            format!("/ip4/0.0.0.0/udp/{swarm}/quic-v1"),
            format!("/ip6/::/udp/{swarm}/quic-v1"),
        ];
        (peers.to_vec(), format!("/ip4/127.0.0.1/tcp/{api}"), format!("/ip4/127.0.0.1/tcp/{gateway}"))
    }

    /// One line for each port that is not the usual one.
    pub(super) fn changes(self) -> Vec<String> {
        let pairs = [
            (USUAL.swarm, self.swarm, "peers"),
            (USUAL.api, self.api, "the RPC"),
            (USUAL.gateway, self.gateway, "the gateway"),
        ];
        let changed = pairs.into_iter().filter(|(usual, chosen, _)| usual != chosen);
        changed
            .map(|(usual, chosen, what)| format!("port {usual} is taken: {what} will use {chosen}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        assert_eq!(next(5001, |port| port > 5003), 5004);
        assert_eq!(next(5001, |_| false), 5001);
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!tcp(Ipv4Addr::LOCALHOST, held.local_addr().unwrap().port()));
    }

    #[test]
    fn only_changes_are_told() {
        assert!(USUAL.changes().is_empty());
        let ports = Ports { api: 5002, ..USUAL };
        assert_eq!(ports.changes(), ["port 5001 is taken: the RPC will use 5002"]);
        assert_eq!(ports.addresses().1, "/ip4/127.0.0.1/tcp/5002");
    }
}
