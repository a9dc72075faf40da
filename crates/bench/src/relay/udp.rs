//! Datagrams over a [`Road`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Instant;

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

use super::Road;
use crate::Outcome;
use crate::lab::content::Noise;
use crate::lab::http::here;

/// Datagrams under way in one direction; what comes beyond is lost, as on a real road.
const UNDER_WAY_MAX: usize = 64 * 1024;

/// The kernel's buffers: a loss must be ours, not the kernel's.
const BUFFER_BYTES: usize = 8 << 20;

struct Datagram {
    leaves: Instant,
    bytes: Vec<u8>,
}

/// Starts a socket that relays to the target; the address it listens on.
pub(crate) fn start(listen: SocketAddr, target: SocketAddr, road: Road) -> Outcome<SocketAddr> {
    let near = Arc::new(bind(listen)?);
    let address = near.local_addr()?;
    thread::spawn(move || {
        let mut flows: HashMap<SocketAddr, Sender> = HashMap::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let Ok((n, from)) = near.recv_from(&mut buffer) else { continue };
            let sender = match flows.entry(from) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => match flow(&near, from, target, &road) {
                    Ok(sender) => new.insert(sender),
                    Err(_) => continue,
                },
            };
            sender.send(&buffer[..n]);
        }
    });
    Ok(address)
}

fn bind(address: SocketAddr) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // Best effort: without privileges the kernel gives less.
    let _ = set_socket_recv_buffer_size(&socket, BUFFER_BYTES);
    let _ = set_socket_send_buffer_size(&socket, BUFFER_BYTES);
    Ok(socket)
}

/// A flow from one near address: a far socket of its own, and a thread for each way.
fn flow(near: &Arc<UdpSocket>, from: SocketAddr, target: SocketAddr, road: &Road) -> Outcome<Sender> {
    let far = Arc::new(bind(here(0))?);
    far.connect(target)?;
    let seed = u64::from(from.port());
    let (out, out_queue) = Sender::new(road.clone(), seed);
    let (mut back, back_queue) = Sender::new(road.clone(), seed + (1 << 16));
    let writer = far.clone();
    thread::spawn(move || deliver(&out_queue, |bytes| drop(writer.send(bytes))));
    let near = near.clone();
    thread::spawn(move || deliver(&back_queue, |bytes| drop(near.send_to(bytes, from))));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match far.recv(&mut buffer) {
                Ok(n) => back.send(&buffer[..n]),
                // Nobody listens there yet, or any more.
                Err(_) => thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
    });
    Ok(out)
}

/// One direction's entrance.
struct Sender {
    road: Road,
    chance: Noise,
    queue: SyncSender<Datagram>,
}

impl Sender {
    fn new(road: Road, seed: u64) -> (Self, Receiver<Datagram>) {
        let (queue, take) = sync_channel(UNDER_WAY_MAX);
        (Self { road, chance: Noise::new(seed), queue }, take)
    }

    fn send(&mut self, bytes: &[u8]) {
        let Some(leaves) = self.road.packet(Instant::now(), bytes.len(), self.chance.unit()) else { return };
        match self.queue.try_send(Datagram { leaves, bytes: bytes.to_vec() }) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

fn deliver(queue: &Receiver<Datagram>, write: impl Fn(&[u8])) {
    while let Ok(datagram) = queue.recv() {
        thread::sleep(datagram.leaves.saturating_duration_since(Instant::now()));
        write(&datagram.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn datagrams_pass_both_ways() {
        let server = UdpSocket::bind(here(0)).unwrap();
        let target = server.local_addr().unwrap();
        let relay = start(here(0), target, Road::new(Duration::from_millis(1))).unwrap();
        let client = UdpSocket::bind(here(0)).unwrap();
        client.send_to(b"there", relay).unwrap();
        let mut buffer = [0; 16];
        let (n, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"there");
        server.send_to(b"back", from).unwrap();
        assert_eq!(client.recv_from(&mut buffer).unwrap(), (4, relay));
        assert_eq!(&buffer[..4], b"back");
    }

    #[test]
    fn a_share_of_the_datagrams_is_lost() {
        let (mut sender, queue) = Sender::new(Road::new(Duration::ZERO).lossy(0.25), 1);
        (0..10_000).for_each(|_| sender.send(b"x"));
        drop(sender);
        let arrived = queue.iter().count();
        assert!((7_300..7_700).contains(&arrived), "{arrived} of 10,000 arrived");
    }
}
