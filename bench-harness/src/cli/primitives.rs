//! `mtls-bench primitives`: which implementation is fastest at what, and whether the plan knows.

use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressStyle};

use crate::machine::Error;
use crate::machine::primitives::{self, Implementation, Operation, Primitives};

/// Arguments of `mtls-bench primitives`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Measuring time for each operation on each implementation, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "0.2", value_parser = duration)]
    pub duration: Duration,
    /// Print one JSON document and nothing else on standard output
    #[arg(long)]
    pub json: bool,
}

/// Measures, and returns what to print.
///
/// # Errors
/// Those of [`primitives::compare`]; [`Error::Json`] if the report can't be written as JSON.
pub(super) fn run(args: &Args) -> Result<String, Error> {
    let bar = ProgressBar::new(primitives::steps());
    if let Ok(style) = ProgressStyle::with_template("measuring {bar:40} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    if bar.is_hidden() {
        let each = args.duration;
        super::say(&format!("measuring every algorithm on every implementation, {each:?} each"));
    }
    let measured = primitives::compare(args.duration, || bar.inc(1))?;
    bar.finish_and_clear();
    if args.json {
        Ok(serde_json::to_string_pretty(&measured)?)
    } else {
        Ok(format!("{}\n{}", table(&measured), legend(&measured)))
    }
}

/// A time between a millisecond and an hour.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}; write seconds, like 0.2"))?;
    if (0.001..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("write seconds between 0.001 and 3600".to_owned())
    }
}

fn table(measured: &Primitives) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "algorithm",
        "operation",
        "implementation",
        "ns/op",
        "GB/s",
        "spread",
        "ratio",
    ]);
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for operation in &measured.operations {
        for (index, implementation) in operation.implementations.iter().enumerate() {
            table.add_row(row(operation, implementation, index == 0));
        }
    }
    table
}

/// One line: the operation is named on the first of its lines, the ratio stands on the choice's.
fn row(operation: &Operation, implementation: &Implementation, first: bool) -> [String; 7] {
    let name = |text: &str| if first { text.to_owned() } else { String::new() };
    let fastest = if implementation.name == operation.fastest { "*" } else { " " };
    let is_chosen = implementation.name == operation.chosen;
    let chosen = if is_chosen { ">" } else { " " };
    [
        name(&operation.algorithm),
        name(&operation.operation),
        format!("{chosen}{fastest}{}", implementation.name),
        format!("{:.0}", implementation.ns_per_op),
        implementation.gb_per_s.map_or_else(String::new, |rate| format!("{rate:.2}")),
        format!("{:.1} %", implementation.spread * 100.0),
        if is_chosen { format!("{:.2}", operation.ratio) } else { String::new() },
    ]
}

fn legend(measured: &Primitives) -> String {
    format!(
        "> the plan's choice   * the fastest   ratio: speed of the choice, the fastest is 1\n\
         ns/op: wall clock, best batch; spread: slowest of {} rounds over the fastest; GB/s: {}\n\
         CPU class {}, {} s per cell",
        measured.rounds,
        "bytes worked on, sealed and opened each counted",
        measured.cpu_class,
        measured.duration_s,
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_duration_is_in_seconds_and_bounded() {
        let parse = |text| Line::try_parse_from(["primitives", "--duration", text]);
        assert_eq!(parse("0.5").unwrap().args.duration, Duration::from_millis(500));
        for text in ["0", "-1", "nan", "inf", "1e9", "fast"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    fn operation() -> Operation {
        let implementation = |name: &str, ns_per_op: f64, gb_per_s| Implementation {
            name: name.to_owned(),
            ns_per_op,
            gb_per_s,
            spread: 0.015,
        };
        Operation {
            algorithm: "aes-128-gcm".to_owned(),
            operation: "seal and open 64 B".to_owned(),
            fastest: "ring".to_owned(),
            chosen: "aws-lc-rs".to_owned(),
            ratio: 0.8,
            implementations: vec![
                implementation("aws-lc-rs", 125.0, Some(1.024)),
                implementation("ring", 100.0, Some(1.28)),
            ],
        }
    }

    #[test]
    fn the_choice_and_the_fastest_are_marked_and_the_ratio_stands_with_the_choice() {
        let operation = operation();
        let choice = row(&operation, &operation.implementations[0], true);
        let expected =
            ["aes-128-gcm", "seal and open 64 B", "> aws-lc-rs", "125", "1.02", "1.5 %", "0.80"];
        assert_eq!(choice, expected);
        let fastest = row(&operation, &operation.implementations[1], false);
        assert_eq!(fastest, ["", "", " *ring", "100", "1.28", "1.5 %", ""]);
    }

    #[test]
    fn the_table_has_a_line_for_each_implementation_and_explains_its_marks() {
        let measured = Primitives {
            cpu_class: "x86_64-baseline".to_owned(),
            duration_s: 0.2,
            rounds: 5,
            operations: vec![operation()],
        };
        let text = table(&measured).to_string();
        assert!(text.contains("> aws-lc-rs") && text.contains(" *ring"), "{text}");
        let legend = legend(&measured);
        assert!(legend.contains("x86_64-baseline") && legend.contains("5 rounds"), "{legend}");
    }
}
