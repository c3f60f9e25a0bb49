//! The report: one HTML file that needs nothing else, neither a network nor a server.
//!
//! Charts are drawn by Chart.js, which is in the file; without scripts, and on paper, every chart's numbers
//! are in a table below it. Text from the result reaches the page through maud, which escapes it, or
//! as JSON without `<`; a Content-Security-Policy that names the two scripts by their digests keeps
//! anything else from running or from being fetched.

mod facts;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comfy_table::Table;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Chart, charts};
use super::escape::plain;
use super::{RunResult, remarks, table};
use crate::Error;

const CHART_JS: &str = include_str!("assets/chart.umd.min.js");
const SCRIPT: &str = include_str!("assets/report.js");
const STYLE: &str = include_str!("assets/report.css");

/// The whole page.
///
/// # Errors
/// When the charts' numbers can't be written as JSON.
pub fn page(result: &RunResult) -> Result<String, Error> {
    let charts = charts(result);
    let numbers = serde_json::to_string(&charts)?.replace('<', "\\u003c");
    // The file that it would name is not here.
    let library = CHART_JS.split("\n//# sourceMappingURL=").next().unwrap_or(CHART_JS);
    let title = format!("Mutual TLS on {}", result.instance.name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&[library, SCRIPT]));
                meta name="viewport" content="width=device-width, initial-scale=1";
                // No favicon is asked for.
                link rel="icon" href="data:,";
                title { (plain(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (plain(&title)) }
                (lead(result))
                (told(result))
                h2 { "Charts" }
                @for (index, chart) in charts.iter().enumerate() { (figure(index, chart)) }
                (absent(&charts))
                div.tables {
                    h2 { "Tables" }
                    @for (title, table) in table::sections(result) { (section(&title, &table)) }
                }
                (facts::plan(result))
                (facts::settings(result))
                script type="application/json" id="charts" { (PreEscaped(numbers)) }
                script { (PreEscaped(library)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// Nothing runs but these scripts, and nothing is fetched.
fn policy(scripts: &[&str]) -> String {
    let hash =
        |text: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())));
    let scripts: Vec<_> = scripts.iter().map(|script| hash(script)).collect();
    format!(
        "default-src 'none'; img-src data:; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        scripts.join(" "),
        hash(STYLE)
    )
}

fn lead(result: &RunResult) -> Markup {
    html! {
        @for line in table::heading(result).lines() { p.lead { (plain(line)) } }
        p {
            "Measured " (plain(&result.started_at)) " by mtls-bench " (plain(&result.tool.version))
            " of revision " code { (plain(&result.tool.git_revision)) } "."
        }
    }
}

/// Warnings and remarks, marked by what they begin with.
fn told(result: &RunResult) -> Markup {
    let class = |line: &str| {
        let end = line.find([':', ' ']).unwrap_or(line.len());
        match line[..end].to_ascii_lowercase().as_str() {
            "invalid" => "invalid",
            "ended" => "ended",
            "warning" => "warning",
            _ => "note",
        }
    };
    html! {
        h2 { "What to know before believing it" }
        ul.remarks {
            @for line in remarks::lines(result) { li class=(class(&line)) { (plain(&line)) } }
        }
    }
}

fn figure(index: usize, chart: &Chart) -> Markup {
    let (header, rows) = chart.table();
    html! {
        figure {
            h3 { (plain(&chart.title)) }
            figcaption { (plain(&chart.caption)) }
            div.plot {
                canvas data-chart=(index) role="img" aria-label=(plain(&chart.title)) {}
            }
            details {
                summary { "The numbers" }
                (grid(&header, &rows, 1))
            }
        }
    }
}

/// Charts that a reader may miss, and what would make them.
fn absent(charts: &[Chart]) -> Markup {
    let has = |what: &str| charts.iter().any(|chart| chart.title.starts_with(what));
    html! {
        @if !has("Throughput") {
            p { "No throughput: this run has no arm that streams; " code { "--workload stream" } " makes one." }
        }
        @if !has("CPU tax") {
            p {
                "No CPU tax: this run has no plaintext to compare with; " code { "--path plaintext,.." }
                " brings it."
            }
        }
        @if !has("Latency") {
            p { "No latency: this run has no open-loop load; " code { "--load" } " makes one." }
        }
    }
}

fn section(title: &str, table: &Table) -> Markup {
    let (header, rows) = table::cells(table);
    html! {
        h3 { (plain(title)) }
        (grid(&header, &rows, 3))
    }
}

/// A table whose first `names` columns are text.
fn grid(header: &[String], rows: &[Vec<String>], names: usize) -> Markup {
    let class = |column: usize| if column < names { "name" } else { "number" };
    html! {
        div.wide {
            table {
                thead { tr { @for (n, cell) in header.iter().enumerate() { th class=(class(n)) { (plain(cell)) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (n, cell) in row.iter().enumerate() { td class=(class(n)) { (plain(cell)) } } }
                    }
                }
            }
        }
    }
}
