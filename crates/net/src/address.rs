//! Addresses as people write them, and what came of dialing them in the words of the reference node.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use ipse_base::PeerId;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use rustix::io::Errno;

use crate::error::ConnectError;

/// Addresses that one name may resolve to.
const RESOLVED_MAX: usize = 8;

/// Whom to dial, and where if that was said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) peer: PeerId,
    pub(crate) address: Option<Multiaddr>,
}

/// Reads `/…/p2p/ID` or `/p2p/ID`; `ipfs` is the older name of `p2p`.
pub(crate) fn parse_target(text: &str) -> Result<Target, ConnectError> {
    let malformed = |reason: String| ConnectError::Address { address: text.to_owned(), reason };
    if !text.starts_with('/') {
        return Err(malformed("must begin with /".into()));
    }
    let split = ["/p2p/", "/ipfs/"].iter().filter_map(|name| Some((text.rfind(name)?, name.len()))).max();
    let Some((at, name_len)) = split else {
        text.parse::<Multiaddr>().map_err(|error| malformed(error.to_string()))?;
        return Err(ConnectError::NoPeer);
    };
    let peer = text[at + name_len..].trim_end_matches('/').parse()?;
    let address = match &text[..at] {
        "" => None,
        transport => {
            Some(transport.parse().map_err(|error: libp2p::multiaddr::Error| malformed(error.to_string()))?)
        }
    };
    Ok(Target { peer, address })
}

/// The address with each DNS name replaced by what it resolves to; unchanged where there is none.
pub(crate) async fn resolve(address: &Multiaddr) -> Vec<Multiaddr> {
    let Some(first) = address.iter().next() else { return Vec::new() };
    let (name, takes): (String, fn(&IpAddr) -> bool) = match first {
        Protocol::Dns(name) => (name.into_owned(), |_| true),
        Protocol::Dns4(name) => (name.into_owned(), IpAddr::is_ipv4),
        Protocol::Dns6(name) => (name.into_owned(), IpAddr::is_ipv6),
        _ => return vec![address.clone()],
    };
    match tokio::net::lookup_host((name.as_str(), 0)).await {
        Ok(found) => {
            let found = found.map(|socket| socket.ip()).filter(takes).take(RESOLVED_MAX);
            found.filter_map(|ip| address.replace(0, |_| Some(Protocol::from(ip)))).collect()
        }
        Err(error) => {
            tracing::debug!(%name, %error, "name did not resolve");
            Vec::new()
        }
    }
}

/// The address without the peer ID at its end.
pub(crate) fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// Why a dial of one address failed, as the reference node says it.
pub(crate) fn dial_failure(address: &Multiaddr, error: &(dyn Error + 'static)) -> String {
    let reason = root_reason(error);
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) => {
            format!("dial tcp4 {ip}:{port}: connect: {reason}")
        }
        (Some(Protocol::Ip6(ip)), Some(Protocol::Tcp(port))) => {
            format!("dial tcp6 [{ip}]:{port}: connect: {reason}")
        }
        _ => reason,
    }
}

/// The innermost error.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// Whether the port that a dial should have left from is in use. The transports wrap what the system said in types
/// that can't be named, so that its number is left only in its words.
pub(crate) fn is_port_taken(error: &(dyn Error + 'static)) -> bool {
    root(error).to_string() == io::Error::from(Errno::ADDRINUSE).to_string()
}

/// The system's own words where an error came from the system.
fn root_reason(error: &(dyn Error + 'static)) -> String {
    let text = root(error).to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d";

    #[test]
    fn every_spelling_of_a_target() {
        let bare = Target { peer: PEER.parse().unwrap(), address: None };
        assert_eq!(parse_target(&format!("/p2p/{PEER}")).unwrap(), bare);
        assert_eq!(parse_target(&format!("/ipfs/{PEER}/")).unwrap(), bare);
        let full = parse_target(&format!("/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{PEER}")).unwrap();
        assert_eq!(full.address, Some("/ip4/127.0.0.1/udp/4001/quic-v1".parse().unwrap()));
    }

    #[test]
    fn malformed_targets_are_refused_by_cause() {
        let error = parse_target("nope").unwrap_err();
        assert_eq!(error.to_string(), "failed to parse multiaddr \"nope\": must begin with /");
        assert!(matches!(parse_target("/ip4/127.0.0.1/tcp/1"), Err(ConnectError::NoPeer)));
        assert!(matches!(parse_target("/ip4/1/p2p/x"), Err(ConnectError::PeerId(_))));
        assert!(matches!(parse_target(&format!("/ip4/1/p2p/{PEER}")), Err(ConnectError::Address { .. })));
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = parse_target(&format!("/{text}"));
        });
    }

    #[test]
    fn a_refused_dial_reads_as_the_reference_prints_it() {
        let address = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let error = std::io::Error::from_raw_os_error(111);
        assert_eq!(dial_failure(&address, &error), "dial tcp4 127.0.0.1:1: connect: connection refused");
    }
}
