//! Why the kernel does not protect a connection, and how one that it protects can end.

use std::io;

use rustls::CipherSuite;

/// Why records stay in user space. Not an error: the connection works without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No `tls` among the kernel's protocols above TCP.
    #[error(
        "this kernel lacks CONFIG_TLS, or its module is not loaded; `modprobe tls`, or boot a \
         distribution's kernel"
    )]
    NoTls,

    /// The system refuses to try.
    #[error("kernel TLS can't be tried: {0}; look at the sandbox or seccomp profile")]
    Refused(String),

    /// What sandboxes do that imitate Linux.
    #[error(
        "this kernel takes keys and sends plaintext all the same; run outside the sandbox (gVisor: \
         another runtime class)"
    )]
    Plaintext,

    /// A suite that the configuration may negotiate and the kernel can't do.
    #[error(
        "this kernel's TLS lacks {0:?}; load its module (gcm, chacha20poly1305), or leave it out \
         with Kernel::retain"
    )]
    Suite(CipherSuite),

    /// Early data arrives before there is a connection to hand over.
    #[error("the configuration accepts early data, which can't be handed to the kernel")]
    EarlyData,

    /// Only the validated module may protect the records.
    #[error("the configuration is a FIPS one, and the kernel is not part of the validated module")]
    Fips,
}

/// What went wrong in a connection whose records the kernel protects, or on the way to it.
///
/// Reading and writing wrap it in an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KtlsError {
    /// The network's or the peer's doing.
    #[error("the connection broke during the handshake: {0}")]
    Io(#[from] io::Error),

    /// As without kernel TLS.
    #[error("the handshake failed: {0}")]
    Tls(#[from] rustls::Error),

    /// The kernel took the connection and not its keys.
    #[error("the kernel refuses the keys of a connection that it should know how to protect: {0}")]
    Switch(#[source] ktls_core::Error),

    /// The peer's fault, or its opinion of us.
    #[error("the peer ended the connection with a fatal alert: {0:?}")]
    AlertReceived(rustls::AlertDescription),

    /// Damage on the way, or an attack.
    #[error("a record from the peer can't be decrypted: {0}")]
    BadRecord(#[source] io::Error),

    /// The peer's fault.
    #[error("the peer broke the protocol: {0}")]
    PeerMisbehaved(&'static str),

    /// The peer is in its right; this kernel is too old.
    #[error(
        "the peer changed its key, which Linux before 6.14 can't follow; use a newer kernel, or \
         keep these connections out of it"
    )]
    CannotFollow,

    /// This kernel is too old, or the connection is TLS 1.2.
    #[error(
        "the keys of this connection can't be changed: that takes TLS 1.3 and Linux 6.14 or later"
    )]
    CannotChangeKeys,

    /// As many records as the key may protect have been sent, and it can't be changed.
    #[error(
        "the connection was closed before its key protects more records than is safe; make a new \
         one, or use TLS 1.3 and Linux 6.14 or later, where keys are changed instead"
    )]
    KeyExhausted,

    /// The new key could not be made or given to the kernel.
    #[error("the key of the connection can't be changed: {0}")]
    KeyUpdate(#[source] ktls_core::Error),
}

impl From<KtlsError> for io::Error {
    fn from(error: KtlsError) -> Self {
        let kind = match &error {
            KtlsError::Io(inner) => inner.kind(),
            KtlsError::AlertReceived(_) => io::ErrorKind::ConnectionAborted,
            KtlsError::CannotChangeKeys | KtlsError::CannotFollow => io::ErrorKind::Unsupported,
            KtlsError::KeyExhausted => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
