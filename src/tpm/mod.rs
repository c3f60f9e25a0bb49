//! Keys in a TPM 2.0: made there, never outside, and used by rustls on both sides.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let chain: Vec<rustls::pki_types::CertificateDer<'static>> = Vec::new();
//! use rustls::sign::{CertifiedKey, SingleCertAndKey};
//! use rustls_offload::tpm::{KeyFile, KeyType, Passphrase, Tpm};
//!
//! let tpm = Tpm::open("device:/dev/tpmrm0")?;
//! // once; the file is of use to this TPM alone
//! let file = tpm.create(KeyType::P256, &Passphrase::none())?;
//! std::fs::write("service.tpm", file.to_pem()?)?;
//! // from then on
//! let file = KeyFile::from_pem(&std::fs::read("service.tpm")?)?;
//! let key = tpm.key(&file, &Passphrase::none())?;
//! let resolver = SingleCertAndKey::from(CertifiedKey::new(chain, key));
//! // with_cert_resolver(..) of a server, with_client_cert_resolver(..) of a client
//! # Ok(()) }
//! ```
//!
//! # Three ways
//! | way | the TPM works | who takes over the process has | who copies the disk has |
//! |---|---|---|---|
//! | rooted: `TpmAuthority` in [`identity`](crate::identity) | once an hour | a key that is valid for what is left of the hour | nothing |
//! | sealed: [`Tpm::unseal_key`] | once, at the start | the key | nothing, nor on another machine, or after another boot |
//! | resident: [`Tpm::key`] | for every full handshake | the use of the key, for as long as they stay | nothing |
//!
//! **Rooted** is what we recommend: handshakes are as fast as with keys in software, and what leaks is soon worthless.
//! It takes an authority for the machine; with one certificate that somebody else issued, sealed or resident is what is
//! left. Resident where the key must not be in memory, and handshakes are few or resumed.
//!
//! # What to expect
//! A TPM makes one signature after the other: a discrete one 5 to 60 a second, the one of a virtual machine perhaps
//! a thousand. A full handshake costs one on each side that has its key there; a resumed one costs none, so
//! [resumption](crate::resume) is what such a service lives by.
//!
//! # Where signatures wait
//! rustls asks for a signature by a call that returns it. Each goes into the queue of the one thread that owns the
//! TPM, bounded by [`Builder::capacity`], first come, first served, and fails at [`Builder::deadline`], with that
//! handshake and no other. Meanwhile:
//!
//! | the call comes from | what waits |
//! |---|---|
//! | a handshake in a pool (`crate::pool`) | that handshake; its thread and the runtime go on |
//! | a thread without a Tokio runtime | the thread |
//! | a worker of a multi-threaded Tokio runtime | the worker, after its tasks were handed to another thread (`block_in_place`) |
//! | the thread of a single-threaded Tokio runtime | nothing: [`TpmError::WouldBlock`], for nobody else could run |
//!
//! Hundreds of waiting handshakes want a pool: a thread for each is what the third row comes to. In a
//! `LocalSet` on a multi-threaded runtime, `block_in_place` panics.
//!
//! # What is guaranteed
//! - Passphrases and what is unsealed cross the bus encrypted, in a session that is salted with the parent's public
//!   key. Somebody who *replaces* that key on the way is found out if its name is [pinned](Builder::pin_parent).
//! - At most two keys, one parent and two sessions are in the TPM at a time, and all are gone after [`Tpm::close`].
//! - A TPM that says it is busy is asked again until the deadline. After a reset, or when its resource manager
//!   was restarted, everything is loaded anew, and the operation that noticed is done once more.
//! - libtss2 writes what goes wrong to the standard error, without secrets; `TSS2_LOG=all+none` silences it.
//!
//! | file | holds |
//! |---|---|
//! | `keyfile` | the format of key files |
//! | `owner`, `reply` | the queue, the threads, and how an outcome is waited for |
//! | `device`, `fault` | the connection, what is loaded, and what a response code means |
//! | `make`, `template`, `wrap` | how keys are made, of which kinds, and how one from outside is brought in |
//! | `key` | rustls's side |
//! | `request` | certificates that they sign, and requests for their own |
//! | `sealed`, `policy` | secrets that leave the TPM again, and when |

mod builder;
mod device;
mod error;
mod fault;
mod key;
mod keyfile;
mod make;
mod owner;
mod policy;
mod reply;
mod request;
mod sealed;
mod template;
mod wrap;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use builder::Builder;
use device::{Device, Source, Spec, hex};
pub use error::TpmError;
pub use key::TpmKey;
pub use keyfile::{KeyFile, Kind, LABEL, OWNER, PolicyStep};
use owner::Owner;
pub use policy::Pcrs;
use rustls::pki_types::SubjectPublicKeyInfoDer;
pub use sealed::MAX_SEALED;
pub use template::KeyType;
use tss_esapi::structures::{EncryptedSecret, Private, Public};
use tss_esapi::traits::UnMarshall;
use zeroize::Zeroizing;

/// What a key's user has to know besides its file; wiped when dropped.
#[derive(Clone, Default)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// There is none: whoever has the file and the machine has the key.
    pub fn none() -> Self {
        Self::default()
    }

    /// At most 32 bytes. Keys made here do not count wrong ones, so let it be one that nobody finds by trying.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// A TPM. Clones are the same one; its threads end after the last was dropped.
#[derive(Clone)]
pub struct Tpm(Arc<Inner>);

struct Inner {
    owner: Owner<Device>,
    parent: u32,
    reopened: Arc<AtomicU64>,
    /// For the ids of keys.
    keys: AtomicU64,
}

/// What a TPM did since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Operations that were begun.
    pub operations: u64,
    /// Operations that wait now, the one at work among them.
    pub waiting: usize,
    /// Operations refused, for too many waited.
    pub refused: u64,
    /// Operations that were not done by their deadline.
    pub timed_out: u64,
    /// How often the connection had to be made anew.
    pub reopened: u64,
}

impl Tpm {
    /// With the defaults of [`Builder`].
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open(tcti: &str) -> Result<Self, TpmError> {
        Self::builder(tcti).open()
    }

    /// At `tcti`, libtss2's way to name a TPM: `device:/dev/tpmrm0` (with the kernel's resource manager), `tabrmd:`,
    /// `swtpm:host=127.0.0.1,port=2321`.
    pub fn builder(tcti: &str) -> Builder {
        Builder {
            tcti: tcti.to_owned(),
            capacity: 1024,
            deadline: Duration::from_secs(10),
            parent: OWNER,
            pinned: None,
        }
    }

    /// A key for TLS, from its file. It is loaded, and signs once by each scheme, so that what is wrong is known now.
    ///
    /// # Errors
    /// [`TpmError`]; [`TpmError::Foreign`] if the file is another TPM's.
    pub fn key(&self, file: &KeyFile, passphrase: &Passphrase) -> Result<Arc<TpmKey>, TpmError> {
        if file.kind == Kind::Sealed {
            let what = "the file holds sealed data, not a key; unseal it".to_owned();
            return Err(TpmError::Unsuited { what });
        }
        let (public, private) = parts(file)?;
        let secret = file.secret.as_deref().map(|secret| {
            // marshalled: with its size before it
            let secret = secret.get(2..).unwrap_or_default();
            EncryptedSecret::try_from(secret).map_err(unreadable)
        });
        let source = Source::File {
            parent: file.parent,
            rsa_parent: file.rsa_parent,
            public: public.clone(),
            private,
            secret: secret.transpose()?,
        };
        let spec = Spec { policy: file.policy.clone(), ..self.spec(source, passphrase) };
        TpmKey::probe(self.clone(), spec, &public).map(Arc::new)
    }

    /// A key for TLS that lies in the TPM at a persistent handle (0x81......), the fastest behind a resource manager: no
    /// other has to be loaded again for each signature.
    ///
    /// # Errors
    /// [`TpmError`]; [`TpmError::Absent`] if there is none.
    pub fn persistent_key(
        &self,
        handle: u32,
        passphrase: &Passphrase,
    ) -> Result<Arc<TpmKey>, TpmError> {
        let spec = Arc::new(self.spec(Source::Persistent(handle), passphrase));
        let loaded = Arc::clone(&spec);
        let public = self.run(move |device, due| {
            device.attempt(due, handle, Some(loaded.id), |connection| {
                let key = connection.load(&loaded)?;
                connection.public(key)
            })
        })?;
        let spec = self.spec(Source::Persistent(handle), passphrase);
        TpmKey::probe(self.clone(), spec, &public).map(Arc::new)
    }

    /// The name of the [parent](Builder::parent), in hexadecimal: what to [pin](Builder::pin_parent).
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn parent_name(&self) -> Result<String, TpmError> {
        let parent = self.0.parent;
        self.run(move |device, due| {
            device.attempt(due, parent, None, |connection| {
                connection.below(parent, false, |connection, handle| {
                    connection.name(handle.into()).map(|name| hex(&name))
                })
            })
        })
    }

    /// What happened so far.
    pub fn metrics(&self) -> Metrics {
        let counts = self.0.owner.counts();
        Metrics {
            operations: counts.begun.load(Relaxed),
            waiting: self.0.owner.waiting(),
            refused: counts.full.load(Relaxed),
            timed_out: counts.late.load(Relaxed),
            reopened: self.0.reopened.load(Relaxed),
        }
    }

    /// Ends it: what waits is still done, nothing new is begun, and the TPM is left as it was found. Returns when that
    /// is so, or after a deadline. Blocks the caller.
    pub fn close(&self) {
        self.0.owner.close();
    }

    fn spec(&self, source: Source, passphrase: &Passphrase) -> Spec {
        let id = self.0.keys.fetch_add(1, Relaxed);
        Spec { id, source, policy: Vec::new(), passphrase: passphrase.0.clone() }
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Device, Instant) -> Result<T, TpmError> + Send + 'static,
    ) -> Result<T, TpmError> {
        self.0.owner.run(work)
    }
}

impl fmt::Debug for Tpm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tpm").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

impl KeyFile {
    /// The public key, if it is one for TLS; what is sealed has none.
    ///
    /// # Errors
    /// [`TpmError::KeyFile`].
    pub fn public_key(&self) -> Result<Option<SubjectPublicKeyInfoDer<'static>>, TpmError> {
        parts(self).map(|(public, _)| template::public_key(&public))
    }

    /// Whether it was made in the TPM and can't leave it, as the file says; the TPM checks that when it loads the key.
    ///
    /// # Errors
    /// [`TpmError::KeyFile`].
    pub fn is_native(&self) -> Result<bool, TpmError> {
        let attributes = parts(self)?.0.object_attributes();
        Ok(attributes.fixed_tpm() && attributes.sensitive_data_origin())
    }
}

fn unreadable(error: impl fmt::Display) -> TpmError {
    TpmError::KeyFile { problem: format!("its parts are not a TPM's ({error})") }
}

/// Public and private part of a file, without the sizes before them.
fn parts(file: &KeyFile) -> Result<(Public, Private), TpmError> {
    let public = Public::unmarshall(file.public.get(2..).unwrap_or_default());
    let private = Private::try_from(file.private.get(2..).unwrap_or_default());
    Ok((public.map_err(unreadable)?, private.map_err(unreadable)?))
}
