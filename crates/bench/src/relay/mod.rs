//! A long, narrow or lossy road over loopback: every byte is held for a time, in each direction alike.
//!
//! A road is a value ([`Road`]) that says when what arrives now may leave; [`tcp`] and [`udp`] only obey it.

mod road;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use road::Road;

use crate::Outcome;

#[derive(clap::Args)]
#[command(after_help = "Example: ipse-bench relay 127.0.0.1:7001 127.0.0.1:4001 --delay-ms 25 --mib-s 10")]
pub(crate) struct Options {
    /// Where to listen
    listen: SocketAddr,
    /// Where to pass everything on to
    target: SocketAddr,
    /// Datagrams (QUIC) instead of TCP
    #[arg(long)]
    udp: bool,
    /// Milliseconds that everything is held, in each direction: half of the round trip
    #[arg(long, default_value_t = 25.0)]
    delay_ms: f64,
    /// Bandwidth of each direction and connection; without it there is no limit
    #[arg(long)]
    mib_s: Option<f64>,
    /// Share of datagrams that are lost, in percent
    #[arg(long, default_value_t = 0.0, requires = "udp")]
    loss: f64,
}

/// Relays until it is ended.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut road = Road::new(Duration::from_secs_f64(options.delay_ms / 1000.0));
    if let Some(rate) = options.mib_s {
        road = road.narrow(rate * f64::from(1 << 20));
    }
    let kind = if options.udp { "UDP" } else { "TCP" };
    let relay = if options.udp {
        Relay::udp(options.listen, options.target, road.lossy(options.loss / 100.0))?
    } else {
        Relay::tcp(options.listen, options.target, road)?
    };
    println!("{kind} {} to {}, {} ms each way", relay.address, options.target, options.delay_ms);
    loop {
        std::thread::park();
    }
}

/// A running relay. Its threads end with the process; the sockets of a comparison are few.
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Relay {
    /// Relays connections.
    pub(crate) fn tcp(listen: SocketAddr, target: SocketAddr, road: Road) -> Outcome<Self> {
        Ok(Self { address: tcp::start(listen, target, road)? })
    }

    /// Relays datagrams.
    pub(crate) fn udp(listen: SocketAddr, target: SocketAddr, road: Road) -> Outcome<Self> {
        Ok(Self { address: udp::start(listen, target, road)? })
    }
}
