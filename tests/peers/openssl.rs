//! OpenSSL: `openssl s_server` and `openssl s_client`.

use rustls::ProtocolVersion;

use crate::ends::GREETING;
use crate::files::Files;
use crate::scenarios::{self, Peer, Version};
use crate::tool::Tool;

struct OpenSsl;

impl Peer for OpenSsl {
    fn server(&self, files: &Files, version: Version) -> Tool {
        let root = files.path("root");
        let identity = identity(files, "server");
        let mut args = vec!["s_server", "-accept", "127.0.0.1:0", argument(version), "-rev"];
        args.extend(["-Verify", "2", "-verify_return_error", "-CAfile", &root]);
        start(args, &identity)
    }

    /// `-rev` is its way to echo.
    fn reply(&self) -> String {
        GREETING.chars().rev().collect()
    }

    fn client(&self, files: &Files, port: u16, version: Version, holder: Option<&str>) -> Tool {
        s_client(files, port, version, holder, &[])
    }

    fn resume(&self, files: &Files, port: u16, version: Version) {
        let session = files.path("session");
        for (option, line) in [("-sess_out", "New, TLSv1."), ("-sess_in", "Reused, TLSv1.")] {
            let mut client = s_client(files, port, version, Some("client"), &[option, &session]);
            client.wait_for(line);
            // the echo comes after the tickets
            client.exchange();
        }
    }
}

fn s_client(
    files: &Files,
    port: u16,
    version: Version,
    holder: Option<&str>,
    more: &[&str],
) -> Tool {
    let (address, root) = (format!("127.0.0.1:{port}"), files.path("root"));
    let mut args = vec!["s_client", "-connect", &address, argument(version), "-CAfile", &root];
    args.extend(["-servername", "localhost", "-verify_hostname", "localhost"]);
    args.push("-verify_return_error");
    args.extend(more);
    let identity = holder.map(|holder| identity(files, holder)).unwrap_or_default();
    start(args, &identity)
}

fn identity(files: &Files, holder: &str) -> Vec<String> {
    let file = |part| files.path(&format!("{holder}-{part}"));
    let options = [("-cert", "leaf"), ("-cert_chain", "issuers"), ("-key", "key")];
    options.into_iter().flat_map(|(option, part)| [option.to_owned(), file(part)]).collect()
}

fn start<'a>(mut args: Vec<&'a str>, identity: &'a [String]) -> Tool {
    args.extend(identity.iter().map(String::as_str));
    Tool::start("openssl", "openssl", &args)
}

fn argument(version: Version) -> &'static str {
    match version.version {
        ProtocolVersion::TLSv1_3 => "-tls1_3",
        _ => "-tls1_2",
    }
}

#[test]
fn as_a_client_full_and_resumed() {
    scenarios::as_a_client_full_and_resumed(&OpenSsl);
}

#[test]
fn as_a_server_full_and_resumed() {
    scenarios::as_a_server_full_and_resumed(&OpenSsl);
}

#[test]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
fn as_a_server_that_judges_sessions() {
    scenarios::as_a_server_that_judges_sessions(&OpenSsl);
}

#[test]
fn keys_of_every_kind() {
    scenarios::keys_of_every_kind(&OpenSsl);
}

#[test]
fn the_peer_refuses_strangers() {
    scenarios::the_peer_refuses_strangers(&OpenSsl);
}

#[test]
fn we_refuse_strangers() {
    scenarios::we_refuse_strangers(&OpenSsl);
}
