//! A comparison on paper: for the terminal, as Markdown, as CSV.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::{Board, Comparison, Figure, Metric, Row};
use crate::Error;
use crate::report::escape::{self, markdown, plain};

impl Comparison {
    /// Tables as wide as they need to be, and what must be known with them.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for board in &self.boards {
            let mut table = Table::new();
            table.load_style(UTF8_FULL_CONDENSED).set_header(header(board));
            for row in &board.rows {
                let mut cells = vec![place(row), row.label.clone()];
                cells.extend(
                    board.metrics().map(|metric| {
                        row.figures.get(&metric).map_or_else(dash, |f| number(f, "\n"))
                    }),
                );
                table.add_row(cells.iter().map(|cell| lines(cell)));
            }
            for column in table.column_iter_mut().skip(2) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            let _ = writeln!(text, "{}\n{table}", plain(&title(board)));
            noise(board).iter().for_each(|line| text.push_str(&format!("{}\n", plain(line))));
            text.push('\n');
        }
        self.remarks.iter().for_each(|line| text.push_str(&format!("{}\n", plain(line))));
        text
    }

    /// Markdown, with everything that comes from results escaped.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for board in &self.boards {
            let header = header(board);
            let _ = writeln!(text, "### {}\n", markdown(&title(board)));
            let _ = writeln!(text, "| {} |", header.join(" | "));
            let _ = writeln!(text, "|---:|---|{}", "---:|".repeat(header.len() - 2));
            for row in &board.rows {
                let mut cells = vec![place(row), markdown(&row.label)];
                cells.extend(
                    board.metrics().map(|metric| {
                        row.figures.get(&metric).map_or_else(dash, |f| number(f, " "))
                    }),
                );
                let _ = writeln!(text, "| {} |", cells.join(" | "));
            }
            text.push('\n');
            noise(board).iter().for_each(|line| text.push_str(&format!("- {}\n", markdown(line))));
            text.push('\n');
        }
        self.remarks.iter().for_each(|line| text.push_str(&format!("- {}\n", markdown(line))));
        text
    }

    /// One row an arm, result and metric; numbers in full.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn to_csv(&self) -> Result<String, Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| Error::io("writing CSV")(error.into());
        writer
            .write_record(["arm", "instance", "place", "metric", "value", "min", "max"])
            .map_err(failed)?;
        for board in &self.boards {
            for row in &board.rows {
                for (metric, figure) in &row.figures {
                    let bound =
                        |bound: Option<f64>| bound.map_or_else(String::new, |b| b.to_string());
                    writer
                        .write_record([
                            &*escape::csv(&board.arm),
                            &*escape::csv(&row.label),
                            &row.place.map_or_else(String::new, |place| place.to_string()),
                            &metric.title(board.unit),
                            &figure.value.to_string(),
                            &bound(figure.range.map(|(min, _)| min)),
                            &bound(figure.range.map(|(_, max)| max)),
                        ])
                        .map_err(failed)?;
                }
            }
        }
        let bytes =
            writer.into_inner().map_err(|error| Error::io("writing CSV")(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn title(board: &Board) -> String {
    match board.ranked_by {
        Some(metric) => format!("{}, ranked by {}", board.arm, metric.title(board.unit)),
        None => format!("{}, not ranked: no figure was measured in all", board.arm),
    }
}

fn header(board: &Board) -> Vec<String> {
    let fixed = ["place".to_owned(), "instance".to_owned()];
    fixed.into_iter().chain(board.metrics().map(|metric| metric.title(board.unit))).collect()
}

fn place(row: &Row) -> String {
    row.place.map_or_else(dash, |place| place.to_string())
}

/// A line a metric that does not tell some results apart.
fn noise(board: &Board) -> Vec<String> {
    let line = |metric: Metric| {
        let pairs = board.inside_noise(metric);
        let pairs: Vec<_> = pairs.iter().map(|(one, other)| format!("{one} ~ {other}")).collect();
        (!pairs.is_empty()).then(|| {
            format!("inside the noise: {}: {}", metric.title(board.unit), pairs.join(", "))
        })
    };
    board.metrics().filter_map(line).collect()
}

/// The median, and after `separator` the range.
fn number(figure: &Figure, separator: &str) -> String {
    let digits = if figure.value.abs() < 100.0 { 2 } else { 0 };
    let value = format!("{:.digits$}", figure.value);
    match figure.range {
        Some((min, max)) => format!("{value}{separator}[{min:.digits$} .. {max:.digits$}]"),
        None => format!("{value}{separator}[range unknown]"),
    }
}

/// A cell of several lines, each harmless.
fn lines(cell: &str) -> String {
    cell.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

fn dash() -> String {
    "-".to_owned()
}
