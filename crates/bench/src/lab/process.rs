//! What the kernel says about a process.

use std::fs;

use crate::Outcome;

/// What Linux counts CPU in toward programs, whatever it uses inside.
const TICKS_PER_SECOND: f64 = 100.0;

/// A figure of `/proc/PID/status` in MiB, for example `VmRSS` or `VmHWM`.
pub(crate) fn memory_mib(pid: u32, key: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = field(&status, key).ok_or_else(|| format!("/proc/{pid}/status has no {key}"))?;
    Ok(kib as f64 / 1024.0)
}

/// Lets `VmHWM` begin anew from what is resident now.
pub(crate) fn reset_peak(pid: u32) -> Outcome<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// Seconds of CPU that a process has used in user and kernel mode.
pub(crate) fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = cpu_ticks(&stat).ok_or("a /proc/PID/stat of another form")?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Threads of a process.
pub(crate) fn threads(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, "Threads").ok_or("a process without threads")?)
}

/// Open descriptors of a process.
pub(crate) fn open_files(pid: u32) -> Outcome<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

fn field(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The name of the program stands in parentheses and may hold anything, so counting starts behind it.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmRSS"), Some(1024));
        assert_eq!(field(status, "Threads"), Some(3));
        assert_eq!(field(status, "Vm"), None);
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20";
        assert_eq!(cpu_ticks(stat), Some(42));
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let pid = std::process::id();
        assert!(open_files(pid).unwrap() > 2);
        assert!(threads(pid).unwrap() > 0);
        assert!(memory_mib(pid, "VmRSS").unwrap() > 0.1);
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
    }
}
