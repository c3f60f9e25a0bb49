//! Credentials from a SPIFFE Workload API that rotates them under load.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use mtls_bench::settings::IdentitySource;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType};
use support::{Bench, refused};
use tempfile::TempDir;
use tokio::sync::watch;
use workload_api_tests::{Answer, Api, Calls, X509Svid, X509SvidResponse};

const WORKLOAD: &str = "spiffe://example.org/bench";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let uri = "spiffe://example.org".try_into().unwrap();
        params.subject_alt_names = vec![SanType::URI(uri)];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A new key and certificate each time.
    fn answer(&self) -> Answer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.subject_alt_names = vec![SanType::URI(WORKLOAD.try_into().unwrap())];
        let svid = X509Svid {
            spiffe_id: WORKLOAD.to_owned(),
            x509_svid: params.signed_by(&key, &self.0).unwrap().der().to_vec(),
            x509_svid_key: key.serialize_der(),
            bundle: self.0.as_ref().der().to_vec(),
        };
        Ok(X509SvidResponse { svids: vec![svid], crl: vec![], federated_bundles: [].into() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_are_the_workload_that_the_api_knows_and_rotate_with_it() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("agent.sock");
    let authority = Authority::new();
    let answers = watch::Sender::new(authority.answer());
    let _api = Api::serve(&socket, answers.subscribe(), Calls::default());
    let rotating = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _old = answers.send_replace(authority.answer());
        }
    });
    let endpoint = format!("unix://{}", socket.display());
    let source = format!("workload-api:{endpoint}");
    let measured = tokio::task::spawn_blocking(move || {
        let arguments =
            ["--path", "in-process,sidecar", "--workload", "handshake", "--resume", "50"];
        Bench::new().measure(&[&arguments[..], &["--identity", &source]].concat())
    });
    let result = measured.await.unwrap();
    rotating.abort();
    assert_eq!(result.settings.identity, IdentitySource::WorkloadApi { endpoint });
    assert_eq!(result.problems(), [""; 0]);
    for arm in &result.arms {
        let ends =
            || arm.windows.iter().flat_map(|window| [&window.client_end, &window.server_end]);
        assert!(
            ends().all(|end| end.handshakes.iter().all(|seen| seen.negotiated.peer == WORKLOAD))
        );
        assert!(ends().all(|end| end.total() > 0));
        assert!(ends().map(|end| end.rotations).sum::<u64>() > 0, "{}", arm.label());
        assert!(ends().map(|end| end.new_peers).sum::<u64>() > 2, "nobody met a new certificate");
    }
}

#[test]
fn an_api_that_is_not_there_is_named() {
    let (code, message) =
        refused(&["--path", "in-process", "--identity", "workload-api:unix:///nowhere/agent.sock"]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("Workload API"), "{message}");
}

#[test]
fn what_the_api_decides_cannot_be_chosen() {
    for arguments in
        [["--identities", "10"], ["--key", "rsa2048"], ["--rotate", "1"], ["--provider", "ring"]]
    {
        let (code, message) =
            refused(&[&["--identity", "workload-api:unix:///nowhere"], &arguments[..]].concat());
        assert_eq!(code, 2, "{message}");
    }
}
