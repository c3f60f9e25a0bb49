//! The public areas of keys: what a key file's parent is, what keys are made, and which public key they have.

use der::Encode;
use der::asn1::UintRef;
use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::public_key_to_spki;
use tss_esapi::Error;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{
    Digest, EccPoint, EccScheme, KeyDerivationFunctionScheme, KeyedHashScheme, Public,
    PublicEccParameters, PublicKeyRsa, PublicKeyedHashParameters, PublicRsaParameters, RsaExponent,
    RsaScheme, SymmetricDefinitionObject,
};

/// The kinds of key that can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256: the fastest that every TPM has, and without the trouble of RSA-PSS.
    #[default]
    P256,
    /// ECDSA on P-384, which not every TPM has.
    P384,
    /// RSA with 2,048 bits.
    Rsa2048,
}

/// The bytes of a coordinate, and the name of the algorithm in certificates.
pub(super) fn curve(curve: EccCurve) -> Option<(usize, rustls::pki_types::AlgorithmIdentifier)> {
    match curve {
        EccCurve::NistP256 => Some((32, alg_id::ECDSA_P256)),
        EccCurve::NistP384 => Some((48, alg_id::ECDSA_P384)),
        _ => None,
    }
}

/// The storage key of TCG's EK credential profile, H-2 (ECC P-256) or H-1 (RSA-2048), which key files demand whose
/// parent is a hierarchy. Any difference would make another key.
pub(super) fn storage(rsa: bool) -> Result<Public, Error> {
    let object_attributes = base().with_sensitive_data_origin(true).with_fixed_tpm(true);
    let object_attributes = object_attributes
        .with_fixed_parent(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let symmetric = SymmetricDefinitionObject::AES_128_CFB;
    Ok(match rsa {
        false => ecc(object_attributes, symmetric, EccCurve::NistP256, EccPoint::default()),
        true => self::rsa(object_attributes, symmetric, PublicKeyRsa::default()),
    })
}

/// A signing key to be made: in the TPM, never to leave it; with a `policy`, of no use without it.
pub(super) fn signing(kind: KeyType, policy: Option<Digest>) -> Result<Public, Error> {
    let object_attributes = base()
        .with_user_with_auth(policy.is_none())
        .with_sensitive_data_origin(true)
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sign_encrypt(true)
        .build()?;
    let none = SymmetricDefinitionObject::Null;
    let mut public = match kind {
        KeyType::P256 => ecc(object_attributes, none, EccCurve::NistP256, EccPoint::default()),
        KeyType::P384 => ecc(object_attributes, none, EccCurve::NistP384, EccPoint::default()),
        KeyType::Rsa2048 => rsa(object_attributes, none, PublicKeyRsa::default()),
    };
    if let (Some(policy), Public::Ecc { auth_policy, .. } | Public::Rsa { auth_policy, .. }) =
        (policy, &mut public)
    {
        *auth_policy = policy;
    }
    Ok(public)
}

/// A signing key that comes from outside, as its attributes will tell for ever.
pub(super) fn imported(unique: Unique) -> Result<Public, Error> {
    let object_attributes = base().with_sign_encrypt(true).build()?;
    let none = SymmetricDefinitionObject::Null;
    Ok(match unique {
        Unique::Ecc(curve, point) => ecc(object_attributes, none, curve, point),
        Unique::Rsa(modulus) => rsa(object_attributes, none, modulus),
    })
}

/// Data to be sealed; with a `policy`, nothing else opens it.
pub(super) fn sealed(policy: Option<Digest>) -> Result<Public, Error> {
    let object_attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_no_da(true)
        .with_user_with_auth(policy.is_none())
        .build()?;
    Ok(Public::KeyedHash {
        object_attributes,
        name_hashing_algorithm: HashingAlgorithm::Sha256,
        auth_policy: policy.unwrap_or_default(),
        parameters: PublicKeyedHashParameters::new(KeyedHashScheme::Null),
        unique: Digest::default(),
    })
}

/// What identifies a key that was made elsewhere.
pub(super) enum Unique {
    Ecc(EccCurve, EccPoint),
    Rsa(PublicKeyRsa),
}

/// A wrong passphrase must not lock everybody else's keys, so no key counts them (noDA). Sealing keys' is part of
/// the standard.
fn base() -> ObjectAttributesBuilder {
    ObjectAttributesBuilder::new().with_user_with_auth(true).with_no_da(true)
}

fn ecc(
    object_attributes: ObjectAttributes,
    symmetric: SymmetricDefinitionObject,
    curve: EccCurve,
    unique: EccPoint,
) -> Public {
    Public::Ecc {
        object_attributes,
        name_hashing_algorithm: HashingAlgorithm::Sha256,
        auth_policy: Digest::default(),
        parameters: PublicEccParameters::new(
            symmetric,
            EccScheme::Null,
            curve,
            KeyDerivationFunctionScheme::Null,
        ),
        unique,
    }
}

fn rsa(
    object_attributes: ObjectAttributes,
    symmetric: SymmetricDefinitionObject,
    unique: PublicKeyRsa,
) -> Public {
    Public::Rsa {
        object_attributes,
        name_hashing_algorithm: HashingAlgorithm::Sha256,
        auth_policy: Digest::default(),
        parameters: PublicRsaParameters::new(
            symmetric,
            RsaScheme::Null,
            RsaKeyBits::Rsa2048,
            RsaExponent::default(),
        ),
        unique,
    }
}

/// The public key as certificates have it; none for what is no key of TLS.
pub(super) fn public_key(public: &Public) -> Option<SubjectPublicKeyInfoDer<'static>> {
    match public {
        Public::Ecc { parameters, unique, .. } => {
            let (size, algorithm) = curve(parameters.ecc_curve())?;
            let mut point = vec![4];
            point.extend(padded(unique.x().value(), size)?);
            point.extend(padded(unique.y().value(), size)?);
            Some(public_key_to_spki(&algorithm, point))
        }
        Public::Rsa { parameters, unique, .. } => {
            // TPM 2.0 Library, Part 2, 12.2.3.5: an exponent of zero is 2^16 + 1
            let exponent = match parameters.exponent().value() {
                0 => 65537,
                other => other,
            };
            let exponent = exponent.to_be_bytes();
            let key = pair(unique.value(), &exponent).ok()?;
            Some(public_key_to_spki(&alg_id::RSA_ENCRYPTION, key))
        }
        Public::KeyedHash { .. } | Public::SymCipher { .. } => None,
    }
}

/// A number in as many bytes: TPMs may leave out leading zeros.
fn padded(number: &[u8], size: usize) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let significant = &number[zeros..];
    let missing = size.checked_sub(significant.len())?;
    Some([vec![0; missing], significant.to_vec()].concat())
}

/// A SEQUENCE of two INTEGERs of as few bytes as DER demands: an RSA public key, an ECDSA signature (RFC 3279).
pub(super) fn pair(first: &[u8], second: &[u8]) -> der::Result<Vec<u8>> {
    let (first, second) = (UintRef::new(first)?.to_der()?, UintRef::new(second)?.to_der()?);
    let body = [first, second].concat();
    let length = der::Length::try_from(body.len())?;
    let header = der::Header::new(der::Tag::Sequence, length).to_der()?;
    Ok([header, body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_short_as_der_demands() {
        let cases: [(&[u8], &[u8]); 5] = [
            (&[0], &[2, 1, 0]),
            (&[0, 0, 1], &[2, 1, 1]),
            (&[0x7F, 0], &[2, 2, 0x7F, 0]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[0, 0x80], &[2, 2, 0, 0x80]),
        ];
        for (number, encoded) in cases {
            let pair = pair(number, &[1]).unwrap();
            assert_eq!(&pair[2..2 + encoded.len()], encoded);
            assert_eq!(usize::from(pair[1]), pair.len() - 2);
        }
    }

    #[test]
    fn coordinates_are_padded_and_trimmed() {
        assert_eq!(padded(&[1, 2], 4), Some(vec![0, 0, 1, 2]));
        assert_eq!(padded(&[0, 0, 0, 1, 2], 2), Some(vec![1, 2]));
        assert_eq!(padded(&[1, 2, 3], 2), None);
    }
}
