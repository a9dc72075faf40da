//! Where a daemon's RPC listens, written as a multiaddr (`/ip4/127.0.0.1/tcp/5001`, `/unix/path`) or as a URL.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::CliError;

/// An address of the RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiAddress {
    /// A host's name or address, and a port.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl FromStr for ApiAddress {
    type Err = CliError;

    fn from_str(text: &str) -> Result<Self, CliError> {
        let text = text.trim();
        let address = if let Some(rest) = text.strip_prefix("http://") {
            from_authority(rest.trim_end_matches('/'))
        } else if let Some(path) = text.strip_prefix("/unix/") {
            (!path.is_empty()).then(|| Self::Unix(PathBuf::from("/").join(path)))
        } else {
            from_multiaddr(text)
        };
        address.ok_or_else(|| CliError::Address(text.to_owned()))
    }
}

fn from_authority(authority: &str) -> Option<ApiAddress> {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty() && !host.contains('/')).then_some(())?;
    Some(ApiAddress::Tcp { host: host.to_owned(), port: port.parse().ok()? })
}

fn from_multiaddr(text: &str) -> Option<ApiAddress> {
    let mut parts = text.strip_prefix('/')?.split('/');
    let (protocol, host) = (parts.next()?, parts.next()?);
    let known = match protocol {
        "ip4" => host.parse::<std::net::Ipv4Addr>().is_ok(),
        "ip6" => host.parse::<std::net::Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" => !host.is_empty(),
        _ => false,
    };
    if !known || parts.next()? != "tcp" {
        return None;
    }
    let port = parts.next()?.parse().ok()?;
    // Behind the port only plain HTTP may stand; an encrypted one is not spoken here.
    matches!(parts.next(), None | Some("http")).then(|| ApiAddress::Tcp { host: host.to_owned(), port })
}

impl std::fmt::Display for ApiAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        for (text, shown) in [
            ("/ip4/127.0.0.1/tcp/5001", "127.0.0.1:5001"),
            ("/ip4/127.0.0.1/tcp/5001/http\n", "127.0.0.1:5001"),
            ("/ip6/::1/tcp/1", "[::1]:1"),
            ("/dns4/example.org/tcp/80", "example.org:80"),
            ("http://localhost:5001/", "localhost:5001"),
            ("http://[::1]:9", "[::1]:9"),
            ("/unix/run/ipse.sock", "/run/ipse.sock"),
        ] {
            assert_eq!(text.parse::<ApiAddress>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            "/",
            "x",
            "/ip4/300.0.0.1/tcp/1",
            "/ip4/127.0.0.1/udp/1",
            "/ip4/127.0.0.1/tcp/99999",
            "/ip4/127.0.0.1/tcp/1/tls/http",
            "/unix/",
            "http://",
        ] {
            assert!(text.parse::<ApiAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = text.parse::<ApiAddress>();
            let _ = format!("/ip4/{text}").parse::<ApiAddress>();
        });
    }
}
