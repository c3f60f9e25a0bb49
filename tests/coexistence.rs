//! In a process with other providers, ours is used where it was asked for and nowhere else.
//!
//! One test in a process of its own, because the process-wide default can be set only once.
#![allow(clippy::unwrap_used)] // here a panic is a failed test
#![cfg(all(feature = "aws-lc-rs", feature = "ring", not(feature = "fips")))]

mod common;

use std::sync::Arc;

use common::pair::{Kind, Pair, Pki};
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use rustls::{ClientConfig, HandshakeKind};
use rustls_offload::Offload;
use rustls_offload::plan::{Algorithm, Backend};

#[test]
fn it_installs_nothing_and_replaces_nothing() {
    let ours = Offload::builder().choose(Algorithm::X25519, Backend::Ring).build().unwrap();
    let ours_by_default = rustls_offload::default_provider();
    assert!(CryptoProvider::get_default().is_none(), "making a provider installed one");

    // rustls can't guess between two built-in providers, with us or without us
    let guessed = std::panic::catch_unwind(ClientConfig::builder);
    assert!(guessed.is_err(), "rustls chose a provider by itself");
    assert!(CryptoProvider::get_default().is_none());

    // the application's own choice stands
    ring::default_provider().install_default().unwrap();
    assert!(ours_by_default.install_default().is_err(), "ours replaced the application's default");
    let default = Arc::clone(CryptoProvider::get_default().unwrap());
    assert_eq!(default.kx_groups.len(), ring::default_provider().kx_groups.len());
    let builder = ClientConfig::builder();
    assert!(Arc::ptr_eq(builder.crypto_provider(), &default));

    // explicit providers are independent of it, and all of them understand each other
    let providers = [Arc::new(ours.provider()), Arc::new(aws_lc_rs::default_provider()), default];
    let pki = Pki::new(Kind::P256);
    for client in &providers {
        for server in &providers {
            let client = Arc::new(pki.client(client, rustls::ALL_VERSIONS));
            let server = Arc::new(pki.server(server, rustls::ALL_VERSIONS, None));
            let mut pair = Pair::connect(&client, &server).unwrap();
            pair.echo(b"hello").unwrap();
            assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}
