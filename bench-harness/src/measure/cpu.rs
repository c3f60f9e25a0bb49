//! CPU time: each role's own, to the nanosecond, and that of the CPUs under test, to the tick.
//!
//! A role's time is its process CPU clock (`clock_getcpuclockid(3)`), which counts all threads,
//! exited ones included, from the scheduler's own accounting; a proxy that is not ours is counted by
//! control group ([`super::Watched`]). It leaves out work that the kernel
//! does in nobody's name; the busy time of the CPUs has that, but only in ticks. Both are kept, and
//! the residual between them is shown, so that nothing can hide in it. Whether soft interrupts, where
//! TCP does its input, count for the process that they interrupt or for nobody is decided when the
//! kernel is built (`CONFIG_IRQ_TIME_ACCOUNTING`); the result says which.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use std::{fs, io};

use nix::time::{ClockId, clock_gettime};
use procfs::{CpuTime, CurrentSI, KernelStats};

use super::Watched;
use crate::Error;
use crate::machine::{Root, Throttling};

/// The processes and CPUs whose times are read together.
pub struct CpuWatch {
    roles: BTreeMap<String, Watched>,
    cpus: Vec<usize>,
    throttling: Throttling,
}

impl CpuWatch {
    /// Watches `roles`, by role name, and `cpus`; all CPUs if there are none in it.
    ///
    /// # Errors
    /// When one of them does not exist, or `/proc/stat` can't be read.
    pub fn new(roles: &BTreeMap<String, Watched>, cpus: &[usize]) -> Result<Self, Error> {
        // The roles are in the group of whoever watches them, as children of one command.
        let throttling = Throttling::watch(Root::host());
        let watch = Self { roles: roles.clone(), cpus: cpus.to_vec(), throttling };
        watch.read().map(|_| watch)
    }

    /// Reads all clocks.
    ///
    /// # Errors
    /// When a watched process has ended, or `/proc/stat` can't be read.
    pub fn read(&self) -> Result<Clocks, Error> {
        let role_ns = self.roles.iter().map(|(role, watched)| {
            let what = || Error::io(format!("reading the CPU time of the {role} process"));
            Ok((role.clone(), watched.cpu_ns().map_err(what())?))
        });
        let role_ns = role_ns.collect::<Result<_, Error>>()?;
        let (machine_busy_ns, machine_steal_ns) = cpu_times(&self.cpus)?;
        Ok(Clocks {
            role_ns,
            machine_busy_ns,
            machine_steal_ns,
            listen_overflows: overflows()?,
            throttled_periods: self.throttling.periods(),
        })
    }
}

/// Clock readings at one instant; only differences mean anything.
#[derive(Clone, Debug)]
pub struct Clocks {
    role_ns: BTreeMap<String, u64>,
    machine_busy_ns: u64,
    machine_steal_ns: u64,
    listen_overflows: u64,
    throttled_periods: u64,
}

/// CPU time used between two readings.
#[derive(Clone, Debug)]
pub struct Used {
    /// By each role, in nanoseconds.
    pub role_ns: BTreeMap<String, u64>,
    /// By everything on the watched CPUs, in nanoseconds.
    pub machine_busy_ns: u64,
    /// Taken from the watched CPUs by the hypervisor, in nanoseconds.
    pub machine_steal_ns: u64,
    /// Connections that found a listener's accept queue full, on the whole machine.
    pub listen_overflows: u64,
    /// Periods in which a CPU quota of a control group stopped tasks of it.
    pub throttled_periods: u64,
}

impl Clocks {
    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Self) -> Used {
        let role_ns = self.role_ns.iter().map(|(role, ns)| {
            let before = earlier.role_ns.get(role).copied().unwrap_or_default();
            (role.clone(), ns.saturating_sub(before))
        });
        Used {
            role_ns: role_ns.collect(),
            machine_busy_ns: self.machine_busy_ns.saturating_sub(earlier.machine_busy_ns),
            machine_steal_ns: self.machine_steal_ns.saturating_sub(earlier.machine_steal_ns),
            listen_overflows: self.listen_overflows.saturating_sub(earlier.listen_overflows),
            throttled_periods: self.throttled_periods.saturating_sub(earlier.throttled_periods),
        }
    }
}

/// CPU time of the calling thread.
pub fn thread_time() -> Duration {
    // It fails only for clocks that don't exist.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Busy time of `cpus` when nothing is measured, in nanoseconds a second, over `length`.
///
/// # Errors
/// When `/proc/stat` can't be read.
pub async fn idle_ns_per_s(cpus: &[usize], length: Duration) -> Result<f64, Error> {
    let begun = Instant::now();
    let (before, _) = cpu_times(cpus)?;
    tokio::time::sleep(length).await;
    let (after, _) = cpu_times(cpus)?;
    Ok(after.saturating_sub(before) as f64 / begun.elapsed().as_secs_f64())
}

/// Busy and stolen nanoseconds of `cpus` since boot; of all CPUs if there are none in it.
fn cpu_times(cpus: &[usize]) -> Result<(u64, u64), Error> {
    let stats = KernelStats::current()
        .map_err(|error| Error::io("reading /proc/stat")(io::Error::other(error)))?;
    let chosen: Vec<&CpuTime> = cpus.iter().filter_map(|cpu| stats.cpu_time.get(*cpu)).collect();
    // With CPUs offline the list has gaps and its positions are not the CPUs' numbers.
    let named = !cpus.is_empty() && chosen.len() == cpus.len();
    let times = if named { chosen } else { vec![&stats.total] };
    let (busy, stolen) = times.into_iter().fold((0, 0), |(busy, stolen), time| {
        (busy + busy_ticks(time), stolen + time.steal.unwrap_or_default())
    });
    let ns_per_tick = 1_000_000_000 / procfs::ticks_per_second();
    Ok((busy * ns_per_tick, stolen * ns_per_tick))
}

/// Guest time is part of user time; idle and I/O wait are not busy.
fn busy_ticks(time: &CpuTime) -> u64 {
    let interrupts = time.irq.unwrap_or_default() + time.softirq.unwrap_or_default();
    time.user + time.nice + time.system + interrupts
}

/// `TcpExt: ListenOverflows` since boot; zero where the kernel does not tell.
fn overflows() -> Result<u64, Error> {
    let text =
        fs::read_to_string("/proc/net/netstat").map_err(Error::io("reading /proc/net/netstat"))?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let found = pairs.find(|(name, _)| *name == "ListenOverflows");
    Ok(found.and_then(|(_, value)| value.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_charged_and_a_sleeping_one_is_not() {
        let own = i32::try_from(std::process::id()).unwrap();
        let watch =
            CpuWatch::new(&BTreeMap::from([("self".to_owned(), Watched::Process(own))]), &[])
                .unwrap();
        let before = watch.read().unwrap();
        let begun = thread_time();
        while thread_time() - begun < Duration::from_millis(20) {}
        let used = watch.read().unwrap().since(&before);
        assert!(used.role_ns["self"] >= 20_000_000);
    }

    #[test]
    fn a_process_that_does_not_exist_is_named() {
        // Above PID_MAX_LIMIT, the largest pid that Linux hands out.
        let watch = CpuWatch::new(
            &BTreeMap::from([("ghost".to_owned(), Watched::Process((1 << 22) + 1))]),
            &[],
        );
        assert!(watch.err().unwrap().to_string().contains("ghost"));
    }
}
