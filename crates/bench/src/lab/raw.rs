//! The raw libp2p stream that fetches are compared with: the probe among the examples of `net`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::command::{self, Output};
use super::guard::Guarded;
use crate::Outcome;

/// The probe's program.
pub(crate) struct RawStream(pub(crate) PathBuf);

/// Which transport a stream crosses.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Transport {
    Tcp,
    Quic,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }
}

/// The end that reads, listening.
pub(crate) struct Reader {
    #[expect(dead_code, reason = "holding it keeps the process")]
    child: Guarded,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    peer: String,
    transport: Transport,
}

impl RawStream {
    /// Starts a reader; it serves one stream.
    pub(crate) fn reader(&self, transport: Transport) -> Outcome<Reader> {
        let mut serve = Command::new(&self.0);
        serve.args(["serve", transport.name()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Guarded::spawn(&mut serve, Some(std::time::Duration::from_secs(300)))?;
        let pipe = child.child().stdout.take().ok_or("the probe has no output")?;
        let mut line = String::new();
        BufReader::new(pipe).read_line(&mut line)?;
        let (address, peer) = listening(line.trim()).ok_or_else(|| format!("the probe says {line:?}"))?;
        Ok(Reader { child, address, peer, transport })
    }

    /// MiB/s of so many MiB in writes of so many KiB, to the reader as seen at `at`: itself or a relay.
    pub(crate) fn rate(&self, reader: &Reader, at: SocketAddr, mebibytes: u64, kib: u64) -> Outcome<f64> {
        let transport = reader.transport.name();
        let address = match reader.transport {
            Transport::Tcp => format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", at.port(), reader.peer),
            Transport::Quic => format!("/ip4/127.0.0.1/udp/{}/quic-v1/p2p/{}", at.port(), reader.peer),
        };
        let mut send = Command::new(&self.0);
        send.args([transport, &mebibytes.to_string(), &kib.to_string(), &address]);
        let said = command::run(&mut send, None, Output::Kept)?.text();
        rate(&said).ok_or_else(|| format!("the probe says {said:?}").into())
    }

    /// Without anything between.
    pub(crate) fn direct(&self, transport: Transport, mebibytes: u64, kib: u64) -> Outcome<f64> {
        let reader = self.reader(transport)?;
        self.rate(&reader, reader.address, mebibytes, kib)
    }
}

fn listening(line: &str) -> Option<(SocketAddr, String)> {
    let parts: Vec<&str> = line.split('/').collect();
    let port = parts.get(4)?.parse().ok()?;
    let peer = parts.iter().skip_while(|part| **part != "p2p").nth(1)?;
    Some((super::http::here(port), (*peer).to_owned()))
}

fn rate(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("MiB/s"))?;
    line.rsplit_once(": ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_lines_are_read() {
        let tcp = listening("/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWx").unwrap();
        assert_eq!(tcp, (super::super::http::here(4001), "12D3KooWx".to_owned()));
        assert_eq!(listening("/ip4/127.0.0.1/udp/7/quic-v1/p2p/1x").unwrap().0.port(), 7);
        assert!(listening("hello").is_none());
        assert_eq!(rate("tcp, writes of 256 KiB: 561 MiB/s\nwriter: 1 s"), Some(561.0));
    }
}
