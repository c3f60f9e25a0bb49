//! The tables that a run ends with.

mod rotations;
mod sessions;

use std::fmt::Write;
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Row, Table, presets};

use super::{ArmResult, ChainCache, Figures, LoadPoint, MeasuredWindow, RunResult, remarks};
use crate::measure::Latency;
use crate::path::Availability;
use crate::settings::{ProviderName, Workload};
use crate::stats::Spread;

/// All tables of a result and what must be known with them, as plain text.
pub fn render(result: &RunResult) -> String {
    let mut text = heading(result);
    for (title, table) in sections(result) {
        let _ = write!(text, "\n{title}\n{table}\n");
    }
    text.push_str(&remarks::render(result));
    text
}

/// The tables with their titles, as far as there is something in them.
pub(super) fn sections(result: &RunResult) -> Vec<(String, Table)> {
    let all = [
        capacity(result),
        latency(result),
        sessions::table(result),
        rotations::table(result),
        memory(result),
        ratios(result),
    ];
    all.into_iter().flatten().collect()
}

/// The text of a table: its header and its rows.
pub(super) fn cells(table: &Table) -> (Vec<String>, Vec<Vec<String>>) {
    let text = |row: &Row| row.cell_iter().map(Cell::content).collect();
    (table.header().map(text).unwrap_or_default(), table.row_iter().map(text).collect())
}

/// What was measured, where and how, in two lines.
pub(super) fn heading(result: &RunResult) -> String {
    let (tls, processor) = (&result.settings.tls, &result.machine.processor);
    format!(
        "{} ({} CPUs, {}), kernel {}\n{}, {}, {:?} chain of {}, client certificate required, {} \
         tickets; {}{}{}; {} in flight; client on CPU {:?}, server on CPU {:?}\n",
        processor.model.as_deref().unwrap_or("unknown CPU"),
        processor.logical_cpus.map_or_else(dash, |cpus| cpus.to_string()),
        result.instance.name,
        result.machine.kernel.release.as_deref().unwrap_or("unknown"),
        tls.suite,
        tls.group,
        tls.key_type,
        tls.chain_length,
        tls.tickets,
        result.settings.identities,
        issuer(result),
        result.settings.rotate_s.map_or_else(String::new, |s| format!(", renewed every {s} s")),
        result.settings.concurrency,
        result.settings.client_cpus,
        result.settings.server_cpus,
    )
}

fn issuer(result: &RunResult) -> String {
    let api = result.settings.identity.endpoint();
    api.map_or_else(String::new, |endpoint| format!(", issued by the Workload API at {endpoint}"))
}

type Section = Option<(String, Table)>;

fn capacity(result: &RunResult) -> Section {
    let point = capacity_point(result);
    let mut table = new_table(&[
        "workload",
        "path",
        "provider",
        "ops/s",
        "chain cache hits",
        "server us",
        "server+sidecar us",
        "all roles us",
        "machine us",
        "residual us",
        "MiB/s",
        "client CPU",
        "server CPU",
        "CPU tax",
    ]);
    for arm in result.arms.iter().filter(|arm| arm.workload != Workload::Idle) {
        let mut row = names(arm);
        match &arm.availability {
            Availability::Unavailable { reason, .. } => row.push(format!("unavailable: {reason}")),
            Availability::Available => row.extend(capacity_cells(&Figures::of(result, arm, point))),
        }
        table.add_row(row);
    }
    let title = format!(
        "Capacity and CPU time an operation, at {point}: median [min .. max] of {} rounds",
        result.settings.rounds
    );
    (table.row_count() > 0).then_some((title, table))
}

fn capacity_cells(figures: &Figures) -> [String; 11] {
    [
        spread(figures.rate, 0),
        cache_hits(figures.chain_cache),
        spread(figures.server_us, 1),
        median(figures.server_node_us, 1),
        spread(figures.all_roles_us, 1),
        median(figures.machine_us, 1),
        median(figures.residual_us, 1),
        figures.mib_per_s.map_or_else(dash, |rate| format!("{rate:.1}")),
        percent(figures.client_busy),
        percent(figures.server_busy),
        figures.tax.map_or_else(dash, |tax| {
            let [median, min, max] = [tax.median, tax.min, tax.max].map(|part| part * 100.0);
            format!("{median:+.0} % [{min:+.0} .. {max:+.0}]")
        }),
    ]
}

fn latency(result: &RunResult) -> Section {
    let mut table = new_table(&[
        "workload",
        "path",
        "provider",
        "load",
        "offered /s",
        "done /s",
        "chain cache hits",
        "all roles us",
        "p50 us",
        "p90 us",
        "p99 us",
        "p99.9 us",
        "max us",
        "late p99 us",
    ]);
    for (arm, point, latency, lateness) in open_rows(result) {
        let figures = Figures::of(result, arm, point);
        let offered = point.rate(arm.saturation.map(|spread| spread.median));
        let mut row = names(arm);
        row.push(point.to_string());
        row.push(offered.map_or_else(dash, |rate| format!("{rate:.0}")));
        row.push(median(figures.rate, 0));
        row.push(cache_hits(figures.chain_cache));
        row.push(median(figures.all_roles_us, 1));
        row.extend([0.5, 0.9, 0.99, 0.999].map(|q| micros(latency.quantile(q))));
        row.push(micros(latency.max()));
        row.push(micros(lateness.quantile(0.99)));
        table.add_row(row);
    }
    let title = "Latency from the intended start, open loop, Poisson arrivals, all rounds together \
                 (-: fewer than ten operations beyond it)";
    (table.row_count() > 0).then(|| (title.to_owned(), table))
}

/// Each arm at each open-loop load, with latency and lateness of all rounds together.
pub(super) fn open_rows(
    result: &RunResult,
) -> impl Iterator<Item = (&ArmResult, LoadPoint, Latency, Latency)> {
    let points = open_points(result);
    let rows = result.arms.iter().flat_map(move |arm| {
        let points = points.clone();
        points.into_iter().map(move |point| (arm, point))
    });
    rows.filter(|(arm, point)| arm.at(*point).next().is_some()).map(|(arm, point)| {
        let (mut latency, mut lateness) = (Latency::default(), Latency::default());
        for window in arm.at(point) {
            latency.add(&window.window.latency);
            lateness.add(&window.window.lateness);
        }
        (arm, point, latency, lateness)
    })
}

/// The open-loop loads.
pub(super) fn open_points(result: &RunResult) -> Vec<LoadPoint> {
    match result.settings.rate {
        Some(rate) => vec![LoadPoint::Rate(rate)],
        None => result.settings.load_points.iter().copied().map(LoadPoint::Fraction).collect(),
    }
}

fn memory(result: &RunResult) -> Section {
    let mut table =
        new_table(&["workload", "path", "provider", "connections", "role", "bytes each"]);
    for arm in &result.arms {
        let Some(memory) = &arm.memory else { continue };
        let roles = memory.role_bytes.iter().map(|(role, bytes)| (role.as_str(), *bytes));
        for (role, bytes) in roles.chain([("kernel, all sockets", memory.kernel_bytes)]) {
            let mut row = names(arm);
            row.push(memory.connections.to_string());
            row.push(role.to_owned());
            row.push(format!("{bytes:.0}"));
            table.add_row(row);
        }
    }
    (table.row_count() > 0).then(|| ("Memory of an idle connection".to_owned(), table))
}

/// The first provider against each other one, round by round.
fn ratios(result: &RunResult) -> Section {
    let point = capacity_point(result);
    let first: ProviderName = result.arms.iter().find_map(|arm| arm.provider)?;
    let mut table = new_table(&["workload", "path", "ratio", "ops/s", "server node CPU"]);
    for own in result.arms.iter().filter(|arm| arm.provider == Some(first)) {
        for other in result.arms.iter().filter(|arm| same_but_provider(own, arm)) {
            let Some(name) = other.provider else { continue };
            let rates = own.paired(other, point, |w| w.window.rate());
            let cpu = own.paired(other, point, MeasuredWindow::server_node_cpu_us);
            table.add_row([
                own.workload.to_string(),
                own.path.clone(),
                format!("{first} / {name}"),
                spread(Spread::of_ratios(rates), 3),
                spread(Spread::of_ratios(cpu), 3),
            ]);
        }
    }
    let title = "Ratios, round by round: median [min .. max]; more ops/s and less CPU are better";
    (table.row_count() > 0).then(|| (title.to_owned(), table))
}

/// The load at which capacity and CPU time are told.
pub(super) fn capacity_point(result: &RunResult) -> LoadPoint {
    result.settings.rate.map_or(LoadPoint::Saturation, LoadPoint::Rate)
}

fn same_but_provider(own: &ArmResult, other: &ArmResult) -> bool {
    own.path == other.path && own.workload == other.workload && own.provider != other.provider
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn names(arm: &ArmResult) -> Vec<String> {
    let provider = arm.provider.map_or_else(dash, |name| name.to_string());
    vec![arm.workload.to_string(), arm.path.clone(), provider]
}

fn spread(figure: Option<Spread>, digits: usize) -> String {
    figure.map_or_else(dash, |s| {
        format!("{:.digits$} [{:.digits$} .. {:.digits$}]", s.median, s.min, s.max)
    })
}

fn median(figure: Option<Spread>, digits: usize) -> String {
    figure.map_or_else(dash, |s| format!("{:.digits$}", s.median))
}

fn percent(share: Option<Spread>) -> String {
    share.map_or_else(dash, |s| format!("{:.0} %", s.median * 100.0))
}

fn cache_hits(cache: ChainCache) -> String {
    match cache {
        ChainCache::Unused => dash(),
        ChainCache::Absent => "no cache".to_owned(),
        ChainCache::Hits(share) => format!("{:.1} %", share * 100.0),
    }
}

fn micros(duration: Option<Duration>) -> String {
    duration.map_or_else(dash, |d| format!("{:.0}", d.as_secs_f64() * 1e6))
}

fn dash() -> String {
    "-".to_owned()
}
