//! A transport that dials from a given address of this machine, so that many peers look like many machines:
//! Linux takes all of 127.0.0.0/8 for loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{BoxFuture, Pending};
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::tcp::tokio::TcpStream;
use tokio::net::TcpSocket;

/// Dials TCP from this address. It does not listen.
pub struct From(pub Ipv4Addr);

/// The address that the machine of this number has, in a network of its own.
pub fn of_machine(number: usize) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 66 + high % 128, low, 1)
}

/// Connects from an address to the TCP address that `remote` begins with.
pub async fn connect(source: Ipv4Addr, remote: &Multiaddr) -> io::Result<tokio::net::TcpStream> {
    let mut parts = remote.iter();
    let (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) = (parts.next(), parts.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(SocketAddr::from((ip, port))).await
}

impl Transport for From {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = Pending<io::Result<TcpStream>>;
    type Dial = BoxFuture<'static, io::Result<TcpStream>>;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let source = self.0;
        Ok(async move { connect(source, &address).await.map(TcpStream) }.boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Poll::Pending
    }
}
