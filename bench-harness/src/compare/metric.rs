//! What instances are compared by: each figure of one arm of one result, with its range over rounds.

use std::collections::BTreeMap;

use super::Price;
use crate::measure::Latency;
use crate::report::{ArmResult, LoadPoint, MeasuredWindow, RunResult};
use crate::settings::Workload;
use crate::stats::Spread;

/// What operations are counted in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// The plural: `handshakes`.
    pub name: &'static str,
    /// One operation, where CPU time an operation is meant: `handshake`.
    pub one: &'static str,
    /// How many units an operation is.
    per_operation: f64,
}

impl Unit {
    /// The unit of an arm's workload: what streams is counted in GB (10^9 bytes).
    pub(super) fn of(arm: &ArmResult) -> Self {
        match (arm.workload, arm.operation_bytes) {
            (Workload::Stream, Some(bytes)) => {
                Self { name: "GB", one: "GB", per_operation: bytes as f64 / 1e9 }
            }
            (Workload::Handshake(_), _) => {
                Self { name: "handshakes", one: "handshake", per_operation: 1.0 }
            }
            _ => Self { name: "requests", one: "request", per_operation: 1.0 },
        }
    }
}

/// A figure that instances are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Units for one unit of currency, every vCPU serving at full load.
    PerDollar,
    /// Units in a second of a vCPU's time, at full load.
    PerVcpuFull,
    /// The same at half load.
    PerVcpuHalf,
    /// Units in a second of a physical core's time, at full load.
    PerCoreFull,
    /// The same at half load.
    PerCoreHalf,
    /// CPU time of both ends for one unit, in microseconds, at full load or the fixed rate.
    CpuUs,
    /// Latency in microseconds that 99 % stay below at 80 % load.
    P99,
}

impl Metric {
    /// All of them, in the order of columns.
    pub const ALL: [Self; 7] = [
        Self::PerDollar,
        Self::PerVcpuFull,
        Self::PerVcpuHalf,
        Self::PerCoreFull,
        Self::PerCoreHalf,
        Self::CpuUs,
        Self::P99,
    ];

    /// Those that places come from, the first that every result has.
    pub(super) const RANKING: [Self; 3] = [Self::PerDollar, Self::PerVcpuFull, Self::CpuUs];

    /// The name of a column.
    pub fn title(self, unit: Unit) -> String {
        let Unit { name, one, .. } = unit;
        match self {
            Self::PerDollar => format!("{name} per unit of currency"),
            Self::PerVcpuFull => format!("{name}/s per vCPU at 100 %"),
            Self::PerVcpuHalf => format!("{name}/s per vCPU at 50 %"),
            Self::PerCoreFull => format!("{name}/s per core at 100 %"),
            Self::PerCoreHalf => format!("{name}/s per core at 50 %"),
            Self::CpuUs => format!("CPU us per {one}"),
            Self::P99 => "p99 us at 80 %".to_owned(),
        }
    }

    /// The value as something of which less is better.
    pub(super) fn cost(self, value: f64) -> f64 {
        match self {
            Self::CpuUs | Self::P99 => value,
            _ => -value,
        }
    }
}

/// A figure and the range it had over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The median over rounds; for percentiles, that of all rounds together.
    pub value: f64,
    /// The smallest and the largest of the rounds; none if a round alone does not tell.
    pub range: Option<(f64, f64)>,
}

impl Figure {
    fn over(spread: Spread) -> Self {
        Self { value: spread.median, range: Some((spread.min, spread.max)) }
    }

    fn times(self, factor: f64) -> Self {
        let range = self.range.map(|(min, max)| (min * factor, max * factor));
        Self { value: self.value * factor, range }
    }

    /// Whether every round of this one was better than every round of the other; never, if the
    /// rounds of one of them are not known.
    pub fn surely_better(&self, other: &Self, metric: Metric) -> bool {
        let costs = |(min, max)| {
            let (a, b): (f64, f64) = (metric.cost(min), metric.cost(max));
            (a.min(b), a.max(b))
        };
        match (self.range.map(costs), other.range.map(costs)) {
            (Some((_, worst)), Some((best, _))) => worst < best,
            _ => false,
        }
    }
}

/// All that `arm` tells.
pub(super) fn figures(
    result: &RunResult,
    arm: &ArmResult,
    unit: Unit,
    price: Option<Price<'_>>,
) -> BTreeMap<Metric, Figure> {
    let mut figures = BTreeMap::new();
    let mut tell = |metric, figure: Option<Figure>| {
        figure.and_then(|figure| figures.insert(metric, figure));
    };
    let processor = &result.machine.processor;
    let vcpus = processor.logical_cpus.map(f64::from);
    let cores = processor.physical_cores.filter(|cores| *cores > 0);
    let per_core = vcpus.zip(cores).map(|(vcpus, cores)| vcpus / f64::from(cores));
    let (full, half) = (LoadPoint::Saturation, LoadPoint::Fraction(0.5));
    for (point, of_vcpu, of_core) in [
        (full, Metric::PerVcpuFull, Metric::PerCoreFull),
        (half, Metric::PerVcpuHalf, Metric::PerCoreHalf),
    ] {
        let rate = per_vcpu(arm, point, unit);
        tell(of_vcpu, rate);
        tell(of_core, rate.zip(per_core).map(|(rate, vcpus)| rate.times(vcpus)));
    }
    let machine = per_vcpu(arm, full, unit).zip(vcpus).map(|(rate, vcpus)| rate.times(vcpus));
    let an_hour = machine.zip(price).map(|(rate, price)| rate.times(3600.0 / price.per_hour));
    tell(Metric::PerDollar, an_hour);
    let point = result.settings.rate.map_or(full, LoadPoint::Rate);
    let cpu_us = over(arm, point, |window| window.cpu_us(|_| true) / unit.per_operation);
    tell(Metric::CpuUs, cpu_us);
    tell(Metric::P99, p99(arm, LoadPoint::Fraction(0.8)));
    figures
}

fn over(
    arm: &ArmResult,
    point: LoadPoint,
    figure: impl Fn(&MeasuredWindow) -> f64,
) -> Option<Figure> {
    Spread::of(arm.at(point).map(figure)).map(Figure::over)
}

/// Units in a second of CPU time of the server's node.
fn per_vcpu(arm: &ArmResult, point: LoadPoint, unit: Unit) -> Option<Figure> {
    over(arm, point, |window| unit.per_operation * 1e6 / window.server_node_cpu_us())
}

fn p99(arm: &ArmResult, point: LoadPoint) -> Option<Figure> {
    let micros = |latency: &Latency| Some(latency.quantile(0.99)?.as_secs_f64() * 1e6);
    let mut all = Latency::default();
    arm.at(point).for_each(|window| all.add(&window.window.latency));
    let rounds: Option<Vec<f64>> =
        arm.at(point).map(|window| micros(&window.window.latency)).collect();
    let range = rounds.and_then(Spread::of).map(|spread| (spread.min, spread.max));
    Some(Figure { value: micros(&all)?, range })
}
