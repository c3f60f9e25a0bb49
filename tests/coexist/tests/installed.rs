//! The application makes ours the process-wide default.

#![allow(clippy::unwrap_used)] // what fails to unwrap is a failed test

#[path = "../../common/pair.rs"]
mod pair;

use std::sync::Arc;

use coexist::{bystanders, fingerprint};
use pair::{Kind, Pair, Pki};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, HandshakeKind, ServerConfig};

#[test]
fn as_the_default_it_serves_every_configuration_that_names_none() {
    let before = bystanders();
    let ours = fingerprint(&rustls_offload::default_provider());
    assert!(CryptoProvider::get_default().is_none(), "asking for the provider installed it");
    // two built-in providers: rustls refuses to guess
    assert!(std::panic::catch_unwind(ClientConfig::builder).is_err());

    rustls_offload::default_provider().install_default().unwrap();
    let default = CryptoProvider::get_default().unwrap();
    assert_eq!(fingerprint(default), ours);

    // none of these names a provider
    let pki = Pki::new(Kind::P256);
    let roots = Arc::clone(&pki.roots);
    let server = ServerConfig::builder()
        .with_client_cert_verifier(WebPkiClientVerifier::builder(roots).build().unwrap())
        .with_single_cert(pki.server.0.clone(), pki.server.1.clone_key())
        .unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(Arc::clone(&pki.roots))
        .with_client_auth_cert(pki.client.0.clone(), pki.client.1.clone_key())
        .unwrap();
    for provider in [client.crypto_provider(), server.crypto_provider()] {
        assert!(Arc::ptr_eq(provider, default));
    }
    let mut pair = Pair::connect(&Arc::new(client), &Arc::new(server)).unwrap();
    pair.echo(b"hello").unwrap();
    assert_eq!(pair.server.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(pair.server.peer_certificates(), Some(&pki.client.0[..]));

    // the default stays, and the others are as they were
    assert!(ring::default_provider().install_default().is_err());
    assert!(Arc::ptr_eq(CryptoProvider::get_default().unwrap(), default));
    assert_eq!(bystanders(), before);
}
