//! Whatever is not a verdict on a chain is the inner verifier's to say, before and after it has been
//! replaced.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};

use super::authority::Authority;

/// A verifier whose answers all differ from the traits' defaults when `odd`, and are the defaults
/// otherwise.
#[derive(Debug)]
struct Stub {
    odd: bool,
    hints: Vec<DistinguishedName>,
}

impl Stub {
    fn new(odd: bool) -> Arc<Self> {
        let hint = DistinguishedName::from(vec![u8::from(odd)]);
        Arc::new(Self { odd, hints: vec![hint] })
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        vec![if self.odd { SignatureScheme::ED448 } else { SignatureScheme::ED25519 }]
    }
}

fn unused<T>() -> Result<T, Error> {
    Err(Error::General("unused".to_owned()))
}

impl ClientCertVerifier for Stub {
    fn offer_client_auth(&self) -> bool {
        !self.odd
    }

    fn client_auth_mandatory(&self) -> bool {
        self.odd
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        unused()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unused()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unused()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.odd
    }
}

impl ServerCertVerifier for Stub {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        unused()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unused()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unused()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.odd
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.odd.then_some(&self.hints)
    }
}

#[test]
fn a_client_verifier_is_in_all_else_the_one_inside() {
    let verifier = CachingClientVerifier::new(Stub::new(false));
    for odd in [false, true, false] {
        let inner = Stub::new(odd);
        verifier.replace(inner.clone());
        let plain: &dyn ClientCertVerifier = &*inner;
        assert_eq!(verifier.offer_client_auth(), plain.offer_client_auth());
        assert_eq!(verifier.client_auth_mandatory(), plain.client_auth_mandatory());
        assert_eq!(verifier.supported_verify_schemes(), plain.supported_verify_schemes());
        assert_eq!(verifier.requires_raw_public_keys(), plain.requires_raw_public_keys());
    }
}

#[test]
fn a_server_verifier_is_in_all_else_the_one_inside() {
    let verifier = CachingServerVerifier::new(Stub::new(false));
    for odd in [false, true, false] {
        let inner = Stub::new(odd);
        verifier.replace(inner.clone());
        let plain: &dyn ServerCertVerifier = &*inner;
        assert_eq!(verifier.supported_verify_schemes(), plain.supported_verify_schemes());
        assert_eq!(verifier.requires_raw_public_keys(), plain.requires_raw_public_keys());
        let bytes = |hints: Option<&[DistinguishedName]>| {
            hints.map(|hints| hints.iter().map(|hint| hint.as_ref().to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(bytes(verifier.root_hint_subjects()), bytes(plain.root_hint_subjects()));
    }
}

#[test]
fn hints_follow_the_roots() {
    let authorities = [Authority::new("a"), Authority::new("b")];
    let verifier = CachingClientVerifier::new(authorities[0].client_verifier());
    let before = verifier.root_hint_subjects();
    for authority in authorities.iter().rev() {
        verifier.replace(authority.client_verifier());
        let hints: Vec<_> =
            verifier.root_hint_subjects().iter().map(|hint| hint.as_ref().to_vec()).collect();
        let expected: Vec<_> =
            authority.roots().subjects().iter().map(|hint| hint.as_ref().to_vec()).collect();
        assert_eq!(hints, expected);
    }
    assert_eq!(before.len(), 1, "still borrowed from the wrapper");
}

/// rustls's own verifier for no client authentication panics when asked for hints.
#[test]
fn no_client_authentication_can_be_wrapped_and_swapped_in() {
    let verifier = CachingClientVerifier::new(WebPkiClientVerifier::no_client_auth());
    assert!(!verifier.offer_client_auth() && !verifier.client_auth_mandatory());
    verifier.replace(Authority::new("a").client_verifier());
    assert!(verifier.offer_client_auth() && verifier.client_auth_mandatory());
    verifier.replace(WebPkiClientVerifier::no_client_auth());
    assert!(!verifier.offer_client_auth() && verifier.root_hint_subjects().is_empty());
}

#[test]
fn its_debug_form_names_the_inner_verifier_and_counts() {
    let verifier = CachingClientVerifier::new(Stub::new(true));
    let text = format!("{verifier:?}");
    assert!(text.contains("Stub") && text.contains("generation: 1"), "{text}");
}
