//! Comparing results of different machines: which serves the most handshakes, and how sure that is.
//!
//! Owns the ranking and its rules. Only results that measured the same thing in the same way are ranked
//! (`admit`); every figure comes with its range over the rounds, and two figures whose ranges
//! overlap are not told apart ([`Figure::surely_better`]). Data flows from results through figures
//! (`metric`) to boards, which `render` puts on paper.

mod admit;
mod metric;
mod prices;
mod render;

use std::collections::BTreeMap;

pub use metric::{Figure, Metric, Unit};
pub use prices::{Price, Prices};

use crate::Error;
use crate::report::escape::plain;
use crate::report::{ArmResult, RunResult, warnings};
use crate::settings::Workload;

/// Results that were found comparable, ranked arm by arm.
pub struct Comparison {
    /// One board an arm that at least two results have.
    pub boards: Vec<Board>,
    /// What a reader must know before believing the boards, a line each.
    pub remarks: Vec<String>,
}

/// The ranking of one arm.
pub struct Board {
    /// The arm: workload, path and provider.
    pub arm: String,
    /// What its operations are counted in.
    pub unit: Unit,
    /// The figure that the places come from.
    pub ranked_by: Option<Metric>,
    /// Results by place, those without one last.
    pub rows: Vec<Row>,
}

/// One result on a board.
pub struct Row {
    /// From one: one more than the number of results that are surely better; none without the figure.
    pub place: Option<usize>,
    /// The instance, and when it was measured if several results are of one.
    pub label: String,
    /// What was measured; a figure that is not there was not measured.
    pub figures: BTreeMap<Metric, Figure>,
}

impl Comparison {
    /// Ranks `results`, with the prices of their instances if there are any.
    ///
    /// # Errors
    /// [`Error::Incomparable`], with every reason why.
    pub fn of(results: &[RunResult], prices: Option<&Prices>) -> Result<Self, Error> {
        let labels = labels(results);
        let mut reasons = admit::reasons(results, &labels);
        let arms = common_arms(results);
        if arms.is_empty() && reasons.is_empty() {
            reasons.push("no workload, path and provider was measured in two of them".to_owned());
        }
        if !reasons.is_empty() {
            let lines: Vec<_> = reasons.iter().map(|reason| plain(reason)).collect();
            return Err(Error::Incomparable { reasons: lines.join("\n  ") });
        }
        let boards = arms.iter().map(|arm| board(arm, results, &labels, prices)).collect();
        Ok(Self { boards, remarks: remarks(results, &labels, prices) })
    }
}

impl Board {
    /// The metrics that at least one result has, in the order of [`Metric::ALL`].
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        let has = |metric: &Metric| self.rows.iter().any(|row| row.figures.contains_key(metric));
        Metric::ALL.into_iter().filter(has)
    }

    /// The pairs of results whose difference in `metric` is inside the noise.
    pub fn inside_noise(&self, metric: Metric) -> Vec<(&str, &str)> {
        let with: Vec<_> =
            self.rows.iter().filter(|row| row.figures.contains_key(&metric)).collect();
        let mut pairs = Vec::new();
        for (index, one) in with.iter().enumerate() {
            for other in &with[index + 1..] {
                let (a, b) = (&one.figures[&metric], &other.figures[&metric]);
                if !a.surely_better(b, metric) && !b.surely_better(a, metric) {
                    pairs.push((one.label.as_str(), other.label.as_str()));
                }
            }
        }
        pairs
    }
}

/// Names for results: the instance, with the time of the run where that is not enough.
fn labels(results: &[RunResult]) -> Vec<String> {
    let several = |name: &str| results.iter().filter(|r| r.instance.name == name).count() > 1;
    let label = |result: &RunResult| match &result.instance.name {
        name if several(name) => format!("{name} {}", result.started_at),
        name => name.clone(),
    };
    results.iter().map(label).collect()
}

/// The arms with windows that two results or more have, as the first of these has them.
fn common_arms(results: &[RunResult]) -> Vec<&ArmResult> {
    let mut common: Vec<&ArmResult> = Vec::new();
    for arm in results.iter().flat_map(|result| &result.arms) {
        let count = results.iter().filter(|result| same_arm(result, arm).is_some()).count();
        if count > 1 && !common.iter().any(|known| known.label() == arm.label()) {
            common.push(arm);
        }
    }
    common
}

fn same_arm<'a>(result: &'a RunResult, arm: &ArmResult) -> Option<&'a ArmResult> {
    let same = |other: &&ArmResult| other.label() == arm.label() && !other.windows.is_empty();
    result.arms.iter().find(same)
}

fn board(
    arm: &ArmResult,
    results: &[RunResult],
    labels: &[String],
    prices: Option<&Prices>,
) -> Board {
    let unit = Unit::of(arm);
    let rows = results.iter().zip(labels).filter_map(|(result, label)| {
        let price = prices.and_then(|prices| prices.of(&result.instance.name));
        let figures = metric::figures(result, same_arm(result, arm)?, unit, price);
        Some(Row { place: None, label: label.clone(), figures })
    });
    let mut rows: Vec<Row> = rows.collect();
    let measured = |metric: &Metric| rows.iter().all(|row| row.figures.contains_key(metric));
    let ranked_by = Metric::RANKING.into_iter().find(measured);
    if let Some(metric) = ranked_by {
        rank(&mut rows, metric);
    }
    Board { arm: arm.label(), unit, ranked_by, rows }
}

fn rank(rows: &mut [Row], metric: Metric) {
    let figures: Vec<Option<Figure>> =
        rows.iter().map(|row| row.figures.get(&metric).copied()).collect();
    for (row, figure) in rows.iter_mut().zip(&figures) {
        let better = |own: &Figure| {
            figures.iter().flatten().filter(|other| other.surely_better(own, metric)).count()
        };
        row.place = figure.as_ref().map(|own| better(own) + 1);
    }
    // Within a place, by the figure: a reader expects the larger one above.
    let key = |row: &Row| row.figures.get(&metric).map_or(f64::INFINITY, |f| metric.cost(f.value));
    rows.sort_by(|one, other| {
        let place = |row: &Row| row.place.unwrap_or(usize::MAX);
        place(one).cmp(&place(other)).then(key(one).total_cmp(&key(other)))
    });
}

fn remarks(results: &[RunResult], labels: &[String], prices: Option<&Prices>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(builds(results, labels));
    for (result, label) in results.iter().zip(labels) {
        lines.extend(warnings(result).into_iter().map(|warning| format!("{label}: {warning}")));
        let price = prices.map(|prices| prices.of(&result.instance.name));
        match price {
            Some(Some(price)) => lines.push(format!("{label}: {price}")),
            Some(None) => {
                lines.push(format!("{label}: the price file has no `{}`", result.instance.name));
            }
            None => {}
        }
    }
    lines.extend(left_out(results, labels));
    lines.push(METHOD.to_owned());
    lines
}

/// Who made each result, if it was not one build.
fn builds(results: &[RunResult], labels: &[String]) -> Vec<String> {
    let build = |result: &RunResult| {
        let tool = &result.tool;
        (tool.version.clone(), tool.git_revision.clone(), tool.dependencies.clone())
    };
    if results.iter().all(|result| build(result) == build(&results[0])) {
        return Vec::new();
    }
    let made = results.iter().zip(labels).map(|(result, label)| {
        let tool = &result.tool;
        format!("{label}: made by mtls-bench {} of revision {}", tool.version, tool.git_revision)
    });
    let warning = "warning: different builds made these results, so differences may be the program's \
                   and not the machine's";
    std::iter::once(warning.to_owned()).chain(made).collect()
}

/// How the figures came about.
const METHOD: &str = "per vCPU: operations in a second of CPU time of the server's node, sidecar \
    included; per core: that times the vCPUs that share a core, as far as the hypervisor shows them; \
    CPU us: both ends and their sidecars; a figure per dollar takes every vCPU to serve like the measured \
    ones; loads are shares of each one's own saturation rate; ranges are over rounds, and where two overlap \
    (~) the difference is inside the noise";

/// Arms that only one result has, and what has no rate to rank.
fn left_out(results: &[RunResult], labels: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (result, label) in results.iter().zip(labels) {
        for arm in &result.arms {
            let others = results.iter().filter(|other| same_arm(other, arm).is_some()).count();
            if arm.workload == Workload::Idle {
                lines.push(format!("{label}: {} has memory and no rate: not ranked", arm.label()));
            } else if arm.windows.is_empty() {
                lines.push(format!("{label}: {} did not run there", arm.label()));
            } else if others < 2 {
                lines.push(format!("{label}: {} was measured there only: not ranked", arm.label()));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests;
