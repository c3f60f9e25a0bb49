//! `nginx`: nginx with its stream module on both sides.
//!
//! The server's side writes a line for each connection when it ends, with what was negotiated; that
//! is all that nginx tells, at the price of a write a connection; so connections that stay open are counted at the end of the run. The
//! client's side keeps the last session, which any number of connections resume; in shared memory,
//! that is as a copy for each, since OpenSSL forgets a session once a connection of it ends without
//! close_notify, and nginx ends them so.

use std::path::PathBuf;
use std::time::Duration;

use super::fit::one_of;
use super::haproxy::{OPENSSL, OPENSSL_GROUPS};
use super::{Found, Lack, Proxy, Side, Tells, programs};
use crate::machine::doctor::program;
use crate::role::external::recipe::{Handshakes, Lines, Recipe};
use crate::settings::{Settings, Workload};

const FIX: &str = "apt install nginx libnginx-mod-stream";

/// How long nginx may take to tell how it was built.
const PATIENCE: Duration = Duration::from_secs(10);

/// nginx on both sides.
pub(super) struct Nginx;

impl Proxy for Nginx {
    fn name(&self) -> &str {
        "nginx"
    }

    fn tells(&self) -> Tells {
        Tells::ServerEndAtClose
    }

    fn find(&self) -> Result<Found, Lack> {
        let found = programs::find("nginx", None, &["-v"], FIX)?;
        let built = program::output(&found.program, &["-V"], PATIENCE).unwrap_or_default();
        Ok(Found { module: stream_module(&built)?, ..found })
    }

    fn fits(&self, settings: &Settings, _: Workload) -> Result<(), Lack> {
        one_of("nginx", "group", &settings.tls.group, OPENSSL_GROUPS, "--group")
    }

    fn recipe(&self, found: &Found, side: Side, resumes: bool) -> Recipe {
        let (server, handshakes) = match side {
            Side::Client => {
                let reuse = if resumes { "on" } else { "off" };
                (CLIENT.replace("REUSE", reuse), Handshakes::NotTold)
            }
            Side::Server => {
                let told = |text: &str| Some(text.to_owned());
                let lines = Lines {
                    file: "@folder@/handshakes".to_owned(),
                    full: "full-accepted ".to_owned(),
                    resumed: "resumed-accepted ".to_owned(),
                    failed: told("-refused "),
                    protocol: told(" protocol-accepted=TLSv1.3 "),
                    suite: told(" suite-accepted=@suite@ "),
                    group: told(" group-accepted=@group_name@ "),
                    peer: told(" peer-accepted "),
                };
                (SERVER.to_owned(), Handshakes::Lines(lines))
            }
        };
        let module = found.module.as_ref();
        let module = module.map(|file| format!("load_module {};\n", file.display()));
        // Started by root, its workers would become nobody, who must not read this folder.
        let user = if nix::unistd::geteuid().is_root() { "user root;\n" } else { "" };
        let main = format!("{}{user}{MAIN}", module.unwrap_or_default());
        let program = found.program.display().to_string();
        let command = [&program, "-p", "@folder@", "-e", "stderr", "-c", "@folder@/nginx.conf"];
        Recipe {
            command: command.map(str::to_owned).to_vec(),
            environment: [("OPENSSL_CONF".to_owned(), "@folder@/openssl.cnf".to_owned())].into(),
            files: [
                ("nginx.conf".to_owned(), main.replace("SERVER", &server)),
                ("openssl.cnf".to_owned(), OPENSSL.to_owned()),
            ]
            .into(),
            ready: None,
            handshakes,
        }
    }
}

/// The file of the stream module, by what `nginx -V` prints; none if it is built in.
fn stream_module(built: &str) -> Result<Option<PathBuf>, Lack> {
    let has = |option: &str| built.split_whitespace().any(|word| word == option);
    if !has("--with-stream_ssl_module") {
        return Err(Lack::new("this nginx was built without TLS in its stream module", FIX));
    }
    if has("--with-stream") {
        return Ok(None);
    }
    let folder = built.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
    let file = PathBuf::from(folder.unwrap_or_default()).join("ngx_stream_module.so");
    if file.exists() {
        Ok(Some(file))
    } else {
        Err(Lack::new(format!("nginx lacks its stream module, {}", file.display()), FIX))
    }
}

const MAIN: &str = "daemon off;
worker_processes @workers@;
pid @folder@/nginx.pid;
error_log stderr emerg;
events { worker_connections @open_files@; }
stream {
  proxy_timeout 1h;
SERVER}
";

const CLIENT: &str = "  upstream remote { zone remote 256k; server @upstream@; }
  server {
    listen @listen@ backlog=4096 reuseport;
    proxy_ssl on;
    proxy_ssl_protocols TLSv1.3;
    proxy_ssl_certificate @chain@;
    proxy_ssl_certificate_key @key@;
    proxy_ssl_trusted_certificate @root@;
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 2;
    proxy_ssl_name @peer_dns_name@;
    proxy_ssl_server_name on;
    proxy_ssl_session_reuse REUSE;
    proxy_pass remote;
  }
";

const SERVER: &str = "  map_hash_bucket_size 256;
  map $ssl_session_reused $kind { r resumed; default full; }
  map \"$ssl_client_verify $ssl_client_fingerprint\" $verdict {
    \"SUCCESS @peer_sha1@\" accepted; default refused;
  }
  map $verdict $application { accepted @upstream@; default \"\"; }
  log_format handshake '$kind-$verdict protocol-$verdict=$ssl_protocol '
    'suite-$verdict=$ssl_cipher group-$verdict=$ssl_curve peer-$verdict ;';
  access_log @folder@/handshakes handshake;
  server {
    listen @listen@ ssl backlog=4096 reuseport;
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve @group@;
    ssl_certificate @chain@;
    ssl_certificate_key @key@;
    ssl_client_certificate @root@;
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_session_timeout 1d;
    proxy_pass $application;
  }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_module_is_built_in_or_a_file_or_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let with = |rest: &str| format!("nginx version: 1\n --with-stream_ssl_module {rest} --x");
        assert_eq!(stream_module(&with("--with-stream")), Ok(None));
        let dynamic = with(&format!("--with-stream=dynamic --modules-path={path}"));
        assert!(stream_module(&dynamic).unwrap_err().reason.contains("ngx_stream_module.so"));
        let file = folder.path().join("ngx_stream_module.so");
        std::fs::write(&file, "").unwrap();
        assert_eq!(stream_module(&dynamic), Ok(Some(file)));
        assert!(stream_module("nginx version: 1 --with-stream").is_err());
    }
}
