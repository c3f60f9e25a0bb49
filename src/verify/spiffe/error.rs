//! Which rule of SPIFFE a peer, or who configures this side, has broken.

use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::{SpiffeId, TrustDomain};

/// What is wrong with an identity, a certificate or a bundle.
///
/// In a handshake it arrives as `rustls::Error::InvalidCertificate` with [`CertificateError::Other`] around it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeError {
    /// A text is not a SPIFFE ID.
    #[error("`{text}` is not a SPIFFE ID: {why} (SPIFFE-ID, 2)")]
    MalformedId {
        /// The text, shortened if it is long.
        text: String,
        /// The rule broken.
        why: &'static str,
    },

    /// A text is not the name of a trust domain.
    #[error(
        "`{text}` does not name a trust domain: {why} (SPIFFE-ID, 2.1); write for example `example.org`"
    )]
    MalformedDomain {
        /// The text, shortened if it is long.
        text: String,
        /// The rule broken.
        why: &'static str,
    },

    /// The peer's certificate can't be parsed.
    #[error(
        "the peer's certificate can't be parsed: {what}; its issuer must issue well-formed X.509"
    )]
    Malformed {
        /// Which part of it.
        what: &'static str,
    },

    /// The peer's certificate has none or several URIs.
    #[error(
        "the peer's certificate has {count} URI names; an X.509-SVID has exactly one (X509-SVID, 2)"
    )]
    UriCount {
        /// How many.
        count: usize,
    },

    /// The peer's SPIFFE ID has no path, as only signing certificates may.
    #[error("the peer's identity is {0}, a trust domain; a workload's has a path (X509-SVID, 5.2)")]
    RootPath(SpiffeId),

    /// The peer authenticates with the certificate of an authority.
    #[error(
        "the peer's certificate is a CA's (basicConstraints has cA), which must not authenticate (X509-SVID, 5.2)"
    )]
    Authority,

    /// The peer's certificate may sign others.
    #[error(
        "the peer's certificate has the key usage {0}, which a leaf must not have (X509-SVID, 5.2)"
    )]
    SigningUsage(&'static str),

    /// The peer's certificate says what it is for, but not all that an X.509-SVID is for.
    #[error(
        "the peer's certificate has extended key usages, but {0} is not among them (X509-SVID, 4.4)"
    )]
    ExtendedUsage(&'static str),

    /// There is no bundle for the peer's trust domain.
    #[error(
        "no trust bundle for {0}, the peer's trust domain; federate with it to trust its workloads"
    )]
    UnknownTrustDomain(TrustDomain),

    /// The server is another workload than the one to be called.
    #[error("the server is {found}, which is not {expected}")]
    Unexpected {
        /// Who it is.
        found: SpiffeId,
        /// Who was to be called.
        expected: String,
    },

    /// A bundle can't be used.
    #[error("the trust bundle of {domain} can't be used: {why}")]
    Bundle {
        /// Whose bundle.
        domain: TrustDomain,
        /// What is wrong with it.
        why: String,
    },
}

impl SpiffeError {
    pub(super) fn id(text: &str, why: &'static str) -> Self {
        Self::MalformedId { text: shortened(text), why }
    }

    pub(super) fn domain(text: &str, why: &'static str) -> Self {
        Self::MalformedDomain { text: shortened(text), why }
    }
}

impl From<SpiffeError> for rustls::Error {
    fn from(error: SpiffeError) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    }
}

/// As it is displayed, for rustls shows errors that are not its own by `Debug` alone.
impl fmt::Debug for SpiffeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A peer chooses the text, and a log shows it: not much of it, and nothing that a terminal obeys.
fn shortened(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}
