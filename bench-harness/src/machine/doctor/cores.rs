//! CPUs and cores: a run pins the client's side and the server's side apart.

use super::{Check, Finding, Host};
use crate::machine::Processor;

/// Whether client and server can have a CPU each, and whether CPUs share cores.
pub(super) struct Cores;

impl Check for Cores {
    fn name(&self) -> &'static str {
        "cores"
    }

    fn probe(&self, host: &Host) -> Finding {
        judge(&host.machine.processor)
    }
}

fn judge(processor: &Processor) -> Finding {
    let count = |number: Option<u32>| number.map_or("?".to_owned(), |number| number.to_string());
    let sharing = match processor.threads_per_core {
        Some(1) => "no simultaneous multithreading visible".to_owned(),
        Some(threads) => {
            format!("{threads} CPUs share a core, so rates per CPU fall when all are busy")
        }
        None => "how CPUs share cores is not visible".to_owned(),
    };
    let found = format!(
        "{} CPUs on {} cores, {} usable; {sharing}",
        count(processor.logical_cpus),
        count(processor.physical_cores),
        count(processor.usable_cpus),
    );
    match processor.usable_cpus {
        Some(0 | 1) => Finding::missing(
            format!("client and server need a CPU each: {found}"),
            "widen the CPU affinity or quota (`taskset -c 0,1 mtls-bench run`, \
             `docker run --cpus 2`), or take a machine with two CPUs",
        ),
        _ => Finding::available(found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    #[test]
    fn one_usable_cpu_is_too_few_and_two_are_enough() {
        let (_guard, host) = host_of(&[]);
        let mut processor = host.machine.processor;
        processor.usable_cpus = Some(1);
        assert!(matches!(judge(&processor), Finding::Missing { .. }));
        processor.usable_cpus = Some(2);
        assert!(matches!(judge(&processor), Finding::Available { .. }));
    }
}
