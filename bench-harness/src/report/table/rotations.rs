//! What rotations of credentials do to those who call at that moment.

use super::{Section, micros, names, new_table, open_rows};
use crate::load::AFTER_ROTATION;
use crate::measure::Latency;
use crate::report::RunResult;

/// A row for each arm and load under which credentials were replaced.
pub(super) fn table(result: &RunResult) -> Section {
    let mut table = new_table(&[
        "workload",
        "path",
        "provider",
        "load",
        "rotations",
        "failures",
        "p50 us",
        "p50 after us",
        "p99 us",
        "p99 after us",
        "max us",
        "max after us",
    ]);
    for (arm, point, latency, _) in open_rows(result) {
        let failures: u64 = arm.at(point).flat_map(|window| window.window.failures.values()).sum();
        let (mut rotations, mut after) = (0, Latency::default());
        for seen in arm.at(point).filter_map(|window| window.window.rotations.as_ref()) {
            rotations += seen.count;
            after.add(&seen.latency);
        }
        if rotations == 0 || arm.provider.is_none() {
            continue;
        }
        let mut row = names(arm);
        row.extend([point.to_string(), rotations.to_string(), failures.to_string()]);
        for quantile in [0.5, 0.99] {
            row.extend([&latency, &after].map(|latency| micros(latency.quantile(quantile))));
        }
        row.extend([&latency, &after].map(|latency| micros(latency.max())));
        table.add_row(row);
    }
    let title = format!(
        "Rotations of both ends' credentials under load; after: operations begun in the {} ms after one",
        AFTER_ROTATION.as_millis()
    );
    (table.row_count() > 0).then_some((title, table))
}
