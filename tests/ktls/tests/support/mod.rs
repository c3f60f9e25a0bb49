//! What the tests share: certificates, configurations, connections with something in between.

#![allow(dead_code)] // each test file needs a part of it

pub(crate) mod relay;

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CipherSuite, ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion, Tls12CipherSuite, Tls13CipherSuite,
};
use rustls_offload::ktls::{Acceptor, Connector, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Every suite that a kernel may be able to do, of both versions.
pub(crate) const SUITES: [CipherSuite; 6] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// TLS 1.3 and the suite that most connections have.
pub(crate) const TLS13: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;
/// The same with TLS 1.2.
pub(crate) const TLS12: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

/// Our provider with one suite.
pub(crate) fn provider(suite: CipherSuite) -> CryptoProvider {
    let mut provider = rustls_offload::default_provider();
    provider.cipher_suites.retain(|candidate| candidate.suite() == suite);
    assert_eq!(provider.cipher_suites.len(), 1, "{suite:?}");
    provider
}

/// Our provider with one suite, whose keys may protect `limit` records.
pub(crate) fn limited(suite: CipherSuite, limit: u64) -> CryptoProvider {
    let mut provider = provider(suite);
    let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
        confidentiality_limit: limit,
        suite: common.suite,
        hash_provider: common.hash_provider,
    };
    // a few suites for each test are never freed
    provider.cipher_suites = vec![match provider.cipher_suites[0] {
        SupportedCipherSuite::Tls13(suite) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                hkdf_provider: suite.hkdf_provider,
                aead_alg: suite.aead_alg,
                quic: suite.quic,
            })))
        }
        SupportedCipherSuite::Tls12(suite) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: suite.aead_alg,
            })))
        }
    }];
    provider
}

/// Both ends' configurations, each demanding the other's certificate.
pub(crate) struct Configs {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    /// For clients that show no certificate.
    pub(crate) anonymous: Arc<ClientConfig>,
}

impl Configs {
    pub(crate) fn new(suite: CipherSuite) -> Self {
        Self::with(provider(suite))
    }

    pub(crate) fn with(provider: CryptoProvider) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let roots = Arc::new(roots);
        let leaf = || {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            let certificate = params.signed_by(&key, &root).unwrap();
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            (vec![certificate.der().clone()], key)
        };
        let provider = Arc::new(provider);
        let versions: &[&SupportedProtocolVersion] = match provider.cipher_suites.as_slice() {
            [one] => &[one.version()],
            _ => rustls::ALL_VERSIONS,
        };
        let client = || {
            ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(versions)
                .unwrap()
                .with_root_certificates(roots.clone())
        };
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let (chain, key) = leaf();
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        let (chain, key) = leaf();
        Self {
            server: Arc::new(server),
            client: Arc::new(client().with_client_auth_cert(chain, key).unwrap()),
            anonymous: Arc::new(client().with_no_client_auth()),
        }
    }
}

pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A client's and a server's socket.
pub(crate) async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// A client and a server, both ours.
pub(crate) async fn ours(configs: &Configs, tcp: (TcpStream, TcpStream)) -> (Stream, Stream) {
    let (connector, acceptor) =
        (Connector::new(configs.client.clone()), Acceptor::new(configs.server.clone()));
    let (client, server) = tokio::join!(connector.connect(name(), tcp.0), acceptor.accept(tcp.1));
    (client.unwrap(), server.unwrap())
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Sends `length` bytes both ways at once, in writes and reads of odd sizes, then closes both ways; a byte that
/// is wrong, late or too many fails.
pub(crate) async fn exchange(
    one: impl AsyncRead + AsyncWrite + Unpin,
    other: impl AsyncRead + AsyncWrite + Unpin,
    length: usize,
) {
    async fn end(mut stream: impl AsyncRead + AsyncWrite + Unpin, ours: Vec<u8>, theirs: Vec<u8>) {
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let write = async {
            for (count, piece) in pieces(&ours).enumerate() {
                writer.write_all(piece).await.unwrap_or_else(|error| panic!("{count}: {error}"));
            }
            writer.flush().await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = Vec::with_capacity(theirs.len());
            let mut buffer = vec![0; 5000];
            loop {
                match reader.read(&mut buffer).await.unwrap() {
                    0 => break,
                    read => received.extend_from_slice(&buffer[..read]),
                }
            }
            received
        };
        let ((), received) = tokio::join!(write, read);
        assert_eq!(received.len(), theirs.len());
        assert!(received == theirs, "the same length, but other bytes");
    }
    let (a, b) = (pattern(length, 1), pattern(length, 2));
    tokio::join!(end(one, a.clone(), b.clone()), end(other, b, a));
}

/// One after the other: a byte, less than a record, one record, one and a bit, many.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut sizes = [1, 1000, 16384, 16385, 100_000].into_iter().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next()?.min(bytes.len());
        let (piece, rest) = bytes.split_at(size);
        bytes = rest;
        (size > 0).then_some(piece)
    })
}

/// A counter of the kernel's; all of this network namespace's connections count.
pub(crate) fn counter(name: &str) -> u64 {
    let all = std::fs::read_to_string("/proc/net/tls_stat").unwrap();
    let line = all.lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name} is not in {all}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
