//! What charts show of a result: series of numbers, whoever draws them.
//!
//! Nothing here knows how a chart is drawn. A chart also gives its numbers as a table, for readers without
//! one and for whoever wants them exactly.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{ArmResult, Figures, LoadPoint, MeasuredWindow, RunResult, remarks, table};
use crate::measure::Latency;
use crate::settings::Workload;
use crate::stats::Spread;

/// The fractions at which latency curves have points.
const FRACTIONS: [f64; 16] = [
    0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999,
    0.99995, 0.99999,
];

/// Roles from the client to the server.
const ON_THE_WAY: [&str; 4] = ["generator", "client-sidecar", "server-sidecar", "server"];

/// The part of a cost that no role accounts for.
const RESIDUAL: &str = "residual";

/// What [`RESIDUAL`] is.
const TOLD: &str = "The residual is what the CPUs were busy with beyond the roles and the idle baseline, the \
    kernel's work in nobody's name above all; it is counted in ticks, and may come out below zero.";

/// Why there is no [`RESIDUAL`].
const UNTOLD: &str = "What the CPUs were busy with beyond the roles can't be told: something else was \
    running before the run.";

/// A chart, to be drawn from nothing else.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// How to read it.
    #[serde(skip)]
    pub caption: String,
    /// What its numbers are.
    pub unit: &'static str,
    /// The numbers.
    pub drawing: Drawing,
}

/// The shapes of charts.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Drawing {
    /// Curves over fractions, close to 1 ever finer.
    Percentiles {
        /// One an arm.
        curves: Vec<Curve>,
    },
    /// A bar a label, made of parts.
    Stacked {
        /// Names of the bars.
        labels: Vec<String>,
        /// Each part of all bars.
        parts: Vec<Part>,
    },
    /// A bar a label, with the range over the rounds.
    Ranges {
        /// One an arm.
        bars: Vec<Bar>,
    },
}

/// The latency of an arm.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// The arm.
    pub name: String,
    /// Which colour is the arm's in all charts.
    pub colour: usize,
    /// Fractions, and what they don't exceed.
    pub points: Vec<(f64, f64)>,
}

/// One part of stacked bars.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// One number a bar.
    pub values: Vec<f64>,
}

/// A figure over the rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// The arm.
    pub name: String,
    /// Which colour is the arm's in all charts.
    pub colour: usize,
    /// Median, smallest and largest.
    pub spread: Spread,
}

/// All charts that `result` has numbers for.
pub fn charts(result: &RunResult) -> Vec<Chart> {
    let mut charts = latency(result);
    charts.extend(costs(result));
    charts.extend(tax(result));
    charts.extend(throughput(result));
    charts
}

fn latency(result: &RunResult) -> Vec<Chart> {
    let mut charts: Vec<(Workload, LoadPoint, Chart)> = Vec::new();
    for (arm, point, latency, _) in table::open_rows(result) {
        let known = charts.iter().position(|(w, p, _)| *w == arm.workload && *p == point);
        let index = known.unwrap_or_else(|| {
            charts.push((arm.workload, point, percentiles(arm, point)));
            charts.len() - 1
        });
        if let Drawing::Percentiles { curves } = &mut charts[index].2.drawing {
            curves.push(curve(result, arm, &latency));
        }
    }
    charts.into_iter().map(|(.., chart)| chart).collect()
}

fn percentiles(arm: &ArmResult, point: LoadPoint) -> Chart {
    let each = if matches!(point, LoadPoint::Fraction(_)) { ", each of its own" } else { "" };
    Chart {
        title: format!("Latency of {}, at {point}{each}", noun(arm.workload)),
        caption: "From the intended start, open loop, all rounds together. A curve ends where fewer than \
                  ten operations lie beyond it."
            .to_owned(),
        unit: "us",
        drawing: Drawing::Percentiles { curves: Vec::new() },
    }
}

fn curve(result: &RunResult, arm: &ArmResult, latency: &Latency) -> Curve {
    let point = |fraction| Some((fraction, latency.quantile(fraction)?.as_secs_f64() * 1e6));
    Curve {
        name: within(arm),
        colour: colour(result, arm),
        points: FRACTIONS.into_iter().filter_map(point).collect(),
    }
}

/// The name of an arm among others of its workload.
fn within(arm: &ArmResult) -> String {
    let provider = arm.provider.map(|name| format!(", {name}")).unwrap_or_default();
    format!("{}{provider}", arm.path)
}

fn noun(workload: Workload) -> String {
    match workload {
        Workload::Handshake(mix) => format!("handshakes, {mix}"),
        Workload::Request => "requests".to_owned(),
        Workload::Stream => "streams, 1 MiB an operation".to_owned(),
        Workload::Idle => "idle connections".to_owned(),
    }
}

/// Whether a workload's operations are of some kind.
type OfKind = fn(Workload) -> bool;

/// One chart of stacked bars for handshakes, one for requests, one for streams.
fn costs(result: &RunResult) -> Vec<Chart> {
    let point = table::capacity_point(result);
    let kinds: [(&str, OfKind); 3] = [
        ("handshake", |w| matches!(w, Workload::Handshake(_))),
        ("request", |w| w == Workload::Request),
        ("MiB streamed", |w| w == Workload::Stream),
    ];
    let chart = |(what, of_kind): (&str, OfKind)| {
        let arms = result.arms.iter().filter(|arm| of_kind(arm.workload));
        let arms: Vec<_> = arms.filter(|arm| arm.at(point).next().is_some()).collect();
        (!arms.is_empty()).then(|| Chart {
            title: format!("CPU time of a {what}, at {point}"),
            caption: format!(
                "By role, all rounds together. {} Results hold no finer parts: a handshake's \
                 cryptography is inside the roles that have an end of it.",
                if remarks::disturbed(result) { UNTOLD } else { TOLD }
            ),
            unit: "us",
            drawing: stacked(result, &arms, point),
        })
    };
    kinds.into_iter().filter_map(chart).collect()
}

fn stacked(result: &RunResult, arms: &[&ArmResult], point: LoadPoint) -> Drawing {
    let windows = arms.iter().flat_map(|arm| arm.at(point));
    let roles: BTreeSet<&str> =
        windows.flat_map(|window| window.window.cpu_ns.keys()).map(String::as_str).collect();
    // As a request meets them.
    let mut roles: Vec<&str> = roles.into_iter().collect();
    let place = |role: &&str| ON_THE_WAY.iter().position(|known| known == role);
    roles.sort_by_key(|role| place(role).unwrap_or(ON_THE_WAY.len()));
    let part = |name: &str, value: &dyn Fn(&ArmResult) -> f64| Part {
        name: name.to_owned(),
        values: arms.iter().map(|arm| value(arm)).collect(),
    };
    let role_ns = |window: &MeasuredWindow, role: &str| {
        window.window.cpu_ns.get(role).copied().unwrap_or_default() as f64
    };
    let mut parts: Vec<Part> = roles
        .iter()
        .map(|role| part(role, &|arm| mean_us(arm, point, |window| role_ns(window, role))))
        .collect();
    let idle = result.machine_idle_ns_per_s;
    let residual = |window: &MeasuredWindow| {
        let roles: f64 = window.window.cpu_ns.values().map(|ns| *ns as f64).sum();
        window.window.machine_busy_ns as f64 - idle * window.window.seconds - roles
    };
    if !remarks::disturbed(result) {
        parts.push(part(RESIDUAL, &|arm| mean_us(arm, point, residual)));
    }
    Drawing::Stacked { labels: arms.iter().map(|arm| arm.label()).collect(), parts }
}

/// Nanoseconds of all windows by operations of all windows, in microseconds.
fn mean_us(arm: &ArmResult, point: LoadPoint, ns: impl Fn(&MeasuredWindow) -> f64) -> f64 {
    let (ns, operations) = arm.at(point).fold((0.0, 0), |(sum, operations), window| {
        (sum + ns(window), operations + window.window.operations)
    });
    ns / operations.max(1) as f64 / 1e3
}

fn tax(result: &RunResult) -> Option<Chart> {
    let point = table::capacity_point(result);
    let percent = |spread: Spread| Spread {
        median: spread.median * 100.0,
        min: spread.min * 100.0,
        max: spread.max * 100.0,
    };
    let bars = bars(result, |arm| Figures::of(result, arm, point).tax.map(percent));
    (!bars.is_empty()).then(|| Chart {
        title: format!("CPU tax over plaintext, at {point}"),
        caption:
            "CPU time of all roles beyond what plaintext takes for the same work, round by round: \
                  the median, and a line from the smallest to the largest."
                .to_owned(),
        unit: "%",
        drawing: Drawing::Ranges { bars },
    })
}

/// Of streams: results hold no record sizes, so rustls's own size is the only one there is.
fn throughput(result: &RunResult) -> Option<Chart> {
    let point = table::capacity_point(result);
    let bars = bars(result, |arm| {
        let bytes = arm.operation_bytes.filter(|_| arm.workload == Workload::Stream)? as f64;
        Spread::of(arm.rates(point).into_iter().map(|rate| rate * bytes / 1e9))
    });
    (!bars.is_empty()).then(|| Chart {
        title: format!("Throughput, at {point}"),
        caption: "In records of the size that rustls makes by itself; results hold no other. A line goes \
                  from the slowest round to the fastest."
            .to_owned(),
        unit: "GB/s",
        drawing: Drawing::Ranges { bars },
    })
}

fn bars(result: &RunResult, figure: impl Fn(&ArmResult) -> Option<Spread>) -> Vec<Bar> {
    let bar = |arm: &ArmResult| {
        let spread = figure(arm)?;
        Some(Bar { name: arm.label(), colour: colour(result, arm), spread })
    };
    result.arms.iter().filter_map(bar).collect()
}

/// The number of the arm's path and provider among those of the result.
fn colour(result: &RunResult, arm: &ArmResult) -> usize {
    let mut pairs: Vec<_> = Vec::new();
    for known in &result.arms {
        if !pairs.contains(&(&known.path, known.provider)) {
            pairs.push((&known.path, known.provider));
        }
    }
    pairs.iter().position(|pair| *pair == (&arm.path, arm.provider)).unwrap_or_default()
}

impl Chart {
    /// The numbers as a table: its header and its rows.
    pub fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let number = |value: f64| format!("{value:.*}", digits(value));
        match &self.drawing {
            Drawing::Percentiles { curves } => {
                let header = curves.iter().map(|curve| format!("{} {}", curve.name, self.unit));
                let row = |fraction: f64| {
                    let at =
                        |curve: &Curve| curve.points.iter().find(|(f, _)| *f == fraction).copied();
                    let cell = |curve| at(curve).map_or_else(dash, |(_, value)| number(value));
                    let cells = [format!("p{}", fraction_name(fraction))];
                    let cells: Vec<_> = cells.into_iter().chain(curves.iter().map(cell)).collect();
                    cells[1..].iter().any(|cell| *cell != dash()).then_some(cells)
                };
                let header = ["percentile".to_owned()].into_iter().chain(header);
                (header.collect(), FRACTIONS.into_iter().filter_map(row).collect())
            }
            Drawing::Stacked { labels, parts } => {
                let header = parts.iter().map(|part| format!("{} {}", part.name, self.unit));
                let header = ["arm".to_owned()].into_iter().chain(header).collect();
                let row = |(index, label): (usize, &String)| {
                    let cells = parts.iter().map(|part| number(part.values[index]));
                    [label.clone()].into_iter().chain(cells).collect()
                };
                (header, labels.iter().enumerate().map(row).collect())
            }
            Drawing::Ranges { bars } => {
                let of_unit = ["median", "min", "max"].map(|name| format!("{name} {}", self.unit));
                let header = ["arm".to_owned()].into_iter().chain(of_unit);
                let row = |bar: &Bar| {
                    let Spread { median, min, max } = bar.spread;
                    [bar.name.clone()].into_iter().chain([median, min, max].map(number)).collect()
                };
                (header.collect(), bars.iter().map(row).collect())
            }
        }
    }
}

/// `99.9` for 0.999, without what floating point adds.
fn fraction_name(fraction: f64) -> String {
    let text = format!("{:.3}", fraction * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn digits(value: f64) -> usize {
    if value.abs() < 100.0 { 2 } else { 0 }
}

fn dash() -> String {
    "-".to_owned()
}
