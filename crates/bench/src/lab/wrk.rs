//! The load generator `wrk`.

use std::net::SocketAddr;
use std::process::Command;

use super::command::{self, Output};
use crate::Outcome;

/// What a server did under load.
#[derive(Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) requests_s: f64,
    pub(crate) p99_ms: f64,
}

/// Whether it is installed.
pub(crate) fn present() -> bool {
    Command::new("wrk").arg("-v").output().is_ok()
}

/// Requests one path over so many connections.
pub(crate) fn load(address: SocketAddr, path: &str, connections: u32, seconds: u32) -> Outcome<Load> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--latency"]);
    wrk.arg(format!("http://{address}{path}"));
    read(&command::run(&mut wrk, None, Output::Kept)?.text())
}

fn read(text: &str) -> Outcome<Load> {
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(format!("wrk says: {}", line.trim()).into());
    }
    let after = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
    let requests_s = after("Requests/sec:").and_then(|rate| rate.parse().ok());
    let p99_ms = after("99%").and_then(milliseconds);
    match (requests_s, p99_ms) {
        (Some(requests_s), Some(p99_ms)) => Ok(Load { requests_s, p99_ms }),
        _ => Err(format!("wrk says something else: {text}").into()),
    }
}

fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_report_is_read() {
        let text = "  Latency Distribution\n     50%  180.00us\n     99%    2.50ms\n\
                    Requests/sec:  81234.5\nTransfer/sec:  1MB";
        assert_eq!(read(text).unwrap(), Load { requests_s: 81234.5, p99_ms: 2.5 });
        assert!(read(&format!("{text}\n  Non-2xx or 3xx responses: 3")).is_err());
        assert!(read("nothing").is_err());
        assert_eq!(milliseconds("1.25s"), Some(1250.0));
        assert_eq!(milliseconds("80us"), Some(0.08));
    }
}
