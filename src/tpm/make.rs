//! Where keys come from: made in the TPM, or brought in.

use rustls::pki_types::PrivateKeyDer;
use tss_esapi::structures::{Auth, Private, Public};
use tss_esapi::traits::Marshall;

#[cfg(doc)]
use super::Builder;
use super::fault::Fault;
use super::{
    KeyFile, KeyType, Kind, Passphrase, Pcrs, Tpm, TpmError, policy, template, unreadable, wrap,
};

impl Tpm {
    /// Makes a key that never leaves this TPM, below the [parent](Builder::parent).
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn create(&self, kind: KeyType, passphrase: &Passphrase) -> Result<KeyFile, TpmError> {
        self.create_under(kind, &Pcrs::default(), passphrase)
    }

    /// As [`Self::create`], and the key signs only while `pcrs` are as they are now. Each signature then takes a command
    /// more for each of them. OpenSSL's provider reads no such keys.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn create_under(
        &self,
        kind: KeyType,
        pcrs: &Pcrs,
        passphrase: &Passphrase,
    ) -> Result<KeyFile, TpmError> {
        const CREATE: &str = "TPM2_Create";
        let (parent, pcrs, secret) = (self.0.parent, pcrs.clone(), passphrase.clone());
        let made = self.run(move |device, due| {
            device.attempt(due, parent, None, |connection| {
                connection.below(parent, false, |connection, handle| {
                    let fault = |error| Fault::new(CREATE, error);
                    let (steps, policy) = policy::now(connection, &pcrs, !secret.0.is_empty())?;
                    let template = template::signing(kind, policy).map_err(fault)?;
                    let auth = Auth::try_from(secret.0.to_vec()).map_err(fault)?;
                    let made = connection.secured(CREATE, (true, true), |context| {
                        context.create(handle, template, Some(auth), None, None, None)
                    })?;
                    Ok((steps, made.out_public, made.out_private))
                })
            })
        });
        let (policy, public, private) = made?;
        let file = file(Kind::Loadable, parent, passphrase, &public, &private)?;
        Ok(KeyFile { policy, ..file })
    }

    /// Brings a private key in (PKCS#8, SEC 1 or PKCS#1): ECDSA on P-256 or P-384, or RSA with 2,048 bits. It is
    /// encrypted here for the parent. A TPM can't tell who else still has it, and says so of it for ever.
    ///
    /// # Errors
    /// [`TpmError::Import`] if it is no such key; otherwise [`TpmError`].
    pub fn import(
        &self,
        key: &PrivateKeyDer<'_>,
        passphrase: &Passphrase,
    ) -> Result<KeyFile, TpmError> {
        let provider = crate::default_provider();
        let foreign = wrap::Foreign::new(key, &provider)?;
        let public = foreign.public.clone();
        let (parent, secret) = (self.0.parent, passphrase.clone());
        let private = self.run(move |device, due| {
            device.attempt(due, parent, None, |connection| {
                connection.below(parent, false, |connection, handle| {
                    let storage = connection.public(handle)?;
                    let wrapped = foreign.wrap(&secret.0, &storage, &provider)?;
                    let (duplicate, secret) = (&wrapped.duplicate, &wrapped.secret);
                    connection.import(handle, &foreign.public, duplicate, secret)
                })
            })
        })?;
        file(Kind::Loadable, parent, passphrase, &public, &private)
    }
}

/// What is written for an object that was made.
pub(super) fn file(
    kind: Kind,
    parent: u32,
    passphrase: &Passphrase,
    public: &Public,
    private: &Private,
) -> Result<KeyFile, TpmError> {
    let sized = |bytes: &[u8]| {
        let size = u16::try_from(bytes.len()).map_err(unreadable)?;
        Ok::<_, TpmError>([&size.to_be_bytes(), bytes].concat())
    };
    Ok(KeyFile {
        kind,
        empty_auth: passphrase.0.is_empty(),
        policy: Vec::new(),
        secret: None,
        signed_policies: false,
        description: None,
        rsa_parent: false,
        parent,
        public: sized(&public.marshall().map_err(unreadable)?)?,
        private: sized(private.value())?,
    })
}
