//! What a daemon prints when it is ready.

use std::io::{self, Write};
use std::path::Path;

use crate::persona::Persona;

/// Where a running node can be reached.
pub(super) struct Reached<'a> {
    pub(super) root: &'a Path,
    pub(super) peer: String,
    /// Addresses toward peers.
    pub(super) swarm: Vec<String>,
    /// Addresses of the RPC, as multiaddrs.
    pub(super) api: Vec<String>,
    /// Addresses of the gateway, as multiaddrs.
    pub(super) gateway: Vec<String>,
    pub(super) mdns: bool,
}

pub(super) fn write(persona: Persona, reached: &Reached<'_>, out: &mut dyn Write) -> io::Result<()> {
    match persona {
        Persona::Ipfs => as_reference(reached, out),
        Persona::Ipse => as_ourselves(reached, out),
    }
}

fn as_reference(reached: &Reached<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "PeerID: {}", reached.peer)?;
    if reached.swarm.is_empty() {
        writeln!(out, "Swarm not listening, running in offline mode.")?;
    } else {
        for (host, protocols) in hosts(&reached.swarm) {
            writeln!(out, "Swarm listening on {host} ({})", protocols.join("+"))?;
        }
        writeln!(out, "Run 'ipfs id' to inspect announced and discovered multiaddrs of this node.")?;
    }
    for address in &reached.api {
        writeln!(out, "RPC API server listening on {address}")?;
    }
    if let Some(url) = reached.api.iter().find_map(|address| url(address)) {
        writeln!(out, "WebUI: {url}/webui")?;
    }
    for address in &reached.gateway {
        writeln!(out, "Gateway server listening on {address}")?;
    }
    writeln!(out, "Daemon is ready")
}

fn as_ourselves(reached: &Reached<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |title: &str, value: &str| writeln!(out, "{title:12}{value}");
    line("Repository", &reached.root.display().to_string())?;
    line("Peer", &reached.peer)?;
    for address in &reached.swarm {
        line("Listens on", &format!("{address}/p2p/{}", reached.peer))?;
    }
    for address in &reached.api {
        line("RPC", address)?;
    }
    for address in &reached.gateway {
        line("Gateway", &url(address).unwrap_or_else(|| address.clone()))?;
    }
    if let Some(url) = reached.api.iter().find_map(|address| url(address)) {
        line("Status", &format!("{url}/webui"))?;
    }
    let finds = match (reached.swarm.is_empty(), reached.mdns) {
        (true, _) => "This node is offline.",
        (false, true) => "This node finds peers in the local network and dials nobody else by itself.",
        (false, false) => "This node dials nobody by itself.",
    };
    writeln!(out, "\n{finds}\n\nIn another terminal, type:\n")?;
    writeln!(out, "    ipse add -r FOLDER             add a folder and print its CID")?;
    writeln!(out, "    ipse get CID                   fetch a folder or file")?;
    writeln!(out, "    ipse swarm connect ADDRESS     connect to a node somewhere else")?;
    writeln!(out, "    ipse shutdown                  stop this node, as Ctrl-C does here\n")?;
    writeln!(out, "Daemon is ready")
}

/// Addresses by host and port, each with its protocols.
fn hosts(addresses: &[String]) -> Vec<(String, Vec<&'static str>)> {
    let mut hosts: Vec<(String, Vec<&'static str>)> = Vec::new();
    for address in addresses {
        let Some((host, protocol)) = host(address) else { continue };
        match hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, protocols)) => protocols.push(protocol),
            None => hosts.push((host, vec![protocol])),
        }
    }
    hosts
}

fn host(address: &str) -> Option<(String, &'static str)> {
    let mut parts = address.split('/').skip(1);
    let (family, host, transport, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let protocol = match transport {
        "tcp" => "TCP",
        "udp" => "UDP",
        _ => return None,
    };
    let host = if family == "ip6" { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Some((host, protocol))
}

/// The URL of a plain HTTP listener.
fn url(address: &str) -> Option<String> {
    let (host, protocol) = host(address)?;
    (protocol == "TCP").then(|| format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(persona: Persona) -> String {
        let reached = Reached {
            root: Path::new("/repo"),
            peer: "12D3Koo".to_owned(),
            swarm: vec!["/ip4/127.0.0.1/tcp/1".to_owned(), "/ip4/127.0.0.1/udp/1/quic-v1".to_owned()],
            api: vec!["/ip4/127.0.0.1/tcp/5001".to_owned()],
            gateway: vec!["/ip6/::1/tcp/8080".to_owned()],
            mdns: true,
        };
        let mut out = Vec::new();
        write(persona, &reached, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scripts_find_the_lines_they_wait_for() {
        let text = written(Persona::Ipfs);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "PeerID: 12D3Koo",
                "Swarm listening on 127.0.0.1:1 (TCP+UDP)",
                "Run 'ipfs id' to inspect announced and discovered multiaddrs of this node.",
                "RPC API server listening on /ip4/127.0.0.1/tcp/5001",
                "WebUI: http://127.0.0.1:5001/webui",
                "Gateway server listening on /ip6/::1/tcp/8080",
                "Daemon is ready",
            ]
        );
    }

    #[test]
    fn people_find_what_to_type_next() {
        let text = written(Persona::Ipse);
        for part in ["http://[::1]:8080", "/webui", "ipse add", "local network", "Daemon is ready"] {
            assert!(text.contains(part), "{part}");
        }
    }
}
