//! The memory that a caching verifier takes under a flood of distinct valid chains: in a process of
//! its own, whose memory nothing else touches.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_offload::verify::CachingClientVerifier;

const CAPACITY: usize = 512;

/// Peers that keep coming back.
const REGULARS: usize = 50;

/// Certificates to make intermediates of: anyone can append some to a valid chain.
const SPARES: usize = 20;

/// Accepts everyone.
#[derive(Debug)]
struct Gullible;

impl ClientCertVerifier for Gullible {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Vec::new()
    }
}

/// A certificate with the longest SPIFFE ID that is allowed, so that entries are as large as they get.
fn certificate() -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    let id = format!("{:a<2048}", "spiffe://example.org/");
    params.subject_alt_names.push(SanType::URI(id.try_into().unwrap()));
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

fn resident_bytes() -> u64 {
    let process = procfs::process::Process::myself().unwrap();
    process.statm().unwrap().resident * procfs::page_size()
}

/// Presents the leaf with every choice of three spares in every order, 6,840 chains at most, and the
/// regulars meanwhile.
fn flood(
    verifier: &CachingClientVerifier,
    regulars: &[CertificateDer<'static>],
    leaf: &CertificateDer<'static>,
    spares: &[CertificateDer<'static>],
    most: usize,
) {
    let choices = (0..SPARES.pow(3))
        .map(|number| [1, SPARES, SPARES.pow(2)].map(|place| number / place % SPARES))
        .filter(|[a, b, c]| a != b && b != c && a != c);
    for (regular, choice) in regulars.iter().cycle().zip(choices).take(most) {
        let intermediates = choice.map(|spare| spares[spare].clone());
        verifier.verify_client_cert(leaf, &intermediates, UnixTime::now()).unwrap();
        verifier.verify_client_cert(regular, &[], UnixTime::now()).unwrap();
    }
}

#[test]
fn a_flood_of_valid_chains_neither_grows_the_cache_nor_drives_out_regular_peers() {
    let regulars: Vec<_> = (0..REGULARS).map(|_| certificate()).collect();
    let spares: Vec<_> = (0..SPARES).map(|_| certificate()).collect();
    let verifier = CachingClientVerifier::builder(Arc::new(Gullible)).capacity(CAPACITY).build();
    flood(&verifier, &regulars, &certificate(), &spares, 2000);
    let (before, resident) = (verifier.metrics(), resident_bytes());
    assert!(before.entries > CAPACITY / 2 && before.entries <= CAPACITY, "{before:?}");

    flood(&verifier, &regulars, &certificate(), &spares, usize::MAX);
    let after = verifier.metrics();
    assert!(after.entries <= CAPACITY, "{after:?}");
    assert_eq!(after.misses - before.misses, 6840, "every chain was new");
    assert_eq!(after.hits - before.hits, 6840, "every regular was known");
    // Kept, these chains' identities alone would be 14 MB.
    let grown = resident_bytes().saturating_sub(resident);
    assert!(grown < 4 << 20, "{grown} bytes more than before");
}
