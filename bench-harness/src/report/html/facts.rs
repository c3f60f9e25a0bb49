//! What the run was made with: the plan, the settings, the machine, the program.

use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;

use super::grid;
use super::plain;
use crate::report::RunResult;

/// Which implementation serves each algorithm, why, and what was measured of the others.
pub(super) fn plan(result: &RunResult) -> Markup {
    let Some(choices) = result.plan.get("choices").and_then(Value::as_object) else {
        return html! {};
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |(algorithm, choice): (&String, &Value)| {
        let timings = choice["timings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let timing = |timing: &Value| {
            let ns =
                timing["nanoseconds"].as_f64().map_or_else(String::new, |ns| format!(" {ns:.0}"));
            format!("{}{ns}", text(&timing["backend"]))
        };
        let timings: Vec<_> = timings.iter().map(timing).collect();
        vec![
            algorithm.clone(),
            text(&choice["backend"]),
            text(&choice["reason"]),
            timings.join(", "),
        ]
    };
    let header = ["algorithm", "implementation", "chosen by", "ns an operation of each"];
    let rows: Vec<_> = choices.iter().map(row).collect();
    html! {
        h2 { "Plan of the provider offload" }
        (grid(&header.map(str::to_owned), &rows, header.len()))
    }
}

/// Every setting, and everything that is known of machine and program.
pub(super) fn settings(result: &RunResult) -> Markup {
    html! {
        h2 { "Settings" }
        (facts(&result.settings))
        details open {
            summary { "Instance, machine and program" }
            h3 { "Instance" }
            (facts(&result.instance))
            h3 { "Machine" }
            (facts(&result.machine))
            h3 { "Program" }
            (facts(&result.tool))
        }
    }
}

/// A row a value, under the path to it.
fn facts(of: &impl Serialize) -> Markup {
    let mut rows = Vec::new();
    flatten("", &serde_json::to_value(of).unwrap_or_default(), &mut rows);
    html! {
        div.wide {
            table.facts {
                tbody {
                    @for (name, value) in rows {
                        tr { th { (plain(&name)) } td.value { (plain(&value)) } }
                    }
                }
            }
        }
    }
}

fn flatten(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let path = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&path, value, rows);
            }
        }
        Value::Array(values) => {
            let text =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let texts: Vec<_> = values.iter().map(text).collect();
            rows.push((name.to_owned(), texts.join(", ")));
        }
        Value::String(text) => rows.push((name.to_owned(), text.clone())),
        Value::Null => rows.push((name.to_owned(), "-".to_owned())),
        other => rows.push((name.to_owned(), other.to_string())),
    }
}
