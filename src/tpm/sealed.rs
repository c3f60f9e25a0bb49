//! Secrets that a TPM gives back only to this machine, and if wanted only in this state: private keys and seeds of
//! ticket keys that live in memory, at the speed of software.
//!
//! Unseal once, at the start. What comes out is wiped when dropped and was never in a file.

use rustls::pki_types::{PrivateKeyDer, PrivateSec1KeyDer};
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::structures::{Auth, SensitiveData};
use zeroize::Zeroizing;

use super::device::Connection;
use super::fault::Fault;
use super::wrap::Foreign;
use super::{KeyFile, Kind, Passphrase, Pcrs, PolicyStep, Tpm, TpmError, make, policy, template};
use crate::resume::Seed;

/// Bytes that a TPM seals at most (MAX_SYM_DATA).
pub const MAX_SEALED: usize = 128;

const SEAL: &str = "TPM2_Create";
const UNSEAL: &str = "TPM2_Unseal";

impl Tpm {
    /// Seals up to [`MAX_SEALED`] bytes below the [parent](super::Builder::parent). They can be unsealed while `pcrs`
    /// are as they are now, and with the passphrase, if there are any.
    ///
    /// # Errors
    /// [`TpmError::Import`] if it is too long, or nothing; otherwise [`TpmError`].
    pub fn seal(
        &self,
        secret: Zeroizing<Vec<u8>>,
        pcrs: &Pcrs,
        passphrase: &Passphrase,
    ) -> Result<KeyFile, TpmError> {
        if !(1..=MAX_SEALED).contains(&secret.len()) {
            let why = format!("{} bytes can't be sealed, but 1 to {MAX_SEALED} can", secret.len());
            return Err(TpmError::Import { why });
        }
        let (parent, pcrs, auth) = (self.0.parent, pcrs.clone(), passphrase.clone());
        let sealed = self.run(move |device, due| {
            device.attempt(due, parent, None, |connection| {
                connection.below(parent, false, |connection, handle| {
                    let fault = |error| Fault::new(SEAL, error);
                    let (steps, policy) = policy::now(connection, &pcrs, !auth.0.is_empty())?;
                    let template = template::sealed(policy).map_err(fault)?;
                    let auth = Auth::try_from(auth.0.to_vec()).map_err(fault)?;
                    let secret = SensitiveData::try_from(secret.to_vec()).map_err(fault)?;
                    let made = connection.secured(SEAL, (true, true), |context| {
                        context.create(handle, template, Some(auth), Some(secret), None, None)
                    })?;
                    Ok((steps, made.out_public, made.out_private))
                })
            })
        });
        let (policy, public, private) = sealed?;
        let file = make::file(Kind::Sealed, parent, passphrase, &public, &private)?;
        Ok(KeyFile { policy, ..file })
    }

    /// What was sealed.
    ///
    /// # Errors
    /// [`TpmError::Policy`] with the PCR that is another now; otherwise [`TpmError`].
    pub fn unseal(
        &self,
        file: &KeyFile,
        passphrase: &Passphrase,
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        if file.kind != Kind::Sealed || file.secret.is_some() {
            let what =
                "the file holds a key, which does not come out; use it where it is".to_owned();
            return Err(TpmError::Unsuited { what });
        }
        let (public, private) = super::parts(file)?;
        let (parent, rsa, steps) = (file.parent, file.rsa_parent, file.policy.clone());
        let passphrase = passphrase.clone();
        self.run(move |device, due| {
            device.attempt(due, parent, None, |connection| {
                connection.below(parent, rsa, |connection, handle| {
                    let object = connection.secured("TPM2_Load", (true, true), |context| {
                        context.load(handle, private.clone(), public.clone())
                    })?;
                    let auth = Auth::try_from(passphrase.0.to_vec());
                    let set =
                        auth.and_then(|auth| connection.context.tr_set_auth(object.into(), auth));
                    let unsealed = set
                        .map_err(|error| Fault::new(UNSEAL, error))
                        .and_then(|()| unseal(connection, handle, object.into(), &steps));
                    // what could not be flushed is with the connection
                    let _ = connection.context.flush_context(object.into());
                    unsealed
                })
            })
        })
    }

    /// Seals a private key in software: ECDSA on P-256 or P-384, for others are too long.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_key(
        &self,
        key: &PrivateKeyDer<'_>,
        pcrs: &Pcrs,
        passphrase: &Passphrase,
    ) -> Result<KeyFile, TpmError> {
        let secret = Foreign::new(key, &crate::default_provider())?.to_sec1()?;
        self.seal(secret, pcrs, passphrase)
    }

    /// A private key that was sealed, for `Svid::new` or rustls.
    ///
    /// # Errors
    /// As [`Self::unseal`]; whoever loads the key says if it is none.
    pub fn unseal_key(
        &self,
        file: &KeyFile,
        passphrase: &Passphrase,
    ) -> Result<Zeroizing<PrivateKeyDer<'static>>, TpmError> {
        let secret = self.unseal(file, passphrase)?;
        Ok(Zeroizing::new(PrivateSec1KeyDer::from(secret.to_vec()).into()))
    }

    /// A seed of ticket keys that was sealed, for [`KeyRing::derived`](crate::resume::KeyRing::derived).
    ///
    /// # Errors
    /// As [`Self::unseal`]; [`TpmError::Unsuited`] if it is not 32 random bytes.
    pub fn unseal_seed(&self, file: &KeyFile, passphrase: &Passphrase) -> Result<Seed, TpmError> {
        let secret = self.unseal(file, passphrase)?;
        let mut seed = Zeroizing::new([0; 32]);
        if secret.len() != seed.len() {
            let what = format!("{} bytes were sealed, and a seed has 32", secret.len());
            return Err(TpmError::Unsuited { what });
        }
        seed.copy_from_slice(&secret);
        Seed::new(seed).map_err(|error| TpmError::Unsuited { what: error.to_string() })
    }
}

fn unseal(
    connection: &mut Connection,
    parent: KeyHandle,
    object: ObjectHandle,
    steps: &[PolicyStep],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let way = (false, true);
    let data = if steps.is_empty() {
        connection.secured(UNSEAL, way, |context| context.unseal(object))?
    } else {
        connection.begin_policy(parent)?;
        connection.under_policy(UNSEAL, steps, way, |context| context.unseal(object))?
    };
    Ok(Zeroizing::new(data.value().to_vec()))
}
