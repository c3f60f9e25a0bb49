//! Credentials in files that something else rotates: cert-manager, Vault Agent, spiffe-helper, a mounted secret.
//!
//! Files are looked at again every so often rather than watched by inotify: what it reports depends on how
//! they are replaced (renamed, written over, behind a symlink that is swapped, on a network file system or
//! through a bind mount), and what it misses is missed for good. A look costs the reading of a few kilobytes.
//!
//! Nothing orders the arrival of chain, key and bundles. So a look reads all files, and what it read counts only if it
//! is whole and the key is the chain's. Otherwise the credentials in force stay, and the next look
//! tries again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, fs};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::status::Status;
use super::{Credentials, IdentityError, Svid, WorkloadIdentity};
use crate::verify::spiffe::{TrustBundle, TrustDomain};

/// Where the files are. Each is PEM, or DER: then with one certificate. Chain and key may be the same PEM file.
#[derive(Clone, Debug)]
pub struct FileSource {
    chain: PathBuf,
    key: PathBuf,
    bundles: Vec<(TrustDomain, PathBuf)>,
}

/// The contents of all files at a look; the private key among them is wiped when dropped.
#[derive(PartialEq)]
struct Contents {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    bundles: Vec<Vec<u8>>,
}

/// Looks at the files until it is dropped.
#[must_use = "nothing is looked at any more once this is dropped"]
pub struct Watch {
    status: Status,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FileSource {
    /// The certificate chain, the leaf first, and the leaf's private key (PKCS#8, SEC 1 or PKCS#1).
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { chain: chain.into(), key: key.into(), bundles: Vec::new() }
    }

    /// The authorities of a trust domain.
    pub fn bundle(mut self, domain: TrustDomain, authorities: impl Into<PathBuf>) -> Self {
        self.bundles.push((domain, authorities.into()));
        self
    }

    /// What the files hold now.
    ///
    /// # Errors
    /// [`IdentityError`], but those of bundles that can't be used.
    pub fn read(&self, provider: &CryptoProvider) -> Result<Credentials, IdentityError> {
        self.parse(&self.contents()?, provider)
    }

    /// What the files hold now, in force from now on, and whatever they come to hold: looked at again every `period`, and
    /// at most every millisecond.
    ///
    /// # Errors
    /// If what they hold now can't be used. Later that is no error: see [`Watch::problem`].
    pub fn watch(
        self,
        provider: &Arc<CryptoProvider>,
        period: Duration,
    ) -> Result<(Arc<WorkloadIdentity>, Watch), IdentityError> {
        let period = period.max(Duration::from_millis(1));
        let mut seen = self.contents()?;
        let identity = WorkloadIdentity::new(provider, self.parse(&seen, provider)?)?;
        let status = Status::default();
        let (stop, stopped) = mpsc::channel();
        let (rotated, told, provider) =
            (Arc::clone(&identity), status.clone(), Arc::clone(provider));
        let look = move || {
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                told.record(self.look(&mut seen, &rotated, &provider));
            }
        };
        let thread = thread::Builder::new().name("identity-files".to_owned());
        let thread = Some(thread.spawn(look).map_err(IdentityError::Thread)?);
        Ok((identity, Watch { status, stop: Some(stop), thread }))
    }

    /// Whether there was something new, now in force; `seen` is what was in force before.
    fn look(
        &self,
        seen: &mut Contents,
        identity: &WorkloadIdentity,
        provider: &CryptoProvider,
    ) -> Result<bool, IdentityError> {
        let contents = self.contents()?;
        if contents == *seen {
            return Ok(false);
        }
        identity.replace(self.parse(&contents, provider)?)?;
        *seen = contents;
        Ok(true)
    }

    fn contents(&self) -> Result<Contents, IdentityError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| IdentityError::File { path: path.clone(), source })
        };
        Ok(Contents {
            chain: read(&self.chain)?,
            key: Zeroizing::new(read(&self.key)?),
            bundles: self.bundles.iter().map(|(_, path)| read(path)).collect::<Result<_, _>>()?,
        })
    }

    fn parse(
        &self,
        contents: &Contents,
        provider: &CryptoProvider,
    ) -> Result<Credentials, IdentityError> {
        let chain = certificates(&contents.chain, &self.chain)?;
        let svid = Svid::new(chain, private_key(&contents.key, &self.key)?, provider)?;
        let bundles = self.bundles.iter().zip(&contents.bundles).map(|((domain, path), bytes)| {
            Ok(TrustBundle::new(domain.clone(), certificates(bytes, path)?))
        });
        Ok(Credentials { svid, bundles: bundles.collect::<Result<_, IdentityError>>()? })
    }
}

impl Watch {
    /// How often new credentials came into force since the first.
    pub fn rotations(&self) -> u64 {
        self.status.rotations()
    }

    /// Why the files could not be used when they were last looked at, if so. The credentials from before are in
    /// force. To be watched: while this lasts, the certificate nears its end.
    pub fn problem(&self) -> Option<Arc<IdentityError>> {
        self.status.problem()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // a panic there has been reported by the thread itself
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.status).finish()
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let absent = || IdentityError::Content { path: path.to_owned(), what: "certificate" };
    let found = match is_pem(bytes) {
        true => CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_malformed| absent())?,
        false => vec![CertificateDer::from(bytes.to_vec())],
    };
    if found.is_empty() || found.iter().any(|certificate| certificate.is_empty()) {
        return Err(absent());
    }
    Ok(found)
}

fn private_key(bytes: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let key = match is_pem(bytes) {
        true => PrivateKeyDer::from_pem_slice(bytes).ok(),
        false => PrivateKeyDer::try_from(bytes).ok().map(|key| key.clone_key()),
    };
    key.ok_or_else(|| IdentityError::Content { path: path.to_owned(), what: "private key" })
}
