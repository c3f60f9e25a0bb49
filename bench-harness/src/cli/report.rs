//! `mtls-bench report`: a result for people, as a page, as Markdown or as CSV.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::Error;
use crate::report::{csv, html, keep, markdown, read};

/// Arguments of `mtls-bench report`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The result file
    #[arg(value_name = "RESULT.json")]
    result: PathBuf,
    /// The file to write; by default HTML goes beside the result, everything else to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One page with charts that needs nothing else
    #[default]
    Html,
    /// Tables in Markdown
    Markdown,
    /// One line a figure
    Csv,
}

/// Writes the report, and returns what to print: it, or where it is.
///
/// # Errors
/// [`Error::Unreadable`] for a file that is no result, [`Error::Output`] for a place that can't be
/// written.
pub(super) fn run(args: &Args) -> Result<String, Error> {
    let result = read(&args.result)?;
    let text = match args.format {
        Format::Html => html::page(&result)?,
        Format::Markdown => markdown::page(&result),
        Format::Csv => csv::page(&result)?,
    };
    let beside = || args.result.with_extension("html");
    let default = (args.format == Format::Html).then(beside);
    let Some(output) = args.output.clone().or(default) else { return Ok(text) };
    if same_file(&args.result, &output) {
        return Err(Error::Usage(format!(
            "{}: the report would take the place of the result; name another file with --output",
            output.display()
        )));
    }
    keep(&output, text.as_bytes())?;
    Ok(output.display().to_string())
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
