//! How much memory a process takes, and how long it computes.

/// How many seconds this thread has computed so far, whatever else the machine did. `None` where the system has no
/// /proc.
#[must_use]
pub fn computed_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos / 1e9)
}

/// The most memory that this process has had so far, in KiB. `None` where the system has no /proc.
#[must_use]
pub fn peak_kib() -> Option<u64> {
    of_status("VmHWM:")
}

fn of_status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
