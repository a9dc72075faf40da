//! Offenders: addresses that are not let in for a while. An address that breaks the protocol, or never gets
//! through a handshake, or takes a place and is of no use while others wait for it, may try again; but each time
//! it does so again it waits twice as long. It is refused before a handshake, which costs a hundred times less
//! than one, so that those who come back without end cost nothing.
//!
//! One offence is forgiven, since an honest peer may meet one by accident, and all of them are forgotten after a
//! while. Connections that stand are not touched, nor those that we open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::core::Multiaddr;
use libp2p::multiaddr::Protocol;

/// What is waited after the second offence; each further one doubles it.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest wait.
const PAUSE_MAX: Duration = Duration::from_secs(320);
/// How long an address has to stay out of trouble for what it did to be forgotten.
const MEMORY: Duration = Duration::from_secs(1200);
/// Addresses that are remembered. Beyond that, the one that has been quiet for longest is forgotten.
const REMEMBERED_MAX: usize = 8192;

/// One machine, as far as an address tells: an address of version 4, or a /64 of version 6, which one machine can
/// have by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Machine(u128);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Offenders(Mutex<HashMap<Machine, Record>>);

#[derive(Debug)]
struct Record {
    count: u32,
    last: Instant,
}

impl Machine {
    /// Where a connection comes from; nothing for the two addresses by which programs of this machine reach each
    /// other.
    pub(crate) fn of(remote: &Multiaddr) -> Option<Self> {
        match ip_of(remote)? {
            IpAddr::V4(ip) if ip == std::net::Ipv4Addr::LOCALHOST => None,
            IpAddr::V6(ip) if ip.is_loopback() => None,
            IpAddr::V4(ip) => Some(Self(u128::from(ip.to_ipv6_mapped()))),
            IpAddr::V6(ip) => Some(Self(u128::from(ip) >> 64 << 64)),
        }
    }
}

impl Offenders {
    /// Notes that somebody there was a nuisance.
    pub(crate) fn note(&self, machine: Machine, now: Instant) {
        let mut records = self.records();
        if records.len() >= REMEMBERED_MAX && !records.contains_key(&machine) {
            forget(&mut records, now);
        }
        let record = records.entry(machine).or_insert(Record { count: 0, last: now });
        record.count = if is_over(record, now) { 1 } else { record.count.saturating_add(1) };
        record.last = now;
    }

    /// Whether nobody from there is let in now.
    pub(crate) fn refuses(&self, machine: Machine, now: Instant) -> bool {
        self.records().get(&machine).is_some_and(|record| now < record.last + pause(record.count))
    }

    fn records(&self) -> MutexGuard<'_, HashMap<Machine, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(count: u32) -> Duration {
    match count.checked_sub(2) {
        None => Duration::ZERO,
        Some(again) => PAUSE.saturating_mul(1 << again.min(10)).min(PAUSE_MAX),
    }
}

fn is_over(record: &Record, now: Instant) -> bool {
    now > record.last + MEMORY
}

/// Makes room: for many at once, so that a flood of new addresses does not search all of them each time.
fn forget(records: &mut HashMap<Machine, Record>, now: Instant) {
    records.retain(|_, record| !is_over(record, now));
    if records.len() >= REMEMBERED_MAX {
        let mut times: Vec<Instant> = records.values().map(|record| record.last).collect();
        let (_, &mut middle, _) = times.select_nth_unstable(REMEMBERED_MAX / 2);
        records.retain(|_, record| record.last > middle);
    }
}

/// The address of a connection; those of version 4 that are written as version 6 as what they are.
pub(crate) fn ip_of(remote: &Multiaddr) -> Option<IpAddr> {
    remote.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(ip: &str) -> Option<Machine> {
        Machine::of(&format!("{ip}/tcp/4001").parse().unwrap())
    }

    #[test]
    fn who_offends_again_waits_ever_longer_and_is_forgiven_in_the_end() {
        let offenders = Offenders::default();
        let (bad, good) = (machine("/ip4/192.0.2.1").unwrap(), machine("/ip4/192.0.2.2").unwrap());
        let mut now = Instant::now();
        offenders.note(bad, now);
        assert!(!offenders.refuses(bad, now), "once may be an accident");
        let mut waited = Duration::ZERO;
        for _ in 0..8 {
            offenders.note(bad, now);
            assert!(offenders.refuses(bad, now) && !offenders.refuses(good, now));
            let before = waited;
            waited = Duration::ZERO;
            while offenders.refuses(bad, now) {
                now += Duration::from_secs(5);
                waited += Duration::from_secs(5);
            }
            assert!(waited == (before * 2).clamp(PAUSE, PAUSE_MAX), "{waited:?} after {before:?}");
        }
        offenders.note(bad, now + MEMORY * 2);
        assert!(!offenders.refuses(bad, now + MEMORY * 2));
    }

    #[test]
    fn a_flood_of_addresses_is_remembered_up_to_a_bound_the_latest_of_them() {
        let offenders = Offenders::default();
        let start = Instant::now();
        for number in 0..3 * REMEMBERED_MAX as u128 {
            let now = start + Duration::from_millis(number as u64);
            offenders.note(Machine(number << 64), now);
            offenders.note(Machine(number << 64), now);
            assert!(offenders.records().len() <= REMEMBERED_MAX);
        }
        let last = Machine((3 * REMEMBERED_MAX as u128 - 1) << 64);
        assert!(offenders.refuses(last, start + Duration::from_secs(25)));
    }

    #[test]
    fn a_network_of_ipv6_is_one_machine_and_this_machine_is_none() {
        assert_eq!(machine("/ip6/2001:db8::1"), machine("/ip6/2001:db8::2:3"));
        assert_ne!(machine("/ip6/2001:db8::1"), machine("/ip6/2001:db8:0:1::1"));
        assert_eq!(machine("/ip4/192.0.2.1"), machine("/ip6/::ffff:192.0.2.1"));
        assert_eq!(machine("/ip4/127.0.0.1"), None);
        assert_eq!(machine("/ip6/::1"), None);
    }
}
