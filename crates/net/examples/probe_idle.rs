//! The floor of idle memory: a swarm with the transports and protocols of a node, an HTTP listener, and
//! nothing else.
//!
//! `probe_idle [seconds]` prints what the process uses after so long (5 s by default).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe, not shipped"
)]

#[path = "support/usage.rs"]
mod usage;

use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, noise, ping, tcp, tls, yamux};

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"idle\n"))))
}

async fn listen_http() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let io = hyper_util::rt::TokioIo::new(socket);
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service_fn(hello)));
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut swarm = libp2p::SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), (tls::Config::new, noise::Config::new), yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_behaviour(|key| Behaviour {
            identify: identify::Behaviour::new(identify::Config::new("ipfs/0.1.0".into(), key.public())),
            ping: ping::Behaviour::default(),
        })
        .unwrap()
        .build();
    for address in ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        swarm.listen_on(address.parse().unwrap()).unwrap();
    }
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    tokio::spawn(listen_http());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{}", usage::line());
}
