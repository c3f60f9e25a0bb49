//! GnuTLS: `gnutls-serv` and `gnutls-cli`.

use rustls::ProtocolVersion;

use crate::ends::GREETING;
use crate::files::Files;
use crate::scenarios::{self, Peer, Version};
use crate::tool::Tool;

struct GnuTls;

impl Peer for GnuTls {
    fn server(&self, files: &Files, version: Version) -> Tool {
        let root = format!("--x509cafile={}", files.path("root"));
        let [chain, key] = identity(files, "server");
        let args = ["--echo", "--port=0", "--require-client-cert", "--verify-client-cert"];
        let args = [args.as_slice(), &[priority(version), &root, &chain, &key]].concat();
        Tool::start("gnutls-serv", "gnutls-bin", &args)
    }

    fn reply(&self) -> String {
        GREETING.to_owned()
    }

    fn client(&self, files: &Files, port: u16, version: Version, holder: Option<&str>) -> Tool {
        gnutls_cli(files, port, version, holder, &[])
    }

    fn resume(&self, files: &Files, port: u16, version: Version) {
        let more = ["--resume", "--waitresumption"];
        let mut client = gnutls_cli(files, port, version, Some("client"), &more);
        client.wait_for("This is a resumed session");
        client.exchange();
    }
}

fn gnutls_cli(
    files: &Files,
    port: u16,
    version: Version,
    holder: Option<&str>,
    more: &[&str],
) -> Tool {
    let port = format!("--port={port}");
    let root = format!("--x509cafile={}", files.path("root"));
    let identity = holder.map(|holder| identity(files, holder));
    let mut args = vec!["127.0.0.1", &port, priority(version), &root];
    args.extend(["--sni-hostname=localhost", "--verify-hostname=localhost"]);
    args.extend(identity.iter().flatten().map(String::as_str));
    args.extend(more);
    Tool::start("gnutls-cli", "gnutls-bin", &args)
}

fn identity(files: &Files, holder: &str) -> [String; 2] {
    [("certfile", "chain"), ("keyfile", "key")]
        .map(|(option, part)| format!("--x509{option}={}", files.path(&format!("{holder}-{part}"))))
}

fn priority(version: Version) -> &'static str {
    match version.version {
        ProtocolVersion::TLSv1_3 => "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3",
        _ => "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2",
    }
}

#[test]
fn as_a_client_full_and_resumed() {
    scenarios::as_a_client_full_and_resumed(&GnuTls);
}

#[test]
fn as_a_server_full_and_resumed() {
    scenarios::as_a_server_full_and_resumed(&GnuTls);
}

#[test]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
fn as_a_server_that_judges_sessions() {
    scenarios::as_a_server_that_judges_sessions(&GnuTls);
}

#[test]
fn keys_of_every_kind() {
    scenarios::keys_of_every_kind(&GnuTls);
}

#[test]
fn the_peer_refuses_strangers() {
    scenarios::the_peer_refuses_strangers(&GnuTls);
}

#[test]
fn we_refuse_strangers() {
    scenarios::we_refuse_strangers(&GnuTls);
}
