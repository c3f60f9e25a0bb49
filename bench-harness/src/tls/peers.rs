//! Who the peers of one end were: told apart by certificate, and checked against who may show up.
//!
//! A handshake costs one look-up of a 32-byte fingerprint. What takes parsing is put off until the
//! counts are handed out, between windows.

use std::collections::HashMap;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::Error;
use crate::pki::{self, ExpectedPeer};

/// The end of a certificate, which is the end of its signature: equal for equal certificates only,
/// among those that one issuer made.
type Fingerprint = [u8; 32];

/// Who may show up, ready to be compared with.
pub(super) enum Expected {
    Only(CertificateDer<'static>),
    IssuedUnder { intermediate: CertificateDer<'static>, spiffe_prefix: String },
    Named { spiffe_id: String },
}

impl Expected {
    pub(super) fn new(peer: &ExpectedPeer) -> Result<Self, Error> {
        Ok(match peer {
            ExpectedPeer::Only { leaf_pem, .. } => Self::Only(pki::certificate(leaf_pem)?),
            ExpectedPeer::IssuedUnder { intermediate_pem, spiffe_prefix } => Self::IssuedUnder {
                intermediate: pki::certificate(intermediate_pem)?,
                spiffe_prefix: spiffe_prefix.clone(),
            },
            ExpectedPeer::Named { spiffe_id } => Self::Named { spiffe_id: spiffe_id.clone() },
        })
    }

    /// Whether a verified chain may be a peer's: is its leaf the one, or does it come with the right
    /// intermediate, or can only its leaf's SPIFFE ID tell; in these cases that remains to be checked.
    pub(super) fn fits(&self, chain: &[CertificateDer<'_>]) -> bool {
        match (self, chain) {
            (Self::Only(expected), [leaf, ..]) => leaf == expected,
            (Self::IssuedUnder { intermediate, .. }, [_, issuer]) => issuer == intermediate,
            (Self::Named { .. }, [_, ..]) => true,
            _ => false,
        }
    }

    /// Whether the leaf names who it should, under the issuer that it should.
    fn names(&self, leaf: &CertificateDer<'_>) -> bool {
        match self {
            Self::Only(expected) => leaf == expected,
            Self::IssuedUnder { intermediate, spiffe_prefix } => {
                issued_under(leaf, intermediate, spiffe_prefix).unwrap_or(false)
            }
            Self::Named { spiffe_id } => Certificate::from_der(leaf)
                .ok()
                .and_then(|leaf| only_uri(&leaf))
                .is_some_and(|uri| uri == *spiffe_id),
        }
    }
}

fn issued_under(
    leaf: &CertificateDer<'_>,
    intermediate: &CertificateDer<'_>,
    spiffe_prefix: &str,
) -> Option<bool> {
    let leaf = Certificate::from_der(leaf).ok()?;
    let issuer = Certificate::from_der(intermediate).ok()?;
    let id = only_uri(&leaf)?;
    let issued = leaf.tbs_certificate().issuer() == issuer.tbs_certificate().subject();
    Some(id.starts_with(spiffe_prefix) && issued)
}

/// The URI among its names, if there is exactly one.
fn only_uri(leaf: &Certificate) -> Option<String> {
    let (_, names) = leaf.tbs_certificate().get_extension::<SubjectAltName>().ok()??;
    let uris: Vec<&str> = names.0.iter().filter_map(uri).collect();
    let [id] = uris[..] else { return None };
    Some(id.to_owned())
}

fn uri(name: &GeneralName) -> Option<&str> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    }
}

/// The certificates that fitted.
#[derive(Default)]
pub(super) struct Peers {
    /// In which period each was last seen.
    known: HashMap<Fingerprint, u32>,
    period: u32,
    /// Those first seen in this period.
    unchecked: Vec<CertificateDer<'static>>,
    distinct: u64,
}

/// What was seen in one period.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Distinct certificates.
    pub(super) distinct: u64,
    /// Of these, those that were not seen in an earlier period.
    pub(super) new: u64,
    /// Of the new ones, those that don't name whom they should.
    pub(super) misnamed: u64,
}

impl Peers {
    pub(super) fn see(&mut self, leaf: &CertificateDer<'_>) {
        let Some(fingerprint) = leaf.last_chunk::<32>() else { return };
        let now = self.period;
        match self.known.get_mut(fingerprint) {
            Some(last) if *last == now => return,
            Some(last) => *last = now,
            None => {
                self.known.insert(*fingerprint, now);
                self.unchecked.push(leaf.clone().into_owned());
            }
        }
        self.distinct += 1;
    }

    /// Ends the period.
    pub(super) fn take(&mut self, expected: &Expected) -> Census {
        self.period += 1;
        let new = std::mem::take(&mut self.unchecked);
        let misnamed = new.iter().filter(|leaf| !expected.names(leaf)).count() as u64;
        Census { distinct: std::mem::take(&mut self.distinct), new: new.len() as u64, misnamed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Pki;
    use crate::settings::{Identities, KeyType};

    fn expected(pki: &Pki) -> Expected {
        Expected::new(&pki.server.peer).unwrap()
    }

    #[test]
    fn issued_leaves_are_told_apart_and_counted_by_period() {
        let pki = Pki::generate(KeyType::P256, Identities::Fresh, false).unwrap();
        let all = pki.client_issuer.as_ref().unwrap().issue(0, 5).unwrap();
        let (expected, mut peers) = (expected(&pki), Peers::default());
        for identity in [0, 1, 0, 1, 2] {
            assert!(expected.fits(&all[identity].chain));
            peers.see(&all[identity].chain[0]);
        }
        assert_eq!(peers.take(&expected), Census { distinct: 3, new: 3, misnamed: 0 });
        for identity in [3, 0, 3] {
            peers.see(&all[identity].chain[0]);
        }
        assert_eq!(peers.take(&expected), Census { distinct: 2, new: 1, misnamed: 0 });
        assert_eq!(peers.take(&expected), Census::default());
    }

    #[test]
    fn who_was_not_issued_a_client_identity_is_not_expected() {
        let pki = Pki::generate(KeyType::P256, Identities::Fresh, false).unwrap();
        let other = Pki::generate(KeyType::P256, Identities::Fresh, false).unwrap();
        let stranger = other.client_issuer.unwrap().issue(0, 1).unwrap().remove(0);
        let expected = expected(&pki);
        assert!(!expected.fits(&stranger.chain));
        assert!(!expected.fits(&stranger.chain[..1]));
        let mut peers = Peers::default();
        // Right intermediate, wrong name: the server's own leaf.
        let server = pki.server.chain().unwrap();
        assert!(expected.fits(&server));
        peers.see(&server[0]);
        assert_eq!(peers.take(&expected), Census { distinct: 1, new: 1, misnamed: 1 });
    }

    #[test]
    fn a_workload_is_known_by_its_name_alone() {
        let pki = Pki::generate(KeyType::P256, Identities::default(), false).unwrap();
        let pki = pki.of_workload("spiffe://mtls-bench.test/client");
        let (expected, mut peers) = (expected(&pki), Peers::default());
        for chain in [pki.client.chain().unwrap(), pki.server.chain().unwrap()] {
            assert!(expected.fits(&chain));
            peers.see(&chain[0]);
        }
        assert_eq!(peers.take(&expected), Census { distinct: 2, new: 2, misnamed: 1 });
        assert!(!expected.fits(&[]));
    }

    #[test]
    fn a_single_identity_is_expected_to_the_byte() {
        let pki = Pki::generate(KeyType::P256, Identities::default(), false).unwrap();
        let other = Pki::generate(KeyType::P256, Identities::default(), false).unwrap();
        let expected = expected(&pki);
        assert!(expected.fits(&pki.client.chain().unwrap()));
        assert!(!expected.fits(&pki.server.chain().unwrap()));
        assert!(!expected.fits(&other.client.chain().unwrap()));
    }
}
