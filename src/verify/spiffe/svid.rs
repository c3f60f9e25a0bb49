//! What an X.509-SVID must be, besides being signed by an authority that is trusted: the rules for the leaf.
//!
//! A certificate is judged before its path is built, for its trust domain says from which bundle.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::der::Decode;
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::ext::{Extension, Extensions};

use super::{SpiffeError, SpiffeId};
use crate::verify::peer::{Chain, Parts, validity};

/// id-kp-serverAuth and id-kp-clientAuth (RFC 5280, 4.2.1.12).
const PURPOSES: [(ObjectIdentifier, &str); 2] = [
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"), "serverAuth"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"), "clientAuth"),
];

/// Whose certificate `leaf` is, if it is one that a workload may authenticate with. That it is
/// signed by anybody who is trusted is not looked at.
pub(super) fn identity(leaf: &CertificateDer<'_>) -> Result<SpiffeId, SpiffeError> {
    let extensions = Parts::read(leaf)
        .and_then(|parts| match parts.extensions {
            Some(extensions) => Extensions::from_der(extensions.value()),
            None => Ok(Extensions::new()),
        })
        .map_err(|_| SpiffeError::Malformed { what: "its structure" })?;
    let id = only_uri(&extensions)?;
    if id.path().is_empty() {
        return Err(SpiffeError::RootPath(id));
    }
    check_usage(&extensions)?;
    Ok(id)
}

/// Whose chain this is, and the time in which all its certificates are valid: the latest `notBefore`, the earliest
/// `notAfter`.
pub(crate) fn read(
    chain: &[CertificateDer<'_>],
) -> Result<(SpiffeId, UnixTime, UnixTime), SpiffeError> {
    let malformed = |what| SpiffeError::Malformed { what };
    let (leaf, intermediates) = chain.split_first().ok_or(malformed("there is none"))?;
    let id = identity(leaf)?;
    let (not_before, not_after) =
        validity(Chain::new(leaf, intermediates)).map_err(|_| malformed("its validity"))?;
    Ok((id, not_before, not_after))
}

fn only_uri(extensions: &[Extension]) -> Result<SpiffeId, SpiffeError> {
    let names = extension::<SubjectAltName>(extensions, "subjectAltName")?;
    let names = names.map(|names| names.0).unwrap_or_default();
    let uris: Vec<_> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
            _ => None,
        })
        .collect();
    match uris[..] {
        [only] => SpiffeId::new(only),
        _ => Err(SpiffeError::UriCount { count: uris.len() }),
    }
}

fn check_usage(extensions: &[Extension]) -> Result<(), SpiffeError> {
    let constraints = extension::<BasicConstraints>(extensions, "basicConstraints")?;
    if constraints.is_some_and(|constraints| constraints.ca) {
        return Err(SpiffeError::Authority);
    }
    if let Some(usage) = extension::<KeyUsage>(extensions, "keyUsage")? {
        if usage.key_cert_sign() {
            return Err(SpiffeError::SigningUsage("keyCertSign"));
        }
        if usage.crl_sign() {
            return Err(SpiffeError::SigningUsage("cRLSign"));
        }
    }
    if let Some(purposes) = extension::<ExtendedKeyUsage>(extensions, "extKeyUsage")? {
        let missing = PURPOSES.iter().find(|(purpose, _)| !purposes.0.contains(purpose));
        if let Some((_, name)) = missing {
            return Err(SpiffeError::ExtendedUsage(name));
        }
    }
    Ok(())
}

/// The extension of this kind, which must not be there twice (RFC 5280, 4.2).
fn extension<'a, E: AssociatedOid + Decode<'a>>(
    extensions: &'a [Extension],
    what: &'static str,
) -> Result<Option<E>, SpiffeError> {
    let mut found = extensions.iter().filter(|extension| extension.extn_id == E::OID);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => match E::from_der(only.extn_value.as_bytes()) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(SpiffeError::Malformed { what }),
        },
        (Some(_), Some(_)) => Err(SpiffeError::Malformed { what }),
    }
}
