//! What a verified chain says: who the peer is, and while it is valid. Read on misses only, and no
//! more of it than that, for a peer that is never seen again pays for it.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::{Time, Validity};

/// The longest SPIFFE ID there is, in bytes (SPIFFE-ID, 2.3); it bounds what an entry can hold.
const LONGEST_ID: usize = 2048;

/// A chain as the peer presented it.
#[derive(Clone, Copy)]
pub(super) struct Chain<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
}

impl<'a> Chain<'a> {
    pub(super) fn new(
        end_entity: &'a CertificateDer<'a>,
        intermediates: &'a [CertificateDer<'a>],
    ) -> Self {
        Self { end_entity, intermediates }
    }

    /// Every certificate, the leaf first.
    pub(super) fn certificates(self) -> impl Iterator<Item = &'a [u8]> {
        std::iter::once(self.end_entity).chain(self.intermediates).map(AsRef::as_ref)
    }
}

/// A peer whose chain has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPeer {
    spiffe_id: Option<Arc<str>>,
    generation: u64,
    not_before: UnixTime,
    not_after: UnixTime,
}

impl VerifiedPeer {
    /// The URI in the leaf if it is a SPIFFE ID, that is: if it is the only URI there and begins with
    /// `spiffe://` and a trust domain (X509-SVID, 2).
    pub fn spiffe_id(&self) -> Option<&str> {
        self.spiffe_id.as_deref()
    }

    /// The generation of the verifier that accepted the chain.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The latest `notBefore` of the presented certificates.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The earliest `notAfter` of the presented certificates. Like `notBefore` it is itself within
    /// the validity (RFC 5280, 4.1.2.5).
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Reads an accepted chain; none if a certificate does not parse.
    pub(super) fn read(chain: Chain<'_>, generation: u64) -> Option<Self> {
        let (not_before, not_after) = validity(chain).ok()?;
        let spiffe_id = spiffe_id(chain.end_entity).ok()?;
        Some(Self { spiffe_id, generation, not_before, not_after })
    }

    /// A peer of whom nothing is known but that the chain was accepted at this moment.
    pub(super) fn unread(generation: u64, now: UnixTime) -> Self {
        Self { spiffe_id: None, generation, not_before: now, not_after: now }
    }
}

/// The time in which all certificates of a chain are valid.
pub(super) fn validity(chain: Chain<'_>) -> der::Result<(UnixTime, UnixTime)> {
    let unix = |time: Time| UnixTime::since_unix_epoch(time.to_unix_duration());
    let mut common = (UnixTime::since_unix_epoch(Duration::ZERO), unix(Time::INFINITY));
    for certificate in chain.certificates() {
        let Validity { not_before, not_after, .. } = Parts::read(certificate)?.validity;
        common = (common.0.max(unix(not_before)), common.1.min(unix(not_after)));
    }
    Ok(common)
}

fn spiffe_id(leaf: &[u8]) -> der::Result<Option<Arc<str>>> {
    let Some(extensions) = Parts::read(leaf)?.extensions else { return Ok(None) };
    let extensions = Extensions::from_der(extensions.value())?;
    let mut names = extensions.iter().filter(|found| found.extn_id == SubjectAltName::OID);
    let (Some(names), None) = (names.next(), names.next()) else { return Ok(None) };
    let names = SubjectAltName::from_der(names.extn_value.as_bytes())?;
    let mut uris = names.0.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    });
    let (Some(only), None) = (uris.next(), uris.next()) else { return Ok(None) };
    Ok(is_spiffe_id(only).then(|| only.into()))
}

fn is_spiffe_id(uri: &str) -> bool {
    let path = uri.strip_prefix("spiffe://").unwrap_or_default();
    !path.is_empty() && !path.starts_with('/') && uri.len() <= LONGEST_ID
}

/// What matters here of a certificate (RFC 5280, 4.1); the inner verifier has looked at the rest.
pub(super) struct Parts<'a> {
    validity: Validity,
    /// With the explicit tag around them.
    pub(super) extensions: Option<AnyRef<'a>>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(certificate: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(certificate)?;
        let parts = reader.sequence(|certificate| {
            let parts = certificate.sequence(Self::read_to_be_signed)?;
            // signatureAlgorithm, signature
            skip(certificate, 2)?;
            Ok::<_, der::Error>(parts)
        })?;
        reader.finish()?;
        Ok(parts)
    }

    fn read_to_be_signed(fields: &mut SliceReader<'a>) -> der::Result<Self> {
        const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
        // version
        if Tag::peek(fields)?.is_context_specific() {
            skip(fields, 1)?;
        }
        // serialNumber, signature, issuer
        skip(fields, 3)?;
        let mut parts = Self { validity: fields.decode()?, extensions: None };
        // subject, subjectPublicKeyInfo
        skip(fields, 2)?;
        while !fields.is_finished() {
            let field: AnyRef<'_> = fields.decode()?;
            if field.tag() == EXTENSIONS {
                parts.extensions = Some(field);
            }
        }
        Ok(parts)
    }
}

/// Passes over so many values.
fn skip(reader: &mut SliceReader<'_>, values: usize) -> der::Result<()> {
    (0..values).try_for_each(|_| reader.tlv_bytes().map(drop))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn leaf(uris: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["host.test".to_owned()]).unwrap();
        for uri in uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        certificate(params, 2020, 2030)
    }

    fn certificate(mut params: CertificateParams, from: i32, to: i32) -> CertificateDer<'static> {
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn read(leaf: &CertificateDer<'_>) -> VerifiedPeer {
        VerifiedPeer::read(Chain::new(leaf, &[]), 7).unwrap()
    }

    #[test]
    fn the_only_uri_is_the_identity_if_it_is_a_spiffe_id() {
        assert_eq!(read(&leaf(&["spiffe://td/web"])).spiffe_id(), Some("spiffe://td/web"));
        assert_eq!(read(&leaf(&["spiffe://td"])).spiffe_id(), Some("spiffe://td"));
        let long = format!("spiffe://td/{}", "a".repeat(LONGEST_ID));
        for uris in [
            &[][..],
            &["https://td/web"],
            &["spiffe://"],
            &["spiffe:///web"],
            &[long.as_str()],
            &["spiffe://td/web", "spiffe://td/db"],
            &["spiffe://td/web", "https://td/web"],
        ] {
            assert_eq!(read(&leaf(uris)).spiffe_id(), None, "{uris:?}");
        }
    }

    #[test]
    fn validity_is_what_all_certificates_have_in_common() {
        let issuer = certificate(CertificateParams::default(), 2021, 2035);
        let other = certificate(CertificateParams::default(), 2015, 2025);
        let leaf = leaf(&[]);
        let intermediates = [issuer, other];
        let peer = VerifiedPeer::read(Chain::new(&leaf, &intermediates), 7).unwrap();
        // date -u -d 2021-01-01 +%s; date -u -d 2025-01-01 +%s
        assert_eq!(peer.not_before().as_secs(), 1_609_459_200);
        assert_eq!(peer.not_after().as_secs(), 1_735_689_600);
        assert_eq!(peer.generation(), 7);
    }

    /// RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050.
    #[test]
    fn both_encodings_of_time_are_read() {
        let far = certificate(CertificateParams::default(), 1975, 2150);
        // date -u -d 1975-01-01 +%s; date -u -d 2150-01-01 +%s
        assert_eq!(read(&far).not_before().as_secs(), 157_766_400);
        assert_eq!(read(&far).not_after().as_secs(), 5_680_281_600);
    }

    #[test]
    fn a_chain_with_anything_that_is_no_certificate_is_not_read() {
        let leaf = leaf(&[]);
        let mut longer = leaf.to_vec();
        longer.push(0);
        for junk in [vec![], vec![0x30, 0], longer] {
            let intermediates = [CertificateDer::from(junk)];
            assert_eq!(VerifiedPeer::read(Chain::new(&leaf, &intermediates), 1), None);
            assert_eq!(VerifiedPeer::read(Chain::new(&intermediates[0], &[]), 1), None);
        }
    }
}
