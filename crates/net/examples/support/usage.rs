//! What this process has used so far, from /proc.

/// CPU seconds in user and kernel mode, resident memory now and at its peak.
pub fn line() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name in parentheses may hold spaces; the fields count from behind it.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let seconds = |index: usize| fields[index].parse::<f64>().unwrap() / 100.0;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    };
    format!(
        "user {:.2} s, kernel {:.2} s, memory {:.1} MiB now, {:.1} MiB at its peak",
        seconds(11),
        seconds(12),
        memory("VmRSS:"),
        memory("VmHWM:")
    )
}
