//! The credentials in force, and what in rustls's configurations depends on them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Credentials, IdentityError, Svid};
use crate::verify::spiffe::{
    ExpectedServer, SpiffeClientVerifier, SpiffeServerVerifier, TrustBundle, TrustBundles,
};
use crate::verify::{CachingClientVerifier, CachingServerVerifier};

/// Who this workload is and whom it trusts, now.
///
/// It is the certificate resolver of servers and of clients, and owns the verifiers of both sides.
pub struct WorkloadIdentity {
    provider: Arc<CryptoProvider>,
    svid: ArcSwapOption<Svid>,
    /// How often the SPIFFE ID became another one.
    renamed: AtomicU64,
    of_clients: Arc<CachingClientVerifier>,
    trust: Mutex<Trust>,
}

/// Held while credentials are replaced, by one after the other.
struct Trust {
    bundles: Vec<TrustBundle>,
    compiled: TrustBundles,
    of_servers: Vec<(Weak<CachingServerVerifier>, ExpectedServer)>,
}

impl WorkloadIdentity {
    /// With `credentials` in force.
    ///
    /// # Errors
    /// [`IdentityError::Bundle`], [`IdentityError::Expired`].
    pub fn new(
        provider: &Arc<CryptoProvider>,
        credentials: Credentials,
    ) -> Result<Arc<Self>, IdentityError> {
        let identity = Self::absent(provider);
        identity.replace(credentials)?;
        Ok(identity)
    }

    /// Nobody yet, who trusts nobody: for a source that has still to be reached.
    pub fn absent(provider: &Arc<CryptoProvider>) -> Arc<Self> {
        let compiled = TrustBundles::none(provider);
        let of_clients = SpiffeClientVerifier::new(compiled.clone());
        Arc::new(Self {
            provider: Arc::clone(provider),
            svid: ArcSwapOption::empty(),
            renamed: AtomicU64::new(0),
            of_clients: CachingClientVerifier::new(Arc::new(of_clients)),
            trust: Mutex::new(Trust { bundles: Vec::new(), compiled, of_servers: Vec::new() }),
        })
    }

    /// Puts `credentials` in force, all of them: trust that is not among them ends. Handshakes that begin afterwards
    /// use them alone; verdicts about chains are forgotten only if the bundles are others than before.
    ///
    /// # Errors
    /// [`IdentityError::Bundle`], [`IdentityError::Expired`]. What was in force stays so.
    pub fn replace(&self, credentials: Credentials) -> Result<(), IdentityError> {
        let Credentials { svid, bundles } = credentials;
        if svid.has_expired(UnixTime::now()) {
            return Err(IdentityError::Expired { id: svid.id().clone() });
        }
        let mut trust = self.trust();
        if bundles != trust.bundles {
            let compiled = TrustBundles::new(bundles.iter().cloned(), &self.provider);
            // trust first: who presents a certificate of the new authority may be one's own replica
            self.trusting(&mut trust, bundles, compiled.map_err(IdentityError::Bundle)?);
        }
        self.present(Some(svid));
        Ok(())
    }

    /// Ends the identity, and all trust: what a source owes when it is told that there is none any more.
    pub fn withdraw(&self) {
        let mut trust = self.trust();
        self.present(None);
        self.trusting(&mut trust, Vec::new(), TrustBundles::none(&self.provider));
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trusting(&self, trust: &mut Trust, bundles: Vec<TrustBundle>, compiled: TrustBundles) {
        (trust.bundles, trust.compiled) = (bundles, compiled);
        self.of_clients.replace(Arc::new(SpiffeClientVerifier::new(trust.compiled.clone())));
        trust.replace_verifiers_of_servers();
    }

    fn present(&self, svid: Option<Svid>) {
        let new = svid.map(Arc::new);
        let old = self.svid.swap(new.clone());
        if old.as_deref().map(Svid::id) != new.as_deref().map(Svid::id) {
            self.renamed.fetch_add(1, SeqCst);
        }
    }

    /// The X.509-SVID in force; none if it was withdrawn or has expired.
    pub fn svid(&self) -> Option<Arc<Svid>> {
        self.svid.load_full().filter(|svid| !svid.has_expired(UnixTime::now()))
    }

    /// The verifier of clients, for as long as the process lives. Its generation counts the changes of trust.
    pub fn client_verifier(&self) -> &Arc<CachingClientVerifier> {
        &self.of_clients
    }

    /// A verifier of servers that are `expected`, which follows the changes of trust until it is dropped.
    pub fn server_verifier(&self, expected: ExpectedServer) -> Arc<CachingServerVerifier> {
        let mut trust = self.trust();
        let inner = SpiffeServerVerifier::new(trust.compiled.clone(), expected.clone());
        let verifier = CachingServerVerifier::new(Arc::new(inner));
        trust.of_servers.retain(|(verifier, _)| verifier.strong_count() > 0);
        trust.of_servers.push((Arc::downgrade(&verifier), expected));
        verifier
    }

    /// A number that changes with the SPIFFE ID: sessions made as one workload are not to be resumed as another.
    pub(super) fn renamed(&self) -> u64 {
        self.renamed.load(SeqCst)
    }

    fn presented(&self) -> Option<Arc<CertifiedKey>> {
        self.svid().map(|svid| Arc::clone(svid.certified()))
    }
}

impl Trust {
    fn replace_verifiers_of_servers(&mut self) {
        let compiled = &self.compiled;
        self.of_servers.retain(|(verifier, expected)| {
            let Some(verifier) = verifier.upgrade() else { return false };
            let inner = SpiffeServerVerifier::new(compiled.clone(), expected.clone());
            verifier.replace(Arc::new(inner));
            true
        });
    }
}

impl ResolvesServerCert for WorkloadIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.presented()
    }
}

impl ResolvesClientCert for WorkloadIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.presented()
    }

    fn has_certs(&self) -> bool {
        self.svid().is_some()
    }
}

impl fmt::Debug for WorkloadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkloadIdentity").field(&self.svid.load()).finish()
    }
}
