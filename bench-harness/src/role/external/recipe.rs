//! How a proxy that is not ours is run: its command, its configuration, and how it tells of its
//! handshakes. Made by [`crate::path`], carried out by the supervisor.
//!
//! Every text may have placeholders between two `@`, such as `@port@`; what they stand for is in
//! [`Values`]. The supervisor adds those that it alone knows: `folder`, a folder for this proxy that
//! is removed at its end; `port`, where it must listen, and `listen`, with the address before it; and
//! the files `chain`, `key`,
//! `chain_and_key` and `root` in that folder, all PEM.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What placeholders stand for, by name.
pub type Values = BTreeMap<String, String>;

/// How to run a proxy on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The program and its arguments. It must stay in the foreground.
    pub command: Vec<String>,
    /// Environment variables to set.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Files to write into its folder beforehand, by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// What must answer before it is used, besides that somebody listens on its port.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// How it tells of its handshakes.
    #[serde(default)]
    pub handshakes: Handshakes,
}

/// An HTTP resource on a Unix socket that answers with status 200 once the proxy is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Path of the socket.
    pub socket: String,
    /// Path of the resource.
    pub path: String,
}

/// How a proxy tells of its handshakes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshakes {
    /// It doesn't, or at this side nobody asks.
    #[default]
    NotTold,
    /// By the counters of Envoy's administration interface.
    EnvoyAdmin(EnvoyAdmin),
    /// By a stick table of HAProxy's, whose keys are `protocol|suite|resumed|peer`.
    HaproxyTable(HaproxyTable),
    /// By lines in a file.
    Lines(Lines),
}

/// Envoy's `ssl.*` counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvoyAdmin {
    /// Path of the administration socket.
    pub socket: String,
    /// What the counters' names begin with, before `ssl.`.
    pub prefix: String,
    /// The suite that must be negotiated, by Envoy's name.
    pub suite: String,
    /// The group that must be negotiated, by Envoy's name.
    pub group: String,
}

/// A stick table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaproxyTable {
    /// Path of the statistics socket.
    pub socket: String,
    /// Name of the table.
    pub table: String,
    /// The suite that must be negotiated, by HAProxy's name.
    pub suite: String,
    /// The peer's certificate, as it is in the keys.
    pub peer: String,
}

/// Lines in a file, told apart by what they contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lines {
    /// The file.
    pub file: String,
    /// In a line for each full handshake.
    pub full: String,
    /// In a line for each resumed handshake.
    pub resumed: String,
    /// In a line for each failed handshake, if there are such.
    #[serde(default)]
    pub failed: Option<String>,
    /// In a line for each handshake of the right protocol version, if it is told.
    #[serde(default)]
    pub protocol: Option<String>,
    /// In a line for each handshake with the right suite, if it is told.
    #[serde(default)]
    pub suite: Option<String>,
    /// In a line for each handshake with the right group, if it is told.
    #[serde(default)]
    pub group: Option<String>,
    /// In a line for each handshake with the right peer, if it is told.
    #[serde(default)]
    pub peer: Option<String>,
}

impl Recipe {
    /// The recipe with all placeholders replaced.
    ///
    /// # Errors
    /// When there is one that stands for nothing; the message lists those that do.
    pub(crate) fn filled(&self, values: &Values) -> Result<Self, Error> {
        // By way of JSON, so that no text of a recipe can be forgotten here.
        let mut document = serde_json::to_value(self)?;
        fill_all(&mut document, values)?;
        Ok(serde_json::from_value(document)?)
    }
}

fn fill_all(value: &mut serde_json::Value, values: &Values) -> Result<(), Error> {
    match value {
        serde_json::Value::String(text) => {
            *text = fill(text, values)?;
            Ok(())
        }
        serde_json::Value::Array(all) => all.iter_mut().try_for_each(|one| fill_all(one, values)),
        serde_json::Value::Object(all) => {
            all.values_mut().try_for_each(|one| fill_all(one, values))
        }
        _ => Ok(()),
    }
}

/// `template` with its placeholders replaced; an `@` that opens none stays.
fn fill(template: &str, values: &Values) -> Result<String, Error> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('@') {
        let (before, opened) = rest.split_at(at);
        text.push_str(before);
        let name = &opened[1..];
        let end = name.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        match end {
            Some(end) if end > 0 && name[end..].starts_with('@') => {
                let name = &name[..end];
                let value = values.get(name).ok_or_else(|| Error::UnknownName {
                    what: "placeholder",
                    name: format!("@{name}@"),
                    known: values.keys().cloned().collect::<Vec<_>>().join(", "),
                })?;
                text.push_str(value);
                rest = &opened[end + 2..];
            }
            _ => {
                text.push('@');
                rest = name;
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        [("port", "80"), ("ip", "::1"), ("a_2", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn placeholders_are_replaced_and_other_ats_stay() {
        let filled = fill(r#"@ip@:@port@ "@type": me@here @@ @a_2@@"#, &values()).unwrap();
        assert_eq!(filled, r#"::1:80 "@type": me@here @@ x@"#);
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_the_known_ones() {
        let message = fill("@prot@", &values()).unwrap_err().to_string();
        assert!(message.contains("@prot@") && message.contains("a_2, ip, port"), "{message}");
    }

    #[test]
    fn every_text_of_a_recipe_is_filled() {
        let recipe = Recipe {
            command: vec!["@ip@".to_owned()],
            environment: [("A".to_owned(), "@ip@".to_owned())].into(),
            files: [("f".to_owned(), "@ip@".to_owned())].into(),
            ready: Some(Ready { socket: "@ip@".to_owned(), path: "@ip@".to_owned() }),
            handshakes: Handshakes::HaproxyTable(HaproxyTable {
                socket: "@ip@".to_owned(),
                table: "@ip@".to_owned(),
                suite: "@ip@".to_owned(),
                peer: "@ip@".to_owned(),
            }),
        };
        let filled = serde_json::to_string(&recipe.filled(&values()).unwrap()).unwrap();
        assert!(!filled.contains('@') && filled.matches("::1").count() == 9, "{filled}");
    }
}
