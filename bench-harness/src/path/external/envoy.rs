//! `envoy-l4` and `envoy-l7`: Envoy as a TCP proxy, and as an HTTP proxy on both sides.
//!
//! Envoy's TLS library chooses among the suites of TLS 1.3 by itself (AES-128-GCM where the CPU has
//! AES) and sends two tickets, neither of which can be set. Sessions are
//! used once: so many are kept (`max_session_keys`) that there is one for every handshake in flight,
//! or none where handshakes are to be full ones. Both sides count every handshake.

use std::path::PathBuf;

use super::fit::one_of;
use super::{Found, Lack, Proxy, Side, Tells, programs};
use crate::role::external::recipe::{EnvoyAdmin, Handshakes, Ready, Recipe};
use crate::settings::{Settings, Workload};

const FIX: &str = "run ci/setup, or put a binary of github.com/envoyproxy/envoy/releases on PATH as \
                   `envoy`, or name one with --envoy";

/// Sessions kept, where handshakes are to resume: above what the open loop has in flight.
const SESSIONS: &str = "4096";

/// What Envoy looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Bytes.
    Four,
    /// HTTP requests, which it forwards over connections of its own.
    Seven,
}

/// Envoy on both sides.
pub(super) struct Envoy {
    pub(super) layer: Layer,
    /// Its program, if the user has said.
    pub(super) program: Option<PathBuf>,
}

impl Proxy for Envoy {
    fn name(&self) -> &str {
        match self.layer {
            Layer::Four => "envoy-l4",
            Layer::Seven => "envoy-l7",
        }
    }

    fn tells(&self) -> Tells {
        Tells::BothEnds
    }

    fn find(&self) -> Result<Found, Lack> {
        programs::find("envoy", self.program.as_deref(), &["--version"], FIX)
    }

    fn fits(&self, settings: &Settings, workload: Workload) -> Result<(), Lack> {
        let tls = &settings.tls;
        let groups = ["X25519", "secp256r1", "secp384r1", "X25519MLKEM768"];
        one_of("Envoy", "suite", &tls.suite, &["TLS13_AES_128_GCM_SHA256"], "--suite")?;
        one_of("Envoy", "group", &tls.group, &groups, "--group")?;
        if tls.tickets != 2 {
            return Err(Lack::new("Envoy sends two tickets", "ask for --tickets 2"));
        }
        if self.layer == Layer::Seven && workload != Workload::Request {
            return Err(Lack::new(
                "an HTTP proxy forwards requests only",
                "ask for --workload request",
            ));
        }
        Ok(())
    }

    fn recipe(&self, found: &Found, side: Side, resumes: bool) -> Recipe {
        let (prefix, pieces) = match side {
            Side::Client => ("cluster.upstream", ("", UPSTREAM_TLS)),
            Side::Server => ("listener.downstream", (DOWNSTREAM_TLS, "")),
        };
        let sessions = if resumes { SESSIONS } else { "0" };
        let filter = if self.layer == Layer::Four { TCP_PROXY } else { HTTP_PROXY };
        let configuration = CONFIGURATION
            .replace("FILTER", filter)
            .replace("DOWNSTREAM_TLS", pieces.0)
            .replace("UPSTREAM_TLS", pieces.1)
            .replace("TLS_CONTEXT", TLS_CONTEXT)
            .replace("SESSIONS", sessions);
        let program = found.program.display().to_string();
        let command = [
            program.as_str(),
            "--config-path",
            "@folder@/envoy.yaml",
            "--concurrency",
            "@workers@",
            "--disable-hot-restart",
            "--log-level",
            "error",
        ];
        let socket = "@folder@/admin.sock".to_owned();
        Recipe {
            command: command.map(str::to_owned).to_vec(),
            environment: [].into(),
            files: [("envoy.yaml".to_owned(), configuration)].into(),
            ready: Some(Ready { socket: socket.clone(), path: "/ready".to_owned() }),
            handshakes: Handshakes::EnvoyAdmin(EnvoyAdmin {
                socket,
                prefix: prefix.to_owned(),
                suite: "@suite@".to_owned(),
                group: "@group@".to_owned(),
            }),
        }
    }
}

/// Limits and time-outs are set out of the way, as nothing here is to be cut off.
const CONFIGURATION: &str = r#"
admin: { address: { pipe: { path: "@folder@/admin.sock", mode: 384 } } }
static_resources:
  listeners:
  - name: downstream
    stat_prefix: downstream
    address: { socket_address: { address: "@ip@", port_value: @port@ } }
    tcp_backlog_size: 4096
    filter_chains:
    - filters: [ FILTER ]
      DOWNSTREAM_TLS
  clusters:
  - name: upstream
    type: STATIC
    connect_timeout: 5s
    circuit_breakers: { thresholds: [ { max_connections: 1000000, max_pending_requests: 1000000, max_requests: 1000000 } ] }
    load_assignment: { cluster_name: upstream, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: "@upstream_ip@", port_value: @upstream_port@ } } } } ] } ] }
    UPSTREAM_TLS
"#;

const TCP_PROXY: &str = r#"{ name: envoy.filters.network.tcp_proxy, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: upstream } }"#;

const HTTP_PROXY: &str = r#"{ name: envoy.filters.network.http_connection_manager, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: http, codec_type: HTTP1, route_config: { virtual_hosts: [ { name: all, domains: [ "*" ], routes: [ { match: { prefix: "/" }, route: { cluster: upstream, timeout: 0s } } ] } ] }, http_filters: [ { name: envoy.filters.http.router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ] } }"#;

const DOWNSTREAM_TLS: &str = r#"transport_socket: { name: envoy.transport_sockets.tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, require_client_certificate: true, common_tls_context: TLS_CONTEXT } }"#;

const UPSTREAM_TLS: &str = r#"transport_socket: { name: envoy.transport_sockets.tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: "@peer_dns_name@", max_session_keys: SESSIONS, common_tls_context: TLS_CONTEXT } }"#;

const TLS_CONTEXT: &str = r#"{ tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3, ecdh_curves: [ "@group@" ] }, tls_certificates: [ { certificate_chain: { filename: "@chain@" }, private_key: { filename: "@key@" } } ], validation_context: { trusted_ca: { filename: "@root@" }, match_typed_subject_alt_names: [ { san_type: URI, matcher: { exact: "@peer_spiffe_id@" } } ] } }"#;
