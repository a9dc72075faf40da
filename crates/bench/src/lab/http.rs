//! As much of an HTTP client as measuring needs: one request, one connection, over loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::Outcome;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Bytes behind the header, chunk headers included where the answer is chunked.
    pub(crate) bytes: u64,
}

/// Sends one request without a body and reads the answer to its end.
pub(crate) fn request(method: &str, address: SocketAddr, path: &str, patience: Duration) -> Outcome<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    // In one piece: a server that reads once and closes would otherwise reset the connection over the rest.
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| format!("{address} answers {line:?}"))?;
    while line.trim_end() != "" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
    }
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(Answer { status, bytes }),
            n => bytes += n as u64,
        }
    }
}

/// Fetches a path and insists on a success of at least so many bytes.
pub(crate) fn get(address: SocketAddr, path: &str, at_least: u64) -> Outcome<()> {
    let answer = request("GET", address, path, Duration::from_secs(120))?;
    if answer.status != 200 || answer.bytes < at_least {
        return Err(format!("GET {path}: status {} and {} bytes", answer.status, answer.bytes).into());
    }
    Ok(())
}

/// The first port that is tried, and how many there are: below those that the system gives to outgoing connections,
/// of which one could take a port between its being found and its being listened on.
const PORTS: (u16, u16) = (10_240, 20_000);

/// A port that is free at this moment, for TCP and for UDP, and that was not given before.
pub(crate) fn free_port() -> Outcome<u16> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Several of us may run at the same time.
    let begin = (std::process::id() as u16).wrapping_mul(61);
    for _ in 0..PORTS.1 {
        let port = PORTS.0 + begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % PORTS.1;
        let place = ("127.0.0.1", port);
        if TcpListener::bind(place).is_ok() && UdpSocket::bind(place).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".into())
}

/// An address on this machine.
pub(crate) fn here(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_end() {
        let server = std::net::TcpListener::bind(here(0)).unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            for answer in ["HTTP/1.1 200 OK\r\nA: b\r\n\r\n12345", "HTTP/1.1 404 No\r\n\r\n"] {
                let (mut stream, _) = server.accept().unwrap();
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        get(address, "/a", 5).unwrap();
        assert!(get(address, "/b", 0).is_err());
        thread.join().unwrap();
    }
}
