//! Real mutual TLS whose provider submits an operation wherever ours will: signatures,
//! verifications and key exchanges. The operations are fake, and the cryptography is done besides.

#[path = "../../../tests/common/pair.rs"]
pub(super) mod pair;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pair::{Kind, Pki};
use rustls::client::Resumption;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, KeyProvider, SharedSecret, SupportedKxGroup,
    WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, ServerName,
    SignatureVerificationAlgorithm,
};
use rustls::sign::{Signer, SigningKey};
use rustls::version::TLS13;
use rustls::{Error, NamedGroup, SignatureAlgorithm, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::backend::Backend;
use crate::batch::fake::Double;
use crate::batch::submit;
use crate::cpu::Cpu;

/// Submits an operation of `kind` and checks that the outcome is its own.
fn operate(kind: usize) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Relaxed);
    match submit(Double { kind, number }) {
        Ok(outcome) => assert_eq!(outcome, 2 * number),
        Err(operation) => assert_eq!(operation, Double { kind, number }),
    }
}

/// Acceptor and connector with certificates that trust each other.
pub(super) fn mutual(pki: &Pki, provider: &Arc<CryptoProvider>) -> (TlsAcceptor, TlsConnector) {
    let server = pki.server(provider, &[&TLS13], None);
    let mut client = pki.client(provider, &[&TLS13]);
    client.resumption = Resumption::disabled();
    (Arc::new(server).into(), Arc::new(client).into())
}

/// Certificates of P-256.
pub(super) fn pki() -> Pki {
    Pki::new(Kind::P256)
}

/// The name that the server's certificate has.
pub(super) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A backend's provider, with a group that every build has. Not ours: unoptimized, our arithmetic
/// takes milliseconds, and these are tests of what goes on around it.
fn backend_provider() -> CryptoProvider {
    let cpu = Cpu::detect().unwrap();
    let backend = Backend::available(&cpu)[0].usable(&cpu).unwrap();
    let mut provider = (backend.provider)();
    provider.kx_groups.retain(|group| group.name() == NamedGroup::secp256r1);
    provider
}

/// The same, with parts that submit.
pub(super) fn submitting_provider() -> CryptoProvider {
    let plain = backend_provider();
    let algorithms = plain.signature_verification_algorithms;
    let submitting = |&algorithm: &&'static dyn SignatureVerificationAlgorithm| {
        &*Box::leak(Box::new(Verify(algorithm))) as &'static dyn SignatureVerificationAlgorithm
    };
    let all: Vec<_> = algorithms.all.iter().map(submitting).collect();
    let of = |algorithm: &&'static dyn SignatureVerificationAlgorithm| {
        *all.iter()
            .find(|other| {
                other.signature_alg_id() == algorithm.signature_alg_id()
                    && other.public_key_alg_id() == algorithm.public_key_alg_id()
            })
            .unwrap()
    };
    let mapping = algorithms.mapping.iter().map(|(scheme, algorithms)| {
        let algorithms: Vec<_> = algorithms.iter().map(of).collect();
        (*scheme, &*algorithms.leak())
    });
    let mapping = mapping.collect::<Vec<_>>().leak();
    let group = |&group: &&'static dyn SupportedKxGroup| {
        &*Box::leak(Box::new(Group(group))) as &'static dyn SupportedKxGroup
    };
    CryptoProvider {
        kx_groups: plain.kx_groups.iter().map(group).collect(),
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: all.leak(), mapping },
        key_provider: Box::leak(Box::new(Keys(plain.key_provider))),
        ..plain
    }
}

/// Sends bytes there and back and checks them, from the client's side.
pub(super) async fn send<S>(mut stream: S, data: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(data).await?;
    stream.flush().await?;
    let mut echo = vec![0; data.len()];
    stream.read_exact(&mut echo).await?;
    assert_eq!(echo, data);
    stream.shutdown().await
}

/// Returns what comes until the client ends.
pub(super) async fn echo<S>(mut stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => {
                let _ = stream.shutdown().await; // the client may have left
                return Ok(());
            }
            read => stream.write_all(&buffer[..read]).await?,
        }
        stream.flush().await?;
    }
}

#[derive(Debug)]
struct Keys(&'static dyn KeyProvider);

impl KeyProvider for Keys {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Ok(Arc::new(Key(self.0.load_private_key(key)?)))
    }
}

#[derive(Debug)]
struct Key(Arc<dyn SigningKey>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Sign(self.0.choose_scheme(offered)?)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[derive(Debug)]
struct Sign(Box<dyn Signer>);

impl Signer for Sign {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        operate(0);
        self.0.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

#[derive(Debug)]
struct Verify(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Verify {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        operate(1);
        self.0.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

#[derive(Debug)]
struct Group(&'static dyn SupportedKxGroup);

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        operate(0);
        Ok(Box::new(Exchange(self.0.start()?)))
    }

    fn name(&self) -> NamedGroup {
        self.0.name()
    }
}

struct Exchange(Box<dyn ActiveKeyExchange>);

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        operate(1);
        self.0.complete(peer)
    }

    fn pub_key(&self) -> &[u8] {
        self.0.pub_key()
    }

    fn group(&self) -> NamedGroup {
        self.0.group()
    }
}
