//! A proxy that a file describes: `--sidecar-command FILE.toml`.
//!
//! ```toml
//! name = "stunnel"                     # of the path
//! version = ["stunnel", "-version"]    # finds the program, and its first line of output is shown
//! http = false                         # true: it forwards HTTP requests, and can run nothing else
//! resumes = true                       # false: no resumed handshakes are asked of it
//!
//! [full]                               # more placeholders, where handshakes are full ones
//! resume = "no"
//! [resumed]                            # and where they are to resume; the same names
//! resume = "yes"
//!
//! [client]                             # beside the client: plaintext in, mutual TLS out
//! command = ["stunnel", "@folder@/stunnel.conf"]
//! environment = { NAME = "value" }
//! files."stunnel.conf" = """..."""
//! ready = { socket = "@folder@/admin.sock", path = "/ready" }
//!
//! [server]                             # beside the server: mutual TLS in, plaintext out
//! command = [...]
//! [server.handshakes.lines]            # how it tells of its handshakes; without, none is checked
//! file = "@folder@/output"
//! full = "new session negotiated"
//! resumed = "previous session reused"
//! ```
//!
//! A side's fields are those of [`Recipe`], with its placeholders and those of [`super::values`]; of
//! these `name`, `version`, `client.command` and `server.command` are needed. A proxy is ready once
//! it listens on `@ip@` and `@port@`, and the resource `ready`, if there is one, answers. What it prints
//! is in `@folder@/output`. `handshakes` is one of `lines`, `envoy-admin` and `haproxy-table`; a proxy
//! without is measured, and the result says that nobody checked its handshakes.
//! `bench-harness/sidecars/stunnel.toml` is a whole one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{Found, Lack, Proxy, Side, Tells, programs};
use crate::Error;
use crate::role::external::recipe::{Handshakes, Recipe};
use crate::settings::{HandshakeMix, Settings, Workload};

/// What the file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Described {
    name: String,
    version: Vec<String>,
    #[serde(default)]
    http: bool,
    #[serde(default = "yes")]
    resumes: bool,
    #[serde(default)]
    full: BTreeMap<String, String>,
    #[serde(default)]
    resumed: BTreeMap<String, String>,
    client: Recipe,
    server: Recipe,
}

fn yes() -> bool {
    true
}

impl Described {
    /// Reads a description.
    ///
    /// # Errors
    /// When it can't be read, or is not one; the message says where.
    pub(super) fn read(file: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(file).map_err(Error::io(format!("reading {}", file.display())))?;
        Self::parse(&text).map_err(|why| Error::Usage(format!("{}: {why}", file.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let described: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if described.name.is_empty()
            || !described.name.chars().all(known)
            || described.name == "all"
        {
            return Err("a name is of lower-case letters, digits and hyphens".to_owned());
        }
        let commands = [&described.version, &described.client.command, &described.server.command];
        if commands.into_iter().any(Vec::is_empty) {
            return Err("a command needs a program".to_owned());
        }
        if described.resumes && !described.full.keys().eq(described.resumed.keys()) {
            return Err("[full] and [resumed] must have the same names".to_owned());
        }
        Ok(described)
    }
}

impl Proxy for Described {
    fn name(&self) -> &str {
        &self.name
    }

    fn tells(&self) -> Tells {
        match (&self.client.handshakes, &self.server.handshakes) {
            (_, Handshakes::NotTold) => Tells::Nothing,
            (_, Handshakes::Lines(_)) => Tells::ServerEndAtClose,
            (Handshakes::NotTold, _) => Tells::ServerEnd,
            _ => Tells::BothEnds,
        }
    }

    fn find(&self) -> Result<Found, Lack> {
        let [name, arguments @ ..] = &self.version[..] else {
            return Err(Lack::new("no command for the version", "give one in the file"));
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let file = Path::new(name);
        let told = file.is_absolute().then_some(file);
        programs::find(
            name,
            told,
            &arguments,
            "install it, or correct `version` in its description",
        )
    }

    fn fits(&self, _: &Settings, workload: Workload) -> Result<(), Lack> {
        if self.http && workload != Workload::Request {
            let reason = "it forwards HTTP requests only, by its description";
            return Err(Lack::new(reason, "ask for --workload request"));
        }
        if !self.resumes && workload == Workload::Handshake(HandshakeMix::Resumed) {
            let reason = "it does not resume, by its description";
            return Err(Lack::new(reason, "ask for --handshake full"));
        }
        Ok(())
    }

    fn recipe(&self, found: &Found, side: Side, resumes: bool) -> Recipe {
        let recipe = if side == Side::Client { &self.client } else { &self.server };
        let mut recipe = recipe.clone();
        // The program whose version was shown, wherever it was found.
        if recipe.command.first() == self.version.first()
            && let Some(program) = recipe.command.first_mut()
        {
            *program = found.program.display().to_string();
        }
        let more = if resumes { &self.resumed } else { &self.full };
        let put = |text: &mut String| {
            for (name, value) in more {
                *text = text.replace(&format!("@{name}@"), value);
            }
        };
        recipe.command.iter_mut().for_each(put);
        recipe.environment.values_mut().for_each(put);
        recipe.files.values_mut().for_each(put);
        recipe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"
        name = "proxy"
        version = ["proxy", "-v"]
        [full]
        resume = "no"
        [resumed]
        resume = "yes"
        [client]
        command = ["proxy", "--resume=@resume@", "--port=@port@"]
        [server]
        command = ["other"]
    "#;

    #[test]
    fn a_description_makes_a_recipe_of_either_kind() {
        let proxy = Described::parse(LEAST).unwrap();
        let found = Found { program: "/opt/proxy".into(), version: "1".to_owned(), module: None };
        let command = |side, resumes| proxy.recipe(&found, side, resumes).command;
        assert_eq!(command(Side::Client, true), ["/opt/proxy", "--resume=yes", "--port=@port@"]);
        assert_eq!(command(Side::Client, false)[1], "--resume=no");
        assert_eq!(command(Side::Server, false), ["other"]);
        assert_eq!(proxy.tells(), Tells::Nothing);
    }

    #[test]
    fn what_is_wrong_with_a_description_is_said() {
        for (from, to, why) in [
            ("name = \"proxy\"", "name = \"a b\"", "hyphens"),
            ("name = \"proxy\"", "", "name"),
            ("[\"other\"]", "[]", "needs a program"),
            ("resume = \"yes\"", "", "same names"),
            ("[client]", "[klient]", "klient"),
        ] {
            let message = Described::parse(&LEAST.replace(from, to)).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
    }
}
