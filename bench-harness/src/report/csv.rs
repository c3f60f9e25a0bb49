//! The report as CSV: one line a figure of an arm at a load, numbers in full.

use std::borrow::Cow;

use super::escape;
use super::{ArmResult, Figures, LoadPoint, RunResult, table};
use crate::Error;
use crate::stats::Spread;

const HEADER: [&str; 8] = ["workload", "path", "provider", "load", "figure", "value", "min", "max"];

/// All figures of `result`.
///
/// # Errors
/// When there is no memory for it.
pub fn page(result: &RunResult) -> Result<String, Error> {
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    let point = table::capacity_point(result);
    for arm in result.arms.iter().filter(|arm| arm.at(point).next().is_some()) {
        rows.extend(figures(result, arm, point));
    }
    for (arm, point, latency, lateness) in table::open_rows(result) {
        if point != table::capacity_point(result) {
            rows.extend(figures(result, arm, point));
        }
        let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
        for (what, histogram) in [("latency", &latency), ("lateness", &lateness)] {
            for (name, fraction) in quantiles {
                let micros = histogram.quantile(fraction).map(|time| time.as_secs_f64() * 1e6);
                rows.extend(
                    micros.map(|us| row(arm, point, &format!("{what} {name} us"), us, None)),
                );
            }
        }
    }
    for arm in &result.arms {
        let Some(memory) = &arm.memory else { continue };
        for (role, bytes) in &memory.role_bytes {
            rows.push(memory_row(arm, role, *bytes));
        }
        rows.push(memory_row(arm, "kernel", memory.kernel_bytes));
    }
    write(&rows)
}

fn figures(result: &RunResult, arm: &ArmResult, point: LoadPoint) -> Vec<Vec<String>> {
    let figures = Figures::of(result, arm, point);
    let named = [
        ("operations/s", figures.rate),
        ("server us", figures.server_us),
        ("server and sidecar us", figures.server_node_us),
        ("all roles us", figures.all_roles_us),
        ("machine us", figures.machine_us),
        ("residual us", figures.residual_us),
        ("client CPU share", figures.client_busy),
        ("server CPU share", figures.server_busy),
        ("CPU tax", figures.tax),
    ];
    let told = named.into_iter().filter_map(|(name, spread)| Some((name, spread?)));
    told.map(|(name, spread)| row(arm, point, name, spread.median, Some(spread))).collect()
}

fn row(
    arm: &ArmResult,
    point: LoadPoint,
    figure: &str,
    value: f64,
    spread: Option<Spread>,
) -> Vec<String> {
    let bound = |bound: Option<f64>| bound.map_or_else(String::new, |number| number.to_string());
    vec![
        arm.workload.to_string(),
        arm.path.clone(),
        arm.provider.map_or_else(String::new, |name| name.to_string()),
        point.to_string(),
        figure.to_owned(),
        value.to_string(),
        bound(spread.map(|spread| spread.min)),
        bound(spread.map(|spread| spread.max)),
    ]
}

fn memory_row(arm: &ArmResult, role: &str, bytes: f64) -> Vec<String> {
    let mut row =
        row(arm, LoadPoint::Saturation, &format!("{role} bytes a connection"), bytes, None);
    row[3] = "idle".to_owned();
    row
}

/// Text is escaped; the last three columns are numbers and stay as they are.
fn write(rows: &[Vec<String>]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0..5 => escape::csv(cell),
            _ => cell.into(),
        });
        writer
            .write_record(cells.map(Cow::into_owned))
            .map_err(|error| Error::io("writing CSV")(error.into()))?;
    }
    let bytes =
        writer.into_inner().map_err(|error| Error::io("writing CSV")(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
