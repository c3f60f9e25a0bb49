//! A TPM, as its owner's thread has it: the connection, what is loaded, and how it is found again.
//!
//! Without a resource manager a TPM has three places for keys, and ours are two at most; the parent has the third
//! while it is needed. Commands go through one HMAC session that is salted by the parent, so passphrases, digests and
//! what is unsealed are no reading for who listens on the bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use tss_esapi::Context;
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle, SessionHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Auth, EncryptedSecret, Private, Public, SymmetricDefinition, SymmetricDefinitionObject,
};
use tss_esapi::tcti_ldr::TctiNameConf;
use zeroize::Zeroizing;

use super::fault::{CREATE_PRIMARY, Fault, Kind, READ_PUBLIC};
use super::{OWNER, PolicyStep, TpmError, policy, template};

/// Keys of ours that stay loaded: one place is left for the parent.
const LOADED: usize = 2;

/// The longest pause before a busy TPM is asked again.
const PAUSE: Duration = Duration::from_millis(64);

/// A TPM that is connected to when it is needed.
pub(super) struct Device {
    pub(super) tcti: TctiNameConf,
    pub(super) name: String,
    /// The name that every parent must have.
    pub(super) pinned: Option<Vec<u8>>,
    pub(super) reopened: Arc<AtomicU64>,
    pub(super) connection: Option<Connection>,
}

pub(super) struct Connection {
    pub(super) context: Context,
    session: Option<AuthSession>,
    /// For what a policy guards; begun with the first such.
    policy: Option<AuthSession>,
    loaded: Vec<Loaded>,
    pinned: Option<Vec<u8>>,
}

struct Loaded {
    id: u64,
    handle: ObjectHandle,
    /// Whether it is to be flushed, not lying in the TPM for good.
    transient: bool,
    /// Whether its passphrase has been seen to be right.
    proven: bool,
}

/// A key, as it is loaded whenever it is not there.
pub(super) struct Spec {
    pub(super) id: u64,
    pub(super) source: Source,
    /// What must hold for each use.
    pub(super) policy: Vec<PolicyStep>,
    pub(super) passphrase: Zeroizing<Vec<u8>>,
}

pub(super) enum Source {
    File {
        parent: u32,
        rsa_parent: bool,
        public: Public,
        private: Private,
        /// Of one that is imported first.
        secret: Option<EncryptedSecret>,
    },
    Persistent(u32),
}

impl Spec {
    /// What errors are about: the parent, or the key where it lies.
    pub(super) fn handle(&self) -> u32 {
        match self.source {
            Source::File { parent, .. } => parent,
            Source::Persistent(handle) => handle,
        }
    }
}

impl Device {
    /// Does `operation`, again if the TPM is busy or was reset meanwhile. `key` is the one that it uses, `handle` what
    /// errors are about.
    pub(super) fn attempt<T>(
        &mut self,
        due: Instant,
        handle: u32,
        key: Option<u64>,
        mut operation: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, TpmError> {
        let mut pause = Duration::from_millis(1);
        let (mut reopened, mut emptied) = (false, false);
        loop {
            let fresh = self.connection.is_none();
            let connection = self.connected()?;
            let fault = match operation(connection) {
                Ok(outcome) => {
                    connection.prove(key);
                    return Ok(outcome);
                }
                Err(fault) => fault,
            };
            let kind = fault.kind();
            // A handle that was reset may be another's key, to which the passphrase is none. One that was
            // never right is not tried twice: it may count.
            let stale = kind == Kind::Stale || kind == Kind::Auth && connection.is_proven(key);
            match kind {
                Kind::Busy if Instant::now() + pause < due => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE);
                }
                Kind::Memory if !emptied => {
                    connection.empty();
                    emptied = true;
                }
                _ if (stale || kind == Kind::Broken) && !fresh && !reopened => {
                    self.connection = None;
                    self.reopened.fetch_add(1, Relaxed);
                    reopened = true;
                }
                _ => {
                    if kind == Kind::Broken {
                        self.connection = None;
                    }
                    return Err(fault.explain(&self.name, handle));
                }
            }
        }
    }

    fn connected(&mut self) -> Result<&mut Connection, TpmError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let context = Context::new(self.tcti.clone()).map_err(|error| {
                    let why = error.to_string();
                    TpmError::Unreachable { tcti: self.name.clone(), why }
                })?;
                let (loaded, pinned) = (Vec::new(), self.pinned.clone());
                Connection { context, session: None, policy: None, loaded, pinned }
            }
        };
        Ok(self.connection.insert(connection))
    }
}

impl Connection {
    /// `command` with our session, its first parameter encrypted on the way there, or its outcome's on the way back.
    pub(super) fn secured<T>(
        &mut self,
        name: &'static str,
        (there, back): (bool, bool),
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, Fault> {
        let session = self.session.ok_or_else(|| Fault::local(name, "no session"))?;
        self.protected(name, session, (there, back), command)
    }

    /// The same with another session.
    pub(super) fn protected<T>(
        &mut self,
        name: &'static str,
        session: AuthSession,
        (there, back): (bool, bool),
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, Fault> {
        // all of them: what is not mentioned stays as it was
        let (attributes, mask) = SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(there)
            .with_encrypt(back)
            .build();
        let set = self.context.tr_sess_set_attributes(session, attributes, mask);
        set.map_err(|error| Fault::new(name, error))?;
        self.context
            .execute_with_session(Some(session), command)
            .map_err(|error| Fault::new(name, error))
    }

    /// Has the key in the TPM, with its passphrase set.
    pub(super) fn load(&mut self, spec: &Spec) -> Result<KeyHandle, Fault> {
        if let Some(loaded) = self.loaded.iter().find(|loaded| loaded.id == spec.id) {
            return Ok(loaded.handle.into());
        }
        let handle: ObjectHandle = match &spec.source {
            Source::Persistent(handle) => {
                self.below(OWNER, false, |_, _| Ok(()))?;
                self.persistent(*handle)?
            }
            Source::File { parent, rsa_parent, public, private, secret } => {
                let key = self.below(*parent, *rsa_parent, |connection, parent| {
                    if !spec.policy.is_empty() {
                        connection.begin_policy(parent)?;
                    }
                    let private = match secret {
                        Some(secret) => connection.import(parent, public, private, secret)?,
                        None => private.clone(),
                    };
                    connection.secured("TPM2_Load", (true, true), |context| {
                        context.load(parent, private, public.clone())
                    })
                })?;
                key.into()
            }
        };
        let transient = matches!(spec.source, Source::File { .. });
        self.loaded.push(Loaded { id: spec.id, handle, transient, proven: false });
        let auth = Auth::try_from(spec.passphrase.to_vec());
        let set = auth.and_then(|auth| self.context.tr_set_auth(handle, auth));
        set.map_err(|error| Fault::new("the passphrase", error))?;
        Ok(handle.into())
    }

    /// Re-encrypts for its parent what was encrypted outside.
    pub(super) fn import(
        &mut self,
        parent: KeyHandle,
        public: &Public,
        duplicate: &Private,
        secret: &EncryptedSecret,
    ) -> Result<Private, Fault> {
        self.secured("TPM2_Import", (false, true), |context| {
            let none = SymmetricDefinitionObject::Null;
            let (public, duplicate, secret) = (public.clone(), duplicate.clone(), secret.clone());
            context.import(parent.into(), None, public, duplicate, secret, none)
        })
    }

    /// Does `work` below a parent, with a session that it has salted.
    pub(super) fn below<T>(
        &mut self,
        parent: u32,
        rsa: bool,
        work: impl FnOnce(&mut Self, KeyHandle) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // with the parent, and what is made or loaded below it, all places are taken
        while self.loaded.len() >= LOADED {
            self.unload(0);
        }
        let transient = parent >> 24 == 0x40;
        let handle = match transient {
            true => self.primary(parent, rsa)?,
            false => self.persistent(parent)?,
        };
        let outcome = self.check(handle).and_then(|()| self.begin_session(handle.into()));
        let outcome = outcome.and_then(|()| work(self, handle.into()));
        let release = |context: &mut Context| match transient {
            true => context.flush_context(handle),
            false => context.tr_close(&mut handle.clone()),
        };
        // what could not be released is with the connection
        let _ = release(&mut self.context);
        outcome
    }

    fn primary(&mut self, hierarchy: u32, rsa: bool) -> Result<ObjectHandle, Fault> {
        let fault = |error| Fault::new(CREATE_PRIMARY, error);
        let hierarchy = match hierarchy & 0xFF_FFFF {
            0x01 => Hierarchy::Owner,
            0x07 => Hierarchy::Null,
            0x0B => Hierarchy::Endorsement,
            0x0C => Hierarchy::Platform,
            _ => return Err(Fault::local(CREATE_PRIMARY, "no such hierarchy as the key's parent")),
        };
        let template = template::storage(rsa).map_err(fault)?;
        let password = Some(AuthSession::Password);
        let made = self.context.execute_with_session(password, |context| {
            context.create_primary(hierarchy, template, None, None, None, None)
        });
        made.map(|made| made.key_handle.into()).map_err(fault)
    }

    fn persistent(&mut self, handle: u32) -> Result<ObjectHandle, Fault> {
        let found = PersistentTpmHandle::new(handle).and_then(|handle| {
            self.context.execute_without_session(|context| {
                context.tr_from_tpm_public(TpmHandle::Persistent(handle))
            })
        });
        found.map_err(|error| Fault::new(READ_PUBLIC, error))
    }

    /// The name of the parent, if one is pinned.
    fn check(&mut self, parent: ObjectHandle) -> Result<(), Fault> {
        let Some(pinned) = self.pinned.clone() else { return Ok(()) };
        let found = self.name(parent)?;
        match found == pinned {
            true => Ok(()),
            false => Err(TpmError::OtherParent { found: hex(&found), pinned: hex(&pinned) }.into()),
        }
    }

    /// An object's name: the hash of its public area, with the algorithm's number before it.
    pub(super) fn name(&mut self, object: ObjectHandle) -> Result<Vec<u8>, Fault> {
        let name = self.context.tr_get_name(object);
        name.map(|name| name.value().to_vec()).map_err(|error| Fault::new(READ_PUBLIC, error))
    }

    /// The public area of an object in the TPM.
    pub(super) fn public(&mut self, key: KeyHandle) -> Result<Public, Fault> {
        let read = self.context.execute_without_session(|context| context.read_public(key));
        read.map(|(public, ..)| public).map_err(|error| Fault::new(READ_PUBLIC, error))
    }

    fn begin_session(&mut self, salt: KeyHandle) -> Result<(), Fault> {
        if self.session.is_none() {
            self.session = self.begin(salt, SessionType::Hmac)?;
        }
        Ok(())
    }

    /// The session for what a policy guards, with a parent at hand.
    pub(super) fn begin_policy(&mut self, salt: KeyHandle) -> Result<(), Fault> {
        if self.policy.is_none() {
            self.policy = self.begin(salt, SessionType::Policy)?;
        }
        Ok(())
    }

    fn begin(&mut self, salt: KeyHandle, kind: SessionType) -> Result<Option<AuthSession>, Fault> {
        let session = self.context.execute_without_session(|context| {
            context.start_auth_session(
                Some(salt),
                None,
                None,
                kind,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        });
        session.map_err(|error| Fault::new("TPM2_StartAuthSession", error))
    }

    /// Goes through `steps`, and does `command` under them.
    pub(super) fn under_policy<T>(
        &mut self,
        name: &'static str,
        steps: &[PolicyStep],
        way: (bool, bool),
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, Fault> {
        let session = self.policy.ok_or_else(|| Fault::local(name, "no policy session"))?;
        let policy = PolicySession::try_from(session).map_err(|error| Fault::new(name, error))?;
        let outcome = policy::run(self, policy, steps)
            .and_then(|()| self.protected(name, session, way, command));
        // a command that succeeds ends what the session has gone through; one that fails does not
        let restart = |context: &mut Context| context.policy_restart(policy);
        if outcome.is_err() && self.context.execute_without_session(restart).is_err() {
            // begun anew with the next that is loaded
            self.empty();
            let _ = self.context.flush_context(SessionHandle::from(session).into());
            self.policy = None;
        }
        outcome
    }

    fn unload(&mut self, place: usize) {
        let mut loaded = self.loaded.remove(place);
        // one that is gone already is as good as flushed
        let _ = match loaded.transient {
            true => self.context.flush_context(loaded.handle),
            false => self.context.tr_close(&mut loaded.handle),
        };
    }

    /// Frees all places.
    fn empty(&mut self) {
        while !self.loaded.is_empty() {
            self.unload(0);
        }
    }

    fn is_proven(&self, key: Option<u64>) -> bool {
        self.loaded.iter().any(|loaded| Some(loaded.id) == key && loaded.proven)
    }

    fn prove(&mut self, key: Option<u64>) {
        let used = self.loaded.iter_mut().find(|loaded| Some(loaded.id) == key);
        used.into_iter().for_each(|loaded| loaded.proven = true);
    }
}

/// In hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
