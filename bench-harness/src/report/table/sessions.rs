//! What became of sessions: how many handshakes resumed, and why the others did not.

use std::collections::BTreeMap;

use super::{Section, names, new_table};
use crate::report::{ArmResult, RunResult};

/// A row for each arm that resumes, all its windows together.
pub(super) fn table(result: &RunResult) -> Section {
    let mut table = new_table(&[
        "workload",
        "path",
        "provider",
        "offered",
        "resumed",
        "full",
        "judged to full, by reason",
    ]);
    for arm in &result.arms {
        let ends = || arm.windows.iter().map(|window| (&window.client_end, &window.server_end));
        let offered: u64 = ends().map(|(client, _)| client.meant_to_resume).sum();
        if offered == 0 {
            continue;
        }
        let resumed: u64 = ends().map(|(_, server)| server.of_kind("Resumed")).sum();
        let total: u64 = ends().map(|(_, server)| server.total()).sum();
        let mut row = names(arm);
        row.extend([offered, resumed, total - resumed].map(|count| count.to_string()));
        row.push(refusals(arm));
        table.add_row(row);
    }
    (table.row_count() > 0).then(|| ("Sessions, in all windows together".to_owned(), table))
}

/// What an arm without judgement has is not zero refusals: nobody looked.
fn refusals(arm: &ArmResult) -> String {
    if !arm.provider.is_some_and(crate::settings::ProviderName::judges_sessions) {
        return "not judged".to_owned();
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (why, count) in arm.windows.iter().flat_map(|window| &window.server_end.refused_sessions) {
        *reasons.entry(why).or_default() += count;
    }
    if reasons.is_empty() {
        return "0".to_owned();
    }
    let words: Vec<_> = reasons.iter().map(|(why, count)| format!("{count} {why}")).collect();
    words.join(", ")
}
