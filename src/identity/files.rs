//! Credentials in files that something else rotates: cert-manager, Vault Agent, spiffe-helper, a mounted secret.
//!
//! Files are looked at again every so often rather than watched by inotify: what it reports depends on how
//! they are replaced (renamed, written over, behind a symlink that is swapped, on a network file system or
//! through a bind mount), and what it misses is missed for good. A look costs the reading of a few kilobytes.
//!
//! Nothing orders the arrival of chain, key and bundles. So a look reads all files, and what it read counts only if it
//! is whole and the key is the chain's. Otherwise the credentials in force stay, and the next look
//! tries again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{Credentials, IdentityError, Svid, Watch, WorkloadIdentity};
use crate::verify::spiffe::{TrustBundle, TrustDomain};

/// Where the files are. Each is PEM, or DER: then with one certificate or CRL. Chain and key may be the same PEM file.
#[derive(Clone, Debug)]
pub struct FileSource {
    chain: PathBuf,
    key: PathBuf,
    bundles: Vec<BundleFiles>,
}

/// Where a trust domain's bundle is.
#[derive(Clone, Debug)]
struct BundleFiles {
    domain: TrustDomain,
    authorities: PathBuf,
    crls: Option<PathBuf>,
}

/// The contents of all files at a look; the private key among them is wiped when dropped.
#[derive(PartialEq)]
struct Contents {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    bundles: Vec<BundleContents>,
}

#[derive(PartialEq)]
struct BundleContents {
    authorities: Vec<u8>,
    crls: Option<Vec<u8>>,
}

impl FileSource {
    /// The certificate chain, the leaf first, and the leaf's private key (PKCS#8, SEC 1 or PKCS#1).
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { chain: chain.into(), key: key.into(), bundles: Vec::new() }
    }

    /// The authorities of a trust domain.
    pub fn bundle(mut self, domain: TrustDomain, authorities: impl Into<PathBuf>) -> Self {
        let authorities = authorities.into();
        self.bundles.push(BundleFiles { domain, authorities, crls: None });
        self
    }

    /// The authorities of a trust domain, and their CRLs: one for every authority of a peer's path, none expired, or the
    /// peer is refused ([`TrustBundle::with_crls`]).
    pub fn bundle_with_crls(
        mut self,
        domain: TrustDomain,
        authorities: impl Into<PathBuf>,
        crls: impl Into<PathBuf>,
    ) -> Self {
        let (authorities, crls) = (authorities.into(), Some(crls.into()));
        self.bundles.push(BundleFiles { domain, authorities, crls });
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
        let (rotated, provider) = (Arc::clone(&identity), Arc::clone(provider));
        let look = move || self.look(&mut seen, &rotated, &provider);
        Ok((identity, Watch::start("identity-files", period, look)?))
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
            bundles: self
                .bundles
                .iter()
                .map(|files| {
                    let authorities = read(&files.authorities)?;
                    let crls = files.crls.as_ref().map(read).transpose()?;
                    Ok(BundleContents { authorities, crls })
                })
                .collect::<Result<_, IdentityError>>()?,
        })
    }

    fn parse(
        &self,
        contents: &Contents,
        provider: &CryptoProvider,
    ) -> Result<Credentials, IdentityError> {
        let chain = certificates(&contents.chain, &self.chain)?;
        let svid = Svid::new(chain, private_key(&contents.key, &self.key)?, provider)?;
        let bundles = self.bundles.iter().zip(&contents.bundles);
        let bundles = bundles.map(|(files, contents)| files.parse(contents));
        Ok(Credentials { svid, bundles: bundles.collect::<Result<_, IdentityError>>()? })
    }
}

impl BundleFiles {
    fn parse(&self, contents: &BundleContents) -> Result<TrustBundle, IdentityError> {
        let authorities = certificates(&contents.authorities, &self.authorities)?;
        let bundle = TrustBundle::new(self.domain.clone(), authorities);
        match self.crls.as_deref().zip(contents.crls.as_deref()) {
            Some((path, bytes)) => Ok(bundle.with_crls(crls(bytes, path)?)),
            None => Ok(bundle),
        }
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    objects(bytes)
        .ok_or_else(|| IdentityError::Content { path: path.to_owned(), what: "certificate" })
}

fn crls(
    bytes: &[u8],
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, IdentityError> {
    objects(bytes).ok_or_else(|| IdentityError::Content { path: path.to_owned(), what: "CRL" })
}

/// All objects of a kind in PEM, or the one in DER; none if there is none, or one is malformed or empty.
fn objects<T: PemObject + From<Vec<u8>> + AsRef<[u8]>>(bytes: &[u8]) -> Option<Vec<T>> {
    let found = match is_pem(bytes) {
        true => T::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>().ok()?,
        false => vec![T::from(bytes.to_vec())],
    };
    let whole = !found.is_empty() && found.iter().all(|object| !object.as_ref().is_empty());
    whole.then_some(found)
}

fn private_key(bytes: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let key = match is_pem(bytes) {
        true => PrivateKeyDer::from_pem_slice(bytes).ok(),
        false => PrivateKeyDer::try_from(bytes).ok().map(|key| key.clone_key()),
    };
    key.ok_or_else(|| IdentityError::Content { path: path.to_owned(), what: "private key" })
}
