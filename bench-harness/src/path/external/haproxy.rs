//! `haproxy`: HAProxy in TCP mode on both sides.
//!
//! The server's side counts its handshakes in a stick table. HAProxy before 3.0 does not tell the
//! group; it accepts one only. The client's side has no option for the group or the number of tickets
//! in older versions, so OpenSSL's own configuration file sets them.

use super::fit::one_of;
use super::{Found, Lack, Proxy, Side, Tells, programs};
use crate::role::external::recipe::{Handshakes, HaproxyTable, Recipe};
use crate::settings::{Settings, Workload};

/// HAProxy on both sides.
pub(super) struct Haproxy;

impl Proxy for Haproxy {
    fn name(&self) -> &str {
        "haproxy"
    }

    fn tells(&self) -> Tells {
        Tells::ServerEnd
    }

    fn find(&self) -> Result<Found, Lack> {
        programs::find("haproxy", None, &["-v"], "apt install haproxy")
    }

    fn fits(&self, settings: &Settings, _: Workload) -> Result<(), Lack> {
        one_of("HAProxy", "group", &settings.tls.group, OPENSSL_GROUPS, "--group")
    }

    fn recipe(&self, found: &Found, side: Side, resumes: bool) -> Recipe {
        let (configuration, handshakes) = match side {
            Side::Client => {
                let reuse = if resumes { "" } else { "no-ssl-reuse" };
                (CLIENT.replace("REUSE", reuse), Handshakes::NotTold)
            }
            Side::Server => {
                let table = HaproxyTable {
                    socket: "@folder@/haproxy.sock".to_owned(),
                    table: "handshakes".to_owned(),
                    suite: "@suite@".to_owned(),
                    peer: "@peer_sha256@".to_owned(),
                };
                (SERVER.to_owned(), Handshakes::HaproxyTable(table))
            }
        };
        let program = found.program.display().to_string();
        Recipe {
            command: [&program, "-db", "-f", "@folder@/haproxy.cfg"].map(str::to_owned).to_vec(),
            environment: [("OPENSSL_CONF".to_owned(), "@folder@/openssl.cnf".to_owned())].into(),
            files: [
                ("haproxy.cfg".to_owned(), format!("{GLOBAL}{configuration}")),
                ("openssl.cnf".to_owned(), OPENSSL.to_owned()),
            ]
            .into(),
            ready: None,
            handshakes,
        }
    }
}

/// Groups of OpenSSL 3.0, which distributions' proxies are built with.
pub(super) const OPENSSL_GROUPS: &[&str] = &["X25519", "secp256r1", "secp384r1"];

/// Defaults of every connection of a process that uses OpenSSL.
pub(super) const OPENSSL: &str = "openssl_conf = init
[init]
ssl_conf = modules
[modules]
system_default = defaults
[defaults]
MinProtocol = TLSv1.3
MaxProtocol = TLSv1.3
Ciphersuites = @suite@
Groups = @group@
NumTickets = @tickets@
";

const GLOBAL: &str = "global
  nbthread @workers@
  tune.ssl.lifetime 86400
  stats socket @folder@/haproxy.sock mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
";

const CLIENT: &str = "listen client
  bind @ip@:@port@ backlog 4096
  server remote @upstream@ ssl crt @chain_and_key@ ca-file @root@ verify required \
verifyhost @peer_dns_name@ ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3 ciphersuites @suite@ REUSE
";

const SERVER: &str = "backend handshakes
  stick-table type string len 160 size 1k store conn_cnt
frontend server
  bind @ip@:@port@ backlog 4096 ssl crt @chain_and_key@ ca-file @root@ verify required \
ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3 ciphersuites @suite@ curves @group@
  tcp-request session set-var(sess.suite) ssl_fc_cipher
  tcp-request session set-var(sess.resumed) ssl_fc_is_resumed
  tcp-request session set-var(sess.peer) ssl_c_der,sha2(256),hex,lower
  tcp-request session track-sc0 ssl_fc_protocol,concat(|,sess.suite,|),concat(,sess.resumed,|),concat(,sess.peer) table handshakes
  tcp-request session reject unless { var(sess.peer) -m str @peer_sha256@ }
  default_backend application
backend application
  server application @upstream@
";
