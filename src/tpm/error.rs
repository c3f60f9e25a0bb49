//! What can go wrong with a TPM and its keys: what happened, whose fault it is, what to do.

use std::time::Duration;

/// Why a TPM did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// The address of the TPM makes no sense.
    #[error(
        "`{tcti}` names no TPM; write `device:/dev/tpmrm0`, `tabrmd:` or `swtpm:host=127.0.0.1,port=2321`"
    )]
    Address {
        /// As given.
        tcti: String,
    },

    /// The TPM can't be reached.
    #[error(
        "the TPM at {tcti} can't be reached ({why}); see that it is there, that its resource manager runs, and that \
         this user may use it (group tss)"
    )]
    Unreachable {
        /// Where it should be.
        tcti: String,
        /// What libtss2 says.
        why: String,
    },

    /// A file is no key file.
    #[error("this is no key file of a TPM: {problem}; it is damaged or another kind of file")]
    KeyFile {
        /// What is wrong with it.
        problem: String,
    },

    /// A key file is of another TPM, or its parent was replaced.
    #[error(
        "this TPM can't load the key: the key was made on another TPM, or below another parent than {parent:#010x} is \
         now (a cleared TPM has new ones); make a new key here"
    )]
    Foreign {
        /// The parent that the file names.
        parent: u32,
    },

    /// The parent is not there.
    #[error(
        "the TPM has no key at {handle:#010x}, which is to be the parent or the key; make it with \
         tpm2_evictcontrol, or use a key file whose parent is the owner hierarchy"
    )]
    Absent {
        /// The persistent handle.
        handle: u32,
    },

    /// The parent is another than was pinned.
    #[error(
        "the key's parent has the name {found}, not {pinned} as pinned: the TPM was cleared or exchanged, or somebody \
         sits between it and this machine"
    )]
    OtherParent {
        /// In hexadecimal.
        found: String,
        /// In hexadecimal.
        pinned: String,
    },

    /// The passphrase is wrong or missing.
    #[error("the passphrase is not the key's; give the right one ({code})")]
    Passphrase {
        /// The TPM's response code.
        code: String,
    },

    /// Too many wrong passphrases.
    #[error(
        "the TPM is locked after too many wrong passphrases, be they for other keys; wait as long as \
         `tpm2_getcap properties-variable` says, or reset it with `tpm2_dictionarylockout --clear-lockout`"
    )]
    Lockout,

    /// The hierarchy has a passphrase.
    #[error(
        "the hierarchy {hierarchy:#010x} has a passphrase, without which its storage key can't be made; have its owner \
         make the storage key persistent (tpm2_evictcontrol), and use keys whose parent that is"
    )]
    Hierarchy {
        /// TPM_RH.
        hierarchy: u32,
    },

    /// A policy is not fulfilled.
    #[error("the policy does not hold now: {what}")]
    Policy {
        /// What does not hold.
        what: String,
    },

    /// The key can't do what TLS needs.
    #[error("the key can't be used for TLS: {what}")]
    Unsuited {
        /// What is wrong with it, and what would do.
        what: String,
    },

    /// The TPM makes RSA-PSS signatures that TLS does not accept.
    #[error(
        "this TPM's RSA-PSS signatures have a salt that is not as long as the hash, which TLS 1.3 refuses \
         (RFC 8446, 4.2.3); use an ECDSA P-256 key, or a TPM with FIPS 186 salts"
    )]
    PssSalt,

    /// There is no memory in the TPM.
    #[error(
        "the TPM has no room for another key or session ({code}): others fill it; use its resource manager \
         (`device:/dev/tpmrm0`), or flush what was left behind with `tpm2_flushcontext -t`"
    )]
    Memory {
        /// The TPM's response code.
        code: String,
    },

    /// Too many operations wait already.
    #[error(
        "{capacity} operations wait for the TPM already, more than it makes in time; let clients resume sessions, or use \
         the TPM for an issuing key"
    )]
    Full {
        /// Operations that may wait.
        capacity: usize,
    },

    /// The TPM took too long.
    #[error("the TPM did not get to it within {deadline:?}: too many wait, or it hangs")]
    TimedOut {
        /// How long was waited.
        deadline: Duration,
    },

    /// Waiting would block an event loop.
    #[error(
        "waiting for the TPM here would stop all other tasks of this single-threaded Tokio runtime; make the handshake \
         in a rustls_offload::pool::HandshakePool"
    )]
    WouldBlock,

    /// The handshake was given up.
    #[error("whoever wanted it has gone")]
    GivenUp,

    /// The thread that owns the TPM has ended.
    #[error("this TPM was closed")]
    Closed,

    /// The system gave no thread.
    #[error("no thread for the TPM: {0}; raise the limit of threads")]
    Thread(std::io::Error),

    /// What is to be imported is no key that a TPM takes.
    #[error("the private key can't be imported: {why}")]
    Import {
        /// Why not.
        why: String,
    },

    /// A certificate or the request for one can't be made.
    #[error("the certificate can't be made: {why}")]
    Certificate {
        /// Why not.
        why: String,
    },

    /// Anything else that the TPM refuses.
    #[error("the TPM refuses {command}: {code}; `tpm2_rc_decode` says what that means")]
    Refused {
        /// The command.
        command: &'static str,
        /// Its response code.
        code: String,
    },
}

/// As what a handshake fails with.
impl From<TpmError> for rustls::Error {
    fn from(error: TpmError) -> Self {
        Self::Other(rustls::OtherError(std::sync::Arc::new(error)))
    }
}
