//! What the placeholders of recipes stand for, as far as it is known before the proxy starts.
//!
//! | name | what |
//! |---|---|
//! | `ip` | address to listen on, without the port |
//! | `upstream`, `upstream_ip`, `upstream_port` | where to forward to |
//! | `workers` | worker threads or processes to have |
//! | `open_files` | files that a process may have open |
//! | `suite` | the cipher suite, by its name in RFC 8446 |
//! | `group` | the group, as OpenSSL and BoringSSL take it (`X25519`, `P-256`) |
//! | `group_name` | the group, as OpenSSL tells it (`X25519`, `prime256v1`) |
//! | `tickets` | session tickets to send after a handshake |
//! | `peer_spiffe_id`, `peer_dns_name` | the names that the peer's leaf must have |
//! | `peer_sha256`, `peer_sha1` | the SHA-256 and SHA-1 of the leaf that the peer must have, in lower-case hexadecimal |

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::Error;
use crate::pki::{self, Credentials, ExpectedPeer};
use crate::role::external::recipe::Values;
use crate::role::raise_open_files;
use crate::settings::Settings;

pub(super) fn of(
    settings: &Settings,
    credentials: &Credentials,
    workers: usize,
    upstream: SocketAddr,
) -> Result<Values, Error> {
    let ExpectedPeer::Only { leaf_pem, spiffe_id } = &credentials.peer else {
        return Err(Error::Usage("a proxy expects one peer, not many".to_owned()));
    };
    let leaf = pki::certificate(leaf_pem)?;
    let tls = &settings.tls;
    let values = [
        ("ip", upstream.ip().to_string()),
        ("upstream", upstream.to_string()),
        ("upstream_ip", upstream.ip().to_string()),
        ("upstream_port", upstream.port().to_string()),
        ("workers", workers.max(1).to_string()),
        ("open_files", raise_open_files()?.to_string()),
        ("suite", tls.suite.replacen("TLS13_", "TLS_", 1)),
        ("group", group(&tls.group)),
        ("group_name", group_name(&tls.group)),
        ("tickets", tls.tickets.to_string()),
        ("peer_spiffe_id", spiffe_id.clone()),
        ("peer_dns_name", dns_name(spiffe_id)),
        ("peer_sha256", hex(digest(&SHA256, &leaf).as_ref())),
        ("peer_sha1", hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &leaf).as_ref())),
    ];
    Ok(values.map(|(name, value)| (name.to_owned(), value)).into())
}

/// The DNS name that the test PKI gives to the leaf with this SPIFFE ID.
fn dns_name(spiffe_id: &str) -> String {
    let path = spiffe_id.rsplit('/').next().unwrap_or_default();
    format!("{path}.{}", pki::TRUST_DOMAIN)
}

fn group(rustls_name: &str) -> String {
    match rustls_name {
        "secp256r1" => "P-256",
        "secp384r1" => "P-384",
        other => other,
    }
    .to_owned()
}

fn group_name(rustls_name: &str) -> String {
    if rustls_name == "secp256r1" { "prime256v1" } else { rustls_name }.to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Pki, SERVER_NAME};
    use crate::settings::fixture::settings;
    use crate::settings::{Identities, KeyType};

    #[test]
    fn the_client_expects_the_server_by_all_its_names() {
        let pki = Pki::generate(KeyType::P256, Identities::default(), false).unwrap();
        let mut settings = settings();
        settings.tls.group = "secp256r1".to_owned();
        let values = of(&settings, &pki.client, 0, "127.0.0.1:80".parse().unwrap()).unwrap();
        let expected = [
            ("workers", "1"),
            ("upstream", "127.0.0.1:80"),
            ("suite", "TLS_AES_128_GCM_SHA256"),
            ("group", "P-256"),
            ("group_name", "prime256v1"),
            ("peer_spiffe_id", "spiffe://mtls-bench.test/server"),
            ("peer_dns_name", SERVER_NAME),
        ];
        for (name, value) in expected {
            assert_eq!(values[name], value);
        }
        assert_eq!((values["peer_sha256"].len(), values["peer_sha1"].len()), (64, 40));
    }
}
