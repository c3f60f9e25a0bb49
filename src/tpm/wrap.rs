//! Wraps a private key for the TPM that is to import it: encrypted to the parent's public key, so that it crosses the
//! bus as nothing that could be read (TPM 2.0 Library, Part 1, 23.3: outer wrapping, no inner one).

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit as _};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader};
use hmac::{Hmac, KeyInit, Mac};
use rustls::NamedGroup;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::{
    EccParameter, EccPoint, EncryptedSecret, Private, Public, PublicKeyRsa,
};
use tss_esapi::traits::Marshall;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use super::template::{self, Unique};
use super::{MAX_SEALED, TpmError};

/// TPM_ALG_SHA256, which all names are made with.
const SHA256: [u8; 2] = [0x00, 0x0B];

/// `[0] EXPLICIT` prime256v1 and secp384r1.
const P256_PARAMETERS: [u8; 12] = [0xA0, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
const P384_PARAMETERS: [u8; 9] = [0xA0, 7, 6, 5, 0x2B, 0x81, 4, 0, 34];

/// A private key, taken apart as a TPM wants it.
pub(super) struct Foreign {
    pub(super) public: Public,
    /// TPM_ALG.
    algorithm: u16,
    /// The scalar, or one of the primes.
    secret: Zeroizing<Vec<u8>>,
}

/// A key that only the owner of the parent can read.
pub(super) struct Wrapped {
    pub(super) duplicate: Private,
    pub(super) secret: EncryptedSecret,
}

fn fault(why: impl std::fmt::Display) -> TpmError {
    TpmError::Import { why: why.to_string() }
}

impl Foreign {
    /// # Errors
    /// [`TpmError::Import`] if it is none of the kinds in [`KeyType`](super::KeyType).
    pub(super) fn new(
        key: &PrivateKeyDer<'_>,
        provider: &CryptoProvider,
    ) -> Result<Self, TpmError> {
        let loaded = provider.key_provider.load_private_key(key.clone_key()).map_err(fault)?;
        let spki = loaded.public_key().ok_or_else(|| fault("it has no public key"))?;
        let spki = SubjectPublicKeyInfoRef::try_from(spki.as_ref()).map_err(fault)?;
        let public = spki.subject_public_key.raw_bytes();
        let inner = match key {
            PrivateKeyDer::Pkcs8(pkcs8) => inner(pkcs8.secret_pkcs8_der()).map_err(fault)?,
            other => other.secret_der(),
        };
        match loaded.algorithm() {
            rustls::SignatureAlgorithm::RSA => Self::rsa(inner),
            rustls::SignatureAlgorithm::ECDSA => Self::ecc(inner, public),
            _ => Err(fault("it is neither ECDSA nor RSA, and TPMs have nothing else")),
        }
    }

    fn ecc(key: &[u8], point: &[u8]) -> Result<Self, TpmError> {
        let curve = match point.len() {
            65 => EccCurve::NistP256,
            97 => EccCurve::NistP384,
            _ => return Err(fault("its curve is neither P-256 nor P-384")),
        };
        let scalar = scalar(key).map_err(fault)?;
        let (x, y) = point[1..].split_at(point.len() / 2);
        let coordinate = |bytes: &[u8]| EccParameter::try_from(bytes).map_err(fault);
        let unique = Unique::Ecc(curve, EccPoint::new(coordinate(x)?, coordinate(y)?));
        let public = template::imported(unique).map_err(fault)?;
        Ok(Self { public, algorithm: 0x0023, secret: Zeroizing::new(scalar.to_vec()) })
    }

    fn rsa(key: &[u8]) -> Result<Self, TpmError> {
        let mut reader = SliceReader::new(key).map_err(fault)?;
        let numbers = reader.sequence(|reader| {
            let mut next = || UintRef::decode(reader).map(|number| number.as_bytes());
            let (_version, modulus, exponent, _private, prime) =
                (next()?, next()?, next()?, next()?, next()?);
            reader.drain(reader.remaining_len())?;
            Ok::<_, der::Error>((modulus, exponent, prime))
        });
        let (modulus, exponent, prime) = numbers.map_err(fault)?;
        if modulus.len() != 256 || exponent != [1, 0, 1] {
            return Err(fault("it is RSA, but not of 2,048 bits with exponent 65537"));
        }
        let modulus = PublicKeyRsa::try_from(modulus).map_err(fault)?;
        let public = template::imported(Unique::Rsa(modulus)).map_err(fault)?;
        Ok(Self { public, algorithm: 0x0001, secret: Zeroizing::new(prime.to_vec()) })
    }

    /// Encrypts it for `parent`, a storage key on P-256 with AES-128.
    pub(super) fn wrap(
        &self,
        passphrase: &[u8],
        parent: &Public,
        provider: &CryptoProvider,
    ) -> Result<Wrapped, TpmError> {
        let (seed, secret) = seed(parent, provider)?;
        let public = self.public.marshall().map_err(fault)?;
        let name = [&SHA256[..], &Sha256::digest(public)].concat();
        let key = kdfa(&*seed, b"STORAGE", &name)?;
        let mut sensitive = Zeroizing::new(self.sensitive(passphrase)?);
        encrypt(key[..16].try_into().map_err(fault)?, &mut sensitive);
        let mut mac = hmac(&*kdfa(&*seed, b"INTEGRITY", &[])?)?;
        mac.update(&sensitive);
        mac.update(&name);
        let mac = mac.finalize().into_bytes();
        let duplicate = [sized(&mac)?, sensitive.to_vec()].concat();
        let duplicate = Private::try_from(duplicate).map_err(fault)?;
        Ok(Wrapped { duplicate, secret })
    }

    /// An ECPrivateKey (RFC 5915) as short as it can be: with the public key only if it is on P-256, where there is room
    /// for it in what a TPM seals, and one backend that wants it.
    pub(super) fn to_sec1(&self) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let Public::Ecc { parameters, unique, .. } = &self.public else {
            return Err(fault("an RSA key is too long to be sealed; import it, or use ECDSA"));
        };
        let p256 = parameters.ecc_curve() == EccCurve::NistP256;
        let size: u8 = if p256 { 32 } else { 48 };
        let padding = usize::from(size).saturating_sub(self.secret.len());
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_SEALED));
        body.extend([2, 1, 1, 4, size]);
        body.extend(std::iter::repeat_n(0, padding));
        body.extend(&*self.secret);
        if p256 {
            body.extend(P256_PARAMETERS);
            body.extend([0xA1, 68, 3, 66, 0, 4]);
            body.extend(unique.x().value());
            body.extend(unique.y().value());
        } else {
            body.extend(P384_PARAMETERS);
        }
        let mut key = Zeroizing::new(Vec::with_capacity(MAX_SEALED));
        key.extend([0x30, u8::try_from(body.len()).map_err(fault)?]);
        key.extend(&*body);
        Ok(key)
    }

    /// TPM2B_SENSITIVE.
    fn sensitive(&self, passphrase: &[u8]) -> Result<Vec<u8>, TpmError> {
        let size = 2 + 2 + passphrase.len() + 2 + 2 + self.secret.len();
        // in one allocation: a second would leave secrets behind
        let mut area = Vec::with_capacity(2 + size);
        area.extend(u16::try_from(size).map_err(fault)?.to_be_bytes());
        area.extend(self.algorithm.to_be_bytes());
        area.extend(u16::try_from(passphrase.len()).map_err(fault)?.to_be_bytes());
        area.extend(passphrase);
        area.extend([0, 0]); // no seed: it is no parent
        area.extend(u16::try_from(self.secret.len()).map_err(fault)?.to_be_bytes());
        area.extend(&*self.secret);
        Ok(area)
    }
}

/// The key inside PKCS#8 (RFC 5208).
fn inner(pkcs8: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(pkcs8)?;
    reader.sequence(|reader| {
        let _version = UintRef::decode(reader)?;
        reader.sequence(|algorithm| {
            let _oid: ObjectIdentifier = algorithm.decode()?;
            algorithm.drain(algorithm.remaining_len())
        })?;
        let key = <&OctetStringRef>::decode(reader)?.as_bytes();
        reader.drain(reader.remaining_len())?;
        Ok(key)
    })
}

/// The private scalar of an ECPrivateKey (RFC 5915).
fn scalar(key: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(key)?;
    reader.sequence(|reader| {
        let _version = UintRef::decode(reader)?;
        let scalar = <&OctetStringRef>::decode(reader)?.as_bytes();
        while !reader.is_finished() {
            let _other = AnyRef::decode(reader)?;
        }
        Ok(scalar)
    })
}

/// A secret shared with `parent`, and what it needs to know it (Part 1, C.6.1).
fn seed(
    parent: &Public,
    provider: &CryptoProvider,
) -> Result<(Zeroizing<[u8; 32]>, EncryptedSecret), TpmError> {
    let Public::Ecc { parameters, unique, .. } = parent else {
        return Err(fault("the parent is no ECC key; use one on P-256"));
    };
    let peer = template::public_key(parent);
    let peer = peer.filter(|_| parameters.ecc_curve() == EccCurve::NistP256);
    let peer = peer.ok_or_else(|| fault("the parent is not on P-256; use one that is"))?;
    let spki = SubjectPublicKeyInfoRef::try_from(peer.as_ref()).map_err(fault)?;
    let groups = provider.kx_groups.iter();
    let group = groups.into_iter().find(|group| group.name() == NamedGroup::secp256r1);
    let group = group.ok_or_else(|| fault("the provider has no P-256 key exchange"))?;
    let agreed = group.start_and_complete(spki.subject_public_key.raw_bytes()).map_err(fault)?;
    let (x, y) = match &agreed.pub_key[..] {
        [4, point @ ..] if point.len() == 64 => point.split_at(32),
        _ => return Err(fault("the provider's P-256 key exchange is unusable")),
    };
    let mut hash = Sha256::new();
    for part in [&[0, 0, 0, 1], agreed.secret.secret_bytes(), b"DUPLICATE\0", x, unique.x().value()]
    {
        hash.update(part);
    }
    let point = [sized(x)?, sized(y)?].concat();
    let secret = EncryptedSecret::try_from(point).map_err(fault)?;
    Ok((Zeroizing::new(hash.finalize().into()), secret))
}

/// 256 bits or, to be cut, 128: KDFa (Part 1, 11.4.10.2), where the number of bits is part of the input.
fn kdfa(key: &[u8], label: &[u8], context: &[u8]) -> Result<Zeroizing<[u8; 32]>, TpmError> {
    let bits: u32 = if label == b"STORAGE" { 128 } else { 256 };
    let mut mac = hmac(key)?;
    for part in [&1_u32.to_be_bytes(), label, &[0], context, &bits.to_be_bytes()] {
        mac.update(part);
    }
    Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
}

fn hmac(key: &[u8]) -> Result<Hmac<Sha256>, TpmError> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(fault)
}

/// AES-128-CFB with an IV of zeros, in place: each key is used once.
fn encrypt(key: &[u8; 16], data: &mut [u8]) {
    let cipher = Aes128::new(key.into());
    let mut block = [0; 16];
    for chunk in data.chunks_mut(16) {
        cipher.encrypt_block((&mut block).into());
        for (byte, mask) in chunk.iter_mut().zip(&mut block) {
            *byte ^= *mask;
            *mask = *byte;
        }
    }
}

/// A TPM2B.
fn sized(bytes: &[u8]) -> Result<Vec<u8>, TpmError> {
    let size = u16::try_from(bytes.len()).map_err(fault)?;
    Ok([&size.to_be_bytes(), bytes].concat())
}
