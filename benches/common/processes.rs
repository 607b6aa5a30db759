//! What processes use, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// Linux counts processor time in hundredths of a second on every architecture we run on.
const TICKS_PER_SECOND: u64 = 100;

/// The processor time of a process so far, with the children it has waited for.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    Stat::of(pid).map_or(Duration::ZERO, |stat| stat.cpu_time())
}

/// The processor time of a process and of its children, the ended ones included.
pub(crate) fn cpu_time_of_family(pid: u32) -> Duration {
    let children = all().into_values().filter(|stat| stat.parent == pid);
    children.map(|stat| stat.cpu_time()).sum::<Duration>() + cpu_time(pid)
}

/// The processor time that all processes of the machine have used, and the time that it wasn't
/// given although it wanted it.
pub(crate) fn cpu_time_of_machine() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let mut next = || fields.next().and_then(|field| field.parse().ok()).unwrap_or(0);
    let (user, nice, system, _idle, _waiting): (u64, u64, u64, u64, u64) =
        (next(), next(), next(), next(), next());
    let (interrupts, soft_interrupts, stolen): (u64, u64, u64) = (next(), next(), next());
    from_ticks(user + nice + system + interrupts + soft_interrupts + stolen)
}

/// How much memory of a process is in RAM now, and was at most, in MiB.
pub(crate) fn resident_mib(pid: u32) -> (f64, f64) {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.trim().parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
    };
    (of("VmRSS:"), of("VmHWM:"))
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may hold anything; what follows it doesn't.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<u64>().unwrap_or(0));
        Some(Self { parent: fields.get(1)?.parse().ok()?, ticks: ticks.sum() })
    }

    fn cpu_time(&self) -> Duration {
        from_ticks(self.ticks)
    }
}

fn all() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid)?))).collect()
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}
