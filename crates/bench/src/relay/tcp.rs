//! Connections over a [`Road`].

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use super::Road;
use crate::Outcome;

/// Pieces under way in one direction; at 64 KiB each this is more than any path here holds.
const UNDER_WAY_MAX: usize = 16 * 1024;

struct Piece {
    leaves: Instant,
    bytes: Vec<u8>,
}

/// Starts a listener that relays to the target; the address it listens on.
pub(crate) fn start(listen: SocketAddr, target: SocketAddr, road: Road) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // Who cannot be reached is a connection that ends.
            let _ = relay(near, target, &road);
        }
    });
    Ok(address)
}

fn relay(near: TcpStream, target: SocketAddr, road: &Road) -> std::io::Result<()> {
    let far = TcpStream::connect(target)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    direction(near.try_clone()?, far.try_clone()?, road.clone());
    direction(far, near, road.clone());
    Ok(())
}

fn direction(from: TcpStream, to: TcpStream, road: Road) {
    let (give, take) = sync_channel(UNDER_WAY_MAX);
    thread::spawn(move || read(from, &give, road));
    thread::spawn(move || write(to, &take));
}

fn read(mut from: TcpStream, give: &SyncSender<Piece>, mut road: Road) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let leaves = road.leaves(Instant::now(), n);
        if give.send(Piece { leaves, bytes: buffer[..n].to_vec() }).is_err() {
            // The other side takes nothing more; so it is told here as well.
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
        thread::sleep(road.wait(Instant::now()));
    }
}

fn write(mut to: TcpStream, take: &Receiver<Piece>) {
    while let Ok(piece) = take.recv() {
        thread::sleep(piece.leaves.saturating_duration_since(Instant::now()));
        if to.write_all(&piece.bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::http::here;
    use std::time::Duration;

    #[test]
    fn bytes_pass_both_ways_unchanged_and_not_too_early() {
        let server = TcpListener::bind(here(0)).unwrap();
        let delay = Duration::from_millis(5);
        let relay = start(here(0), server.local_addr().unwrap(), Road::new(delay)).unwrap();
        let echo = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });
        let sent = crate::lab::content::Noise::new(3).bytes(300_000);
        let begin = Instant::now();
        let mut stream = TcpStream::connect(relay).unwrap();
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        // Never earlier than the road allows; how much later is the machine's affair.
        assert!(begin.elapsed() >= 2 * delay);
        assert!(back == sent);
        echo.join().unwrap();
    }

    #[test]
    fn an_end_is_passed_on() {
        let server = TcpListener::bind(here(0)).unwrap();
        let relay = start(here(0), server.local_addr().unwrap(), Road::new(Duration::ZERO)).unwrap();
        let mut stream = TcpStream::connect(relay).unwrap();
        drop(server.accept().unwrap());
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    }
}
