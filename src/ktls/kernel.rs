//! What this kernel's TLS can do, tried rather than looked up: a version number says nothing about a
//! distribution's choices, nor a return code about a sandbox.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use ktls_core::{
    AeadKey, ConnectionTrafficSecrets, Error, TlsCryptoInfoRx, TlsCryptoInfoTx, setup_ulp,
};
use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite};

use super::Unavailable;

/// First bytes of a record of application data (RFC 8446, section 5.1).
const APPLICATION_DATA: [u8; 3] = [23, 3, 3];

/// What protects records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aead {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

/// A kernel that protects records.
#[derive(Clone, Debug)]
pub struct Kernel {
    works: Vec<(ProtocolVersion, Aead)>,
    changes_keys: bool,
}

impl Kernel {
    /// What the kernel of this process can do; tried once, and then remembered.
    ///
    /// # Errors
    /// It can't protect any record.
    pub fn here() -> Result<&'static Self, Unavailable> {
        static HERE: OnceLock<Result<Kernel, Unavailable>> = OnceLock::new();
        HERE.get_or_init(|| {
            let found = Self::probe();
            if let Err(reason) = &found {
                log::warn!("records stay in user space: {reason}");
            }
            found
        })
        .as_ref()
        .map_err(Clone::clone)
    }

    /// Tries it, with connections over loopback: some system calls, and up to a second where a sandbox only
    /// pretends. Loads modules if the process may.
    ///
    /// # Errors
    /// It can't protect any record.
    pub fn probe() -> Result<Self, Unavailable> {
        let (mut one, mut other) = connected()?;
        let key = sending_key(ProtocolVersion::TLSv1_3, Aead::Aes128Gcm, 1);
        let changes_keys = if key.and_then(|key| key.set(&one)).is_ok() {
            encrypts(&mut one, &mut other)?;
            sending_key(ProtocolVersion::TLSv1_3, Aead::Aes128Gcm, 2)
                .and_then(|key| key.set(&one))
                .is_ok()
        } else {
            false
        };
        let mut works = Vec::new();
        for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
            for aead in [Aead::Aes128Gcm, Aead::Aes256Gcm, Aead::ChaCha20Poly1305] {
                let (one, _other) = connected()?;
                let both = sending_key(version, aead, 1)
                    .and_then(|key| key.set(&one))
                    .and_then(|()| receiving_key(version, aead))
                    .and_then(|key| key.set(&one));
                if both.is_ok() {
                    works.push((version, aead));
                }
            }
        }
        Ok(Self { works, changes_keys })
    }

    /// Whether it protects the records of `suite`.
    pub fn supports(&self, suite: SupportedCipherSuite) -> bool {
        let version = suite.version().version;
        aead(suite.suite()).is_some_and(|aead| self.works.contains(&(version, aead)))
    }

    /// Whether a TLS 1.3 connection can change its keys: Linux 6.14 and later.
    pub fn changes_keys(&self) -> bool {
        self.changes_keys
    }

    /// `provider` without the suites that this kernel can't do.
    pub fn retain(&self, mut provider: CryptoProvider) -> CryptoProvider {
        provider.cipher_suites.retain(|&suite| self.supports(suite));
        provider
    }

    /// The first suite of `provider` that it can't do.
    pub(super) fn lacks(&self, provider: &CryptoProvider) -> Option<CipherSuite> {
        let lacking = provider.cipher_suites.iter().find(|&&suite| !self.supports(suite));
        lacking.map(SupportedCipherSuite::suite)
    }
}

/// Turns a socket over to the kernel's TLS, which does nothing yet.
pub(super) fn attach<S: std::os::fd::AsFd>(socket: &S) -> Result<(), Unavailable> {
    setup_ulp(socket).map_err(|error| match error {
        Error::Ulp(error) => match error.raw_os_error() {
            Some(nix::libc::ENOENT | nix::libc::ENOPROTOOPT | nix::libc::EOPNOTSUPP) => {
                Unavailable::NoTls
            }
            _ => refused(error),
        },
        error => refused(error),
    })
}

fn refused(error: impl std::fmt::Display) -> Unavailable {
    Unavailable::Refused(error.to_string())
}

/// Two ends of a connection, one of them the kernel's TLS's.
fn connected() -> Result<(TcpStream, TcpStream), Unavailable> {
    let pair = || -> io::Result<_> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let one = TcpStream::connect(listener.local_addr()?)?;
        Ok((one, listener.accept()?.0))
    };
    let (one, other) = pair().map_err(refused)?;
    attach(&one)?;
    Ok((one, other))
}

/// Whether what is written arrives as a record.
fn encrypts(one: &mut TcpStream, other: &mut TcpStream) -> Result<(), Unavailable> {
    let mut send = || -> io::Result<_> {
        let mut received = [0; APPLICATION_DATA.len()];
        one.write_all(b"plaintext")?;
        other.set_read_timeout(Some(Duration::from_secs(1)))?;
        other.read_exact(&mut received)?;
        Ok(received)
    };
    let received = send().map_err(refused)?;
    if received == APPLICATION_DATA { Ok(()) } else { Err(Unavailable::Plaintext) }
}

fn aead(suite: CipherSuite) -> Option<Aead> {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => Some(Aead::Aes128Gcm),
        CipherSuite::TLS13_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => Some(Aead::Aes256Gcm),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => Some(Aead::ChaCha20Poly1305),
        _ => None,
    }
}

/// A key made of `byte`; nothing secret is ever sent with it.
fn secrets(aead: Aead, byte: u8) -> ConnectionTrafficSecrets {
    match aead {
        Aead::Aes128Gcm => ConnectionTrafficSecrets::Aes128Gcm {
            key: AeadKey::new([byte; 16]),
            iv: [byte; 8],
            salt: [byte; 4],
        },
        Aead::Aes256Gcm => ConnectionTrafficSecrets::Aes256Gcm {
            key: AeadKey::new([byte; 32]),
            iv: [byte; 8],
            salt: [byte; 4],
        },
        Aead::ChaCha20Poly1305 => ConnectionTrafficSecrets::Chacha20Poly1305 {
            key: AeadKey::new([byte; 32]),
            iv: [byte; 12],
            salt: [],
        },
    }
}

fn sending_key(version: ProtocolVersion, aead: Aead, byte: u8) -> Result<TlsCryptoInfoTx, Error> {
    TlsCryptoInfoTx::new(version.into(), secrets(aead, byte), 0)
}

fn receiving_key(version: ProtocolVersion, aead: Aead) -> Result<TlsCryptoInfoRx, Error> {
    TlsCryptoInfoRx::new(version.into(), secrets(aead, 1), 0)
}
