//! Handshakes in company: the provider's own parts meet rustls's, and the lanes did the work.

use std::sync::Arc;

use crate::common::pair::{Kind, Pki};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, NamedGroup, ServerConfig, SupportedProtocolVersion};
use rustls_offload::Offload;
use rustls_offload::cpu::{Cpu, Feature};
use rustls_offload::pool::{LocalPool, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Handshakes at a time.
const COMPANY: usize = 24;

fn only(mut provider: CryptoProvider, group: NamedGroup) -> Arc<CryptoProvider> {
    provider.kx_groups.retain(|candidate| candidate.name() == group);
    assert_eq!(provider.kx_groups.len(), 1, "{group:?}");
    Arc::new(provider)
}

/// Has `COMPANY` clients of one pool meet as many servers of another, and each pair exchange bytes.
fn meet(client: ClientConfig, server: ServerConfig) -> Vec<Result<(), String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (connector, acceptor) =
        (TlsConnector::from(Arc::new(client)), TlsAcceptor::from(Arc::new(server)));
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let pairs: Vec<_> = (0..COMPANY)
            .map(|number| {
                let (near, far) = duplex(64 * 1024);
                let name = ServerName::try_from("localhost").unwrap();
                let (clients, servers) = (POOL.with(LocalPool::clone), POOL.with(LocalPool::clone));
                let client = clients.connect(&connector, name, near);
                let server = servers.accept(&acceptor, far);
                let server = tokio::task::spawn_local(async move {
                    let mut tls = server.await.map_err(|error| error.to_string())?;
                    let mut got = [0; 4];
                    tls.read_exact(&mut got).await.map_err(|error| error.to_string())?;
                    tls.write_all(&got).await.map_err(|error| error.to_string())?;
                    tls.flush().await.map_err(|error| error.to_string())
                });
                tokio::task::spawn_local(async move {
                    let done = async {
                        let mut tls = client.await?;
                        let sent = (number as u32).to_be_bytes();
                        tls.write_all(&sent).await?;
                        let mut got = [0; 4];
                        tls.read_exact(&mut got).await?;
                        assert_eq!(got, sent);
                        Ok::<_, std::io::Error>(())
                    };
                    let done = done.await.map_err(|error| error.to_string());
                    server.await.unwrap().and(done)
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for pair in pairs {
            outcomes.push(pair.await.unwrap());
        }
        outcomes
    })
}

thread_local!(static POOL: LocalPool = LocalPool::new());

fn metrics() -> Metrics {
    POOL.with(LocalPool::metrics)
}

/// Operations of `kind` that were computed in batches.
fn in_batches(metrics: &Metrics, kind: &str) -> u64 {
    let operations = metrics.operations.iter().find(|operations| operations.kind == kind).unwrap();
    let sizes = operations.batches.iter().zip(1..);
    sizes.map(|(&batches, size)| if size > 1 { batches * size } else { 0 }).sum()
}

fn has_lanes() -> bool {
    Cpu::detect().unwrap().has(Feature::Avx512ifma)
}

fn configurations(
    ours: &Arc<CryptoProvider>,
    theirs: &Arc<CryptoProvider>,
    version: &'static SupportedProtocolVersion,
) -> [(ClientConfig, ServerConfig); 3] {
    [(ours, ours), (ours, theirs), (theirs, ours)].map(|(client, server)| {
        let pki = Pki::new(Kind::P256);
        let mut config = pki.client(client, &[version]);
        config.resumption = Resumption::disabled();
        (config, pki.server(server, &[version], None))
    })
}

#[test]
fn every_group_against_ourselves_and_against_rustls_own_provider() {
    for (version, group, kind) in [
        (&TLS13, NamedGroup::X25519, "x25519"),
        (&TLS13, NamedGroup::secp256r1, "p-256"),
        (&TLS13, NamedGroup::X25519MLKEM768, "x25519"),
        (&TLS12, NamedGroup::X25519, "x25519"),
        (&TLS12, NamedGroup::secp256r1, "p-256"),
    ] {
        let ours = only(Offload::new().unwrap().provider(), group);
        let mut theirs = aws_lc_rs::default_provider();
        theirs.kx_groups = aws_lc_rs::ALL_KX_GROUPS.to_vec();
        let theirs = only(theirs, group);
        for (client, server) in configurations(&ours, &theirs, version) {
            let before = metrics();
            for outcome in meet(client, server) {
                assert_eq!(outcome, Ok(()), "{group:?}, {version:?}");
            }
            let after = metrics();
            if has_lanes() {
                let more = |kind: &str| in_batches(&after, kind) > in_batches(&before, kind);
                assert!(more("ecdsa-p256-sign"), "{group:?}: {after:?}");
                assert!(
                    more("ecdsa-p256-verify") || more("ecdsa-p256-verify-known"),
                    "{group:?}: {after:?}"
                );
                let steps = ["public-key", "agree", "exchange"];
                assert!(steps.iter().any(|step| more(&format!("{kind}-{step}"))), "{after:?}");
            }
        }
    }
}

#[test]
fn a_stranger_is_refused_in_company_too() {
    let ours = Arc::new(Offload::new().unwrap().provider());
    let (pki, elsewhere) = (Pki::new(Kind::P256), Pki::new(Kind::P256));
    let (chain, key) = elsewhere.client;
    let mut stranger = ClientConfig::builder_with_provider(Arc::clone(&ours))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(Arc::clone(&pki.roots))
        .with_client_auth_cert(chain, key)
        .unwrap();
    stranger.resumption = Resumption::disabled();
    for outcome in meet(stranger, pki.server(&ours, &[&TLS13], None)) {
        let refusal = outcome.unwrap_err();
        assert!(refusal.contains("invalid peer certificate"), "{refusal}");
    }
}

/// A chain that names the right authority, and a leaf key that is not the certificate's.
#[test]
fn a_wrong_signature_is_refused_in_company_too() {
    let ours = Arc::new(Offload::new().unwrap().provider());
    let pki = Pki::new(Kind::P256);
    let (_, other_key) = Pki::new(Kind::P256).client;
    let signing = ours.key_provider.load_private_key(other_key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(pki.client.0.clone(), signing);
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&ours))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(Arc::clone(&pki.roots))
        .with_client_cert_resolver(Arc::new(resolver));
    client.resumption = Resumption::disabled();
    for outcome in meet(client, pki.server(&ours, &[&TLS13], None)) {
        assert!(outcome.clone().unwrap_err().contains("BadSignature"), "{outcome:?}");
    }
}
