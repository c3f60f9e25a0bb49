//! The application gives ours to one configuration; another names ring; the default is its own.

#![allow(clippy::unwrap_used)] // what fails to unwrap is a failed test

#[path = "../../common/pair.rs"]
mod pair;

use std::sync::Arc;

use coexist::{bystanders, fingerprint};
use pair::{Kind, Pair, Pki};
use rustls::ALL_VERSIONS;
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};

#[test]
fn in_one_configuration_it_leaves_the_others_alone() {
    let before = bystanders();
    let ours = Arc::new(rustls_offload::default_provider());
    let theirs = Arc::new(ring::default_provider());
    let pki = Pki::new(Kind::P256);
    for (client, server) in [(&ours, &theirs), (&theirs, &ours), (&theirs, &theirs)] {
        let client_config = Arc::new(pki.client(client, ALL_VERSIONS));
        let server_config = Arc::new(pki.server(server, ALL_VERSIONS, None));
        assert!(Arc::ptr_eq(client_config.crypto_provider(), client));
        assert!(Arc::ptr_eq(server_config.crypto_provider(), server));
        let mut pair = Pair::connect(&client_config, &server_config).unwrap();
        pair.echo(b"hello").unwrap();
        assert_eq!(pair.server.peer_certificates(), Some(&pki.client.0[..]));
    }
    // connections were made, and still nothing is installed
    assert!(CryptoProvider::get_default().is_none());
    assert_eq!(fingerprint(&theirs), before[1]);
    assert_eq!(bystanders(), before);

    // so the application's choice of a default is still free
    aws_lc_rs::default_provider().install_default().unwrap();
    assert_eq!(fingerprint(CryptoProvider::get_default().unwrap()), before[0]);
}
