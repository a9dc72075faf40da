//! The gateway beside a web server.

use std::time::Instant;

use super::Group;
use crate::Outcome;
use crate::compare::bench::Bench;
use crate::compare::round::{Limits, Round};
use crate::compare::row::{Row, Target};
use crate::lab::limits::settle;
use crate::lab::nginx::Nginx;
use crate::lab::node::LARGE;
use crate::lab::{http, wrk};

const CONNECTIONS: u32 = 16;
const P99: &[Target] = &[Target::Times(1.5)];

pub(super) const GROUP: Group = Group {
    name: "gateway",
    about: "serve files over HTTP, 16 connections",
    rows: &[
        Row::rate("gateway.1k", "gateway 1 KiB", "requests/s")
            .aim(&[Target::Ratio(4.0), Target::Share(0.7)])
            .beside("nginx"),
        Row::cost("gateway.p99.1k", "gateway 1 KiB, p99", "ms").aim(P99).beside("nginx"),
        Row::rate("gateway.100k", "gateway 100 KiB", "requests/s")
            .aim(&[Target::Ratio(4.0), Target::Share(0.6)])
            .beside("nginx"),
        Row::cost("gateway.p99.100k", "gateway 100 KiB, p99", "ms").aim(P99).beside("nginx"),
        Row::rate("gateway.1m", "gateway 1 MiB", "requests/s").aim(&[Target::Share(0.9)]).beside("nginx"),
        Row::cost("gateway.p99.1m", "gateway 1 MiB, p99", "ms").aim(P99).beside("nginx"),
        Row::rate("gateway.1g", "gateway, one file of 1 GiB", "MiB/s").beside("nginx"),
    ],
    limits: Some(nginx),
    measure,
};

/// One size of file.
struct Size {
    bytes: u64,
    rate: &'static str,
    p99: &'static str,
    nginx_rate: &'static str,
    nginx_p99: &'static str,
}

const SIZES: [Size; 3] = [
    Size {
        bytes: 1 << 10,
        rate: "gateway.1k",
        p99: "gateway.p99.1k",
        nginx_rate: "nginx 1 KiB, requests/s",
        nginx_p99: "nginx 1 KiB, p99 ms",
    },
    Size {
        bytes: 100 << 10,
        rate: "gateway.100k",
        p99: "gateway.p99.100k",
        nginx_rate: "nginx 100 KiB, requests/s",
        nginx_p99: "nginx 100 KiB, p99 ms",
    },
    Size {
        bytes: 1 << 20,
        rate: "gateway.1m",
        p99: "gateway.p99.1m",
        nginx_rate: "nginx 1 MiB, requests/s",
        nginx_p99: "nginx 1 MiB, p99 ms",
    },
];
const NGINX_LARGE: &str = "nginx, one file of 1 GiB, MiB/s";

fn name_of(path: &std::path::Path) -> Outcome<String> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file without a name")?;
    Ok(format!("/{name}"))
}

fn nginx(bench: &Bench, limits: &mut Limits) -> Outcome<()> {
    if !Nginx::present() || !wrk::present() {
        return Ok(());
    }
    let wants = |row: &str| super::super::wants(&bench.options.only, row);
    let server = Nginx::start(bench.folder())?;
    for size in SIZES.iter().filter(|size| wants(size.rate) || wants(size.p99)) {
        let path = name_of(&bench.file(size.bytes)?)?;
        let load = wrk::load(server.address, &path, CONNECTIONS, bench.options.load)?;
        limits.insert(size.nginx_rate, load.requests_s);
        limits.insert(size.nginx_p99, load.p99_ms);
    }
    if wants("gateway.1g") {
        let bytes = bench.options.size << 20;
        let path = name_of(&bench.file(bytes)?)?;
        settle();
        let start = Instant::now();
        http::get(server.address, &path, bytes)?;
        limits.insert(NGINX_LARGE, bench.options.size as f64 / start.elapsed().as_secs_f64());
    }
    Ok(())
}

fn measure(round: &mut Round) -> Outcome<()> {
    let node = round.node("gateway")?;
    for size in SIZES.iter().filter(|_| wrk::present()) {
        if !(round.wants(size.rate) || round.wants(size.p99)) {
            continue;
        }
        let (cid, _) = node.add(LARGE, &round.bench.file(size.bytes)?)?;
        settle();
        let load = wrk::load(node.gateway(), &format!("/ipfs/{cid}"), CONNECTIONS, round.bench.options.load)?;
        round.record_beside(size.rate, load.requests_s, round.limit(size.nginx_rate));
        round.record_beside(size.p99, load.p99_ms, round.limit(size.nginx_p99));
    }
    if round.wants("gateway.1g") {
        let bytes = round.bench.options.size << 20;
        let (cid, _) = node.add(LARGE, &round.bench.file(bytes)?)?;
        settle();
        let start = Instant::now();
        http::get(node.gateway(), &format!("/ipfs/{cid}"), bytes)?;
        let rate = round.bench.options.size as f64 / start.elapsed().as_secs_f64();
        round.record_beside("gateway.1g", rate, round.limit(NGINX_LARGE));
    }
    Ok(())
}
