//! The report as Markdown: the tables of a run and the numbers of its charts.

use std::fmt::Write;

use super::chart::charts;
use super::escape::markdown;
use super::{RunResult, remarks, table};

/// All of it; what comes from the result is escaped.
pub fn page(result: &RunResult) -> String {
    let mut text = format!("# Mutual TLS on {}\n\n", markdown(&result.instance.name));
    for line in table::heading(result).lines() {
        let _ = writeln!(text, "{}\n", markdown(line));
    }
    for line in remarks::lines(result) {
        let _ = writeln!(text, "- {}", markdown(&line));
    }
    for chart in charts(result) {
        let (header, rows) = chart.table();
        write_table(&mut text, &chart.title, &header, &rows, 1);
    }
    for (title, table) in table::sections(result) {
        let (header, rows) = table::cells(&table);
        write_table(&mut text, &title, &header, &rows, 3);
    }
    text
}

fn write_table(
    text: &mut String,
    title: &str,
    header: &[String],
    rows: &[Vec<String>],
    names: usize,
) {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| markdown(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let _ = writeln!(text, "\n## {}\n\n{}", markdown(title), line(header));
    let rule = |column| if column < names { "---|" } else { "---:|" };
    let _ = writeln!(text, "|{}", (0..header.len()).map(rule).collect::<String>());
    rows.iter().for_each(|row| {
        let _ = writeln!(text, "{}", line(row));
    });
}
