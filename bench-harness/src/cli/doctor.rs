//! `mtls-bench doctor`: what this machine is and what can run on it, the data paths of `run` among it.
//!
//! Nothing that is missing makes it fail; it would be no use on the machines that need it most.

use std::fmt;

use rustls_offload::Offload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::machine::Machine;
use crate::machine::doctor::{self, Examined, Finding, Host};
use crate::machine::instance::{self, Instance};
use crate::path::{self, Availability};
use crate::settings::Workload;

/// What `doctor --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Report {
    /// The machine.
    pub machine: Machine,
    /// What results measured here are filed under.
    pub instance: Instance,
    /// Which implementation serves each algorithm and why, as the provider writes plans.
    pub plan: serde_json::Value,
    /// What was looked for and found, or not.
    pub checks: Vec<Examined>,
}

/// Examines this machine and returns what to print: one JSON document if `json`.
///
/// # Errors
/// If the CPU mask is malformed, no backend runs here, or the report can't be written as JSON. Never
/// because something is missing.
pub(super) fn run(json: bool) -> Result<String, Error> {
    let host = Host::new(Offload::new()?.plan().clone());
    let report = Report {
        instance: instance::name(None)?,
        plan: serde_json::from_str(&host.plan.to_json()?)?,
        checks: doctor::examine(&host).into_iter().chain(paths()?).collect(),
        machine: host.machine,
    };
    if json {
        Ok(serde_json::to_string_pretty(&report)?)
    } else {
        Ok(format!("{report}\n{}", host.plan))
    }
}

/// What paths `run` has here, as its defaults ask; a path that is for requests only is asked for them.
fn paths() -> Result<Vec<Examined>, Error> {
    let settings = super::run::default_settings()?;
    let all = path::all(&path::Options::default())?;
    Ok(all
        .iter()
        .map(|path| Examined {
            check: format!("path {}", path.name()),
            finding: match path.availability(&settings, Workload::Request) {
                Availability::Available => Finding::Available {
                    detail: path.program().unwrap_or_else(|| "built in".to_owned()),
                },
                Availability::Unavailable { reason, fix } => Finding::Missing { reason, fix },
            },
        })
        .collect())
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_machine(out, self)?;
        writeln!(out)?;
        let width = self.checks.iter().map(|examined| examined.check.len()).max().unwrap_or(0);
        for Examined { check, finding } in &self.checks {
            match finding {
                Finding::Available { detail } => writeln!(out, "[ok] {check:<width$}  {detail}")?,
                Finding::Missing { reason, fix } => {
                    writeln!(out, "[--] {check:<width$}  {reason}")?;
                    writeln!(out, "{:indent$}fix: {fix}", "", indent = width + 7)?;
                }
            }
        }
        let missing = self.checks.iter().filter(|examined| is_missing(examined)).count();
        let available = self.checks.len() - missing;
        writeln!(out, "\n{available} of {} available, {missing} missing", self.checks.len())
    }
}

fn is_missing(examined: &Examined) -> bool {
    matches!(examined.finding, Finding::Missing { .. })
}

fn write_machine(out: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let Report { machine, instance, .. } = report;
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let reason = match &instance.reason {
        Some(reason) => format!(" ({reason})"),
        None => String::new(),
    };
    let memory = machine.memory_bytes.map_or_else(
        || "unknown memory".to_owned(),
        |bytes| format!("{:.1} GiB of memory", bytes as f64 / f64::from(1 << 30)),
    );
    writeln!(out, "instance  {}{reason}", instance.name)?;
    writeln!(out, "cpu       {}, {memory}", known(&machine.processor.model))?;
    writeln!(
        out,
        "system    {}, Linux {}, clock source {}",
        known(&machine.os),
        known(&machine.kernel.release),
        known(&machine.kernel.clocksource),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let available = Finding::Available { detail: "1.2.3".to_owned() };
        let missing =
            Finding::Missing { reason: "not loaded".to_owned(), fix: "modprobe tls".to_owned() };
        Report {
            machine: Machine::describe().unwrap(),
            instance: instance::name(Some("box")).unwrap(),
            plan: serde_json::json!({ "format": 1 }),
            checks: vec![
                Examined { check: "envoy".to_owned(), finding: available },
                Examined { check: "kernel-tls".to_owned(), finding: missing },
            ],
        }
    }

    #[test]
    fn the_report_lines_up_and_gives_the_fix_under_the_reason() {
        let text = report().to_string();
        assert!(text.starts_with("instance  box\n"), "{text}");
        let checks = "[ok] envoy       1.2.3\n\
                      [--] kernel-tls  not loaded\n                 fix: modprobe tls\n\
                      \n1 of 2 available, 1 missing\n";
        assert!(text.ends_with(checks), "{text}");
    }

    #[test]
    fn the_report_survives_json() {
        let report = report();
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
