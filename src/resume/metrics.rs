//! Why sessions were not resumed, counted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why an offered session was not resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Too short, or of a version that this one does not read: another server's, or no ticket at all.
    Malformed,
    /// Sealed with a key that the ring does not have, or no longer; or not in the store, or no longer.
    Unknown,
    /// Changed on the way, sealed for another scope, or made up.
    Forged,
    /// What is in it is not a session as this version of rustls writes it.
    Unreadable,
    /// There is no client's chain in it.
    NoClientCertificate,
    /// TLS 1.2 without extended master secret (RFC 7627).
    NoExtendedMasterSecret,
    /// It says that it will be made in the future: the clock was set back.
    FromTheFuture,
    /// The client last proved that it holds its key longer ago than allowed.
    LineageTooOld,
    /// A certificate of the chain is not valid at this time.
    OutsideValidity,
    /// The verifier in force rejects the chain.
    Untrusted,
    /// The client may not call, or no longer.
    Unauthorized,
    /// The client offered more sessions in one handshake than are looked at.
    TooManyOffers,
}

impl Refusal {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::Unknown,
        Self::Forged,
        Self::Unreadable,
        Self::NoClientCertificate,
        Self::NoExtendedMasterSecret,
        Self::FromTheFuture,
        Self::LineageTooOld,
        Self::OutsideValidity,
        Self::Untrusted,
        Self::Unauthorized,
        Self::TooManyOffers,
    ];

    /// For the label of a metric: lower case, with underscores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Forged => "forged",
            Self::Unreadable => "unreadable",
            Self::NoClientCertificate => "no_client_certificate",
            Self::NoExtendedMasterSecret => "no_extended_master_secret",
            Self::FromTheFuture => "from_the_future",
            Self::LineageTooOld => "lineage_too_old",
            Self::OutsideValidity => "outside_validity",
            Self::Untrusted => "untrusted",
            Self::Unauthorized => "unauthorized",
            Self::TooManyOffers => "too_many_offers",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of sessions so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumptionMetrics {
    issued: u64,
    accepted: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl ResumptionMetrics {
    /// Tickets or stored sessions that clients were given.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Offered sessions that passed. rustls may still go on to a full handshake, if the client asks for another
    /// server name or suite, for example.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Offered sessions that did not pass, by reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize]
    }

    /// All that did not pass.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.iter().sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    issued: AtomicU64,
    accepted: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Counters {
    pub(super) fn issued(&self) {
        self.issued.fetch_add(1, Relaxed);
    }

    pub(super) fn offered<T>(&self, verdict: Result<T, Refusal>) -> Option<T> {
        match &verdict {
            Ok(_) => &self.accepted,
            Err(refusal) => &self.refused[*refusal as usize],
        }
        .fetch_add(1, Relaxed);
        verdict.ok()
    }

    pub(super) fn sum(&self) -> ResumptionMetrics {
        ResumptionMetrics {
            issued: self.issued.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.each_ref().map(|count| count.load(Relaxed)),
        }
    }
}
