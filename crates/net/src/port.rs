//! Ports that other programs have. The TCP transport listens with `SO_REUSEPORT`, so that a second program of
//! the same user gets a taken port without an error and peers reach one of the two by chance; who wants to
//! listen therefore looks first. QUIC sockets are exclusive, the system itself refuses a second one.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Whether another program listens on this fixed TCP port. Whatever else is wrong with the address is for the
/// transport to say.
pub(crate) fn is_taken(address: &Multiaddr) -> bool {
    let Some(socket) = fixed_tcp(address) else { return false };
    matches!(TcpListener::bind(socket), Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

/// Where to look for the holder of a TCP port, unless the system is to pick one.
fn fixed_tcp(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        // The standard library's listener for every IPv6 address takes IPv4 too, which ours does not: a program
        // that has only the IPv4 port is not in the way. Who listens on every IPv6 address has this one.
        Protocol::Ip6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) if port != 0 => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_for_as_long_as_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = |ip: &str| format!("{ip}/tcp/{port}").parse().unwrap();
        assert!(is_taken(&address("/ip4/127.0.0.1")));
        assert!(is_taken(&address("/ip4/0.0.0.0")));
        assert!(!is_taken(&address("/ip6/::")));
        drop(listener);
        assert!(!is_taken(&address("/ip4/127.0.0.1")));
    }

    #[test]
    fn only_fixed_tcp_ports_are_looked_at() {
        let place = |text: &str| fixed_tcp(&text.parse().unwrap()).map(|socket| socket.to_string());
        assert_eq!(place("/ip4/0.0.0.0/tcp/4001").as_deref(), Some("0.0.0.0:4001"));
        assert_eq!(place("/ip6/::/tcp/4001").as_deref(), Some("[::1]:4001"));
        assert_eq!(place("/ip4/0.0.0.0/tcp/0"), None);
        assert_eq!(place("/ip4/0.0.0.0/udp/4001/quic-v1"), None);
        assert_eq!(place("/dns4/example.com/tcp/4001"), None);
    }
}
