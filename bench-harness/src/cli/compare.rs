//! `mtls-bench compare`: which instance serves the most handshakes.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::Error;
use crate::compare::{Comparison, Prices};
use crate::report::{RunResult, read};

/// Arguments of `mtls-bench compare`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Result files, two at least
    #[arg(required = true, num_args = 2.., value_name = "RESULT.json")]
    results: Vec<PathBuf>,
    /// What an hour of each instance costs, which adds figures per unit of currency and ranks by them:
    /// a TOML file with `currency = "USD"` and, for each, `[instances."NAME"]`, `per_hour`, `note`
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Tables for the terminal
    #[default]
    Table,
    /// Markdown
    Markdown,
    /// One line a figure
    Csv,
}

/// Compares, and returns what to print.
///
/// # Errors
/// [`Error::Unreadable`] for a file, [`Error::Incomparable`] for what must not be ranked.
pub(super) fn run(args: &Args) -> Result<String, Error> {
    let prices = args.prices.as_deref().map(Prices::read).transpose()?;
    let results: Vec<RunResult> =
        args.results.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    for (index, result) in results.iter().enumerate() {
        let same = |other: &RunResult| {
            other.started_at == result.started_at && other.instance == result.instance
        };
        if results[..index].iter().any(same) {
            return Err(Error::Usage(format!(
                "{}: this run was named already; name each once",
                args.results[index].display()
            )));
        }
    }
    let comparison = Comparison::of(&results, prices.as_ref())?;
    match args.format {
        Format::Table => Ok(comparison.to_text()),
        Format::Markdown => Ok(comparison.to_markdown()),
        Format::Csv => comparison.to_csv(),
    }
}
