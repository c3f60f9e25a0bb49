//! Key files, "TSS2 PRIVATE KEY": what openssl, tpm2-tools and GnuTLS read and write too.
//!
//! The format is draft-bottomley-tpm2-keys' (expired, and still what everybody follows). What is written has the
//! five fields that all readers know, and others only where a key can't be used without. What is read may have all
//! fields, and be as some programs write it: TRUE as 1, handles as negative numbers.

use std::fmt;

use der::asn1::{ObjectIdentifier, OctetStringRef, UintRef, Utf8StringRef};
use der::{
    Decode, DecodeValue, Encode, FixedTag, Header, Length, Reader, SliceReader, Tag, TagNumber, pem,
};

use super::TpmError;

/// The label of a key file in PEM.
pub const LABEL: &str = "TSS2 PRIVATE KEY";

/// The owner hierarchy (`TPM_RH_OWNER`): the parent is the standard storage key under it.
pub const OWNER: u32 = 0x4000_0001;

/// More than any TPM's structure is long.
const MAX_FIELD: usize = 4096;

/// What a key file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A key that its parent loads (2.23.133.10.1.3).
    Loadable,
    /// A key that was wrapped outside of the TPM, and is imported each time (2.23.133.10.1.4).
    Importable,
    /// Data, not a key (2.23.133.10.1.5).
    Sealed,
}

impl Kind {
    const ALL: [(Self, ObjectIdentifier); 3] = [
        (Self::Loadable, ObjectIdentifier::new_unwrap("2.23.133.10.1.3")),
        (Self::Importable, ObjectIdentifier::new_unwrap("2.23.133.10.1.4")),
        (Self::Sealed, ObjectIdentifier::new_unwrap("2.23.133.10.1.5")),
    ];

    fn oid(self) -> ObjectIdentifier {
        let [loadable, importable, sealed] = Self::ALL.map(|(_, oid)| oid);
        match self {
            Self::Loadable => loadable,
            Self::Importable => importable,
            Self::Sealed => sealed,
        }
    }
}

/// A command that a policy consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStep {
    /// TPM_CC, 0x17F for TPM2_PolicyPCR.
    pub command: u32,
    /// Its parameters, marshalled.
    pub parameters: Vec<u8>,
}

/// A key file's content. The private part is encrypted by its parent, so this is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// What it holds.
    pub kind: Kind,
    /// Whether it has no passphrase. Some programs write that it may have one where it has none.
    pub empty_auth: bool,
    /// What must hold for it to be used.
    pub policy: Vec<PolicyStep>,
    /// Of an importable key, what its wrapping was encrypted with: TPM2B_ENCRYPTED_SECRET.
    pub secret: Option<Vec<u8>>,
    /// Whether there are signed policies, which this crate does not follow.
    pub signed_policies: bool,
    /// What somebody wrote about it.
    pub description: Option<String>,
    /// Whether the standard storage key is RSA-2048 instead of ECC P-256.
    pub rsa_parent: bool,
    /// The parent: a hierarchy (0x40......) or a persistent key (0x81......).
    pub parent: u32,
    /// TPM2B_PUBLIC.
    pub public: Vec<u8>,
    /// TPM2B_PRIVATE.
    pub private: Vec<u8>,
}

impl KeyFile {
    /// Reads the first key of a PEM file, which may hold other things.
    ///
    /// # Errors
    /// [`TpmError::KeyFile`].
    pub fn from_pem(text: &[u8]) -> Result<Self, TpmError> {
        let begin = format!("-----BEGIN {LABEL}-----");
        let start = text.windows(begin.len()).position(|window| window == begin.as_bytes());
        let text = start.map(|start| &text[start..]);
        let text = text.ok_or_else(|| malformed(format!("it has no `{begin}`")))?;
        // to its own end, for what follows may be a certificate
        let end = format!("-----END {LABEL}-----");
        let stop = text.windows(end.len()).position(|window| window == end.as_bytes());
        let stop = stop.ok_or_else(|| malformed(format!("it has no `{end}`")))? + end.len();
        let (_, der) = pem::decode_vec(&text[..stop])
            .map_err(|error| malformed(format!("it is no valid PEM ({error})")))?;
        Self::from_der(&der)
    }

    /// Reads a key in DER.
    ///
    /// # Errors
    /// [`TpmError::KeyFile`].
    pub fn from_der(der: &[u8]) -> Result<Self, TpmError> {
        let mut reader = SliceReader::new(der).map_err(structure)?;
        let file = reader.sequence(Self::fields).map_err(structure)?;
        reader.finish().map_err(structure)?;
        file.checked()
    }

    fn fields<'a>(reader: &mut impl Reader<'a>) -> der::Result<Self> {
        let oid = ObjectIdentifier::decode(reader)?;
        let kind = Kind::ALL.into_iter().find(|(_, known)| *known == oid);
        let (kind, _) = kind.ok_or_else(|| reader.error(der::ErrorKind::OidUnknown { oid }))?;
        let empty_auth = explicit(reader, 0, LaxBool::decode)?.is_some_and(|LaxBool(is)| is);
        let policy = explicit(reader, 1, steps)?.unwrap_or_default();
        let secret = explicit(reader, 2, octets)?;
        let signed_policies = explicit(reader, 3, Reader::tlv_bytes)?.is_some();
        let description = explicit(reader, 4, Utf8StringRef::decode)?;
        let rsa_parent = explicit(reader, 5, LaxBool::decode)?.is_some_and(|LaxBool(is)| is);
        Ok(Self {
            kind,
            empty_auth,
            policy,
            secret,
            signed_policies,
            description: description.map(|text| text.as_str().to_owned()),
            rsa_parent,
            parent: Handle::decode(reader)?.0,
            public: octets(reader)?,
            private: octets(reader)?,
        })
    }

    /// What the draft demands of the fields together.
    fn checked(self) -> Result<Self, TpmError> {
        let fault = match (self.kind, &self.secret) {
            (Kind::Importable, None) => {
                Some("it is importable, but lacks the secret that this takes")
            }
            (Kind::Loadable, Some(_)) => {
                Some("it is loadable, but has the secret of an importable key")
            }
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(malformed(fault.to_owned()));
        }
        if !matches!(self.parent >> 24, 0x40 | 0x81) {
            let parent = self.parent;
            let fault =
                format!("its parent {parent:#010x} is neither a hierarchy nor a persistent key");
            return Err(malformed(fault));
        }
        for (name, field) in [("public", &self.public), ("private", &self.private)] {
            // TPM2B: two bytes of size, and as many bytes
            let sized = field
                .split_first_chunk()
                .is_some_and(|(size, rest)| usize::from(u16::from_be_bytes(*size)) == rest.len());
            if !sized || field.len() > MAX_FIELD {
                return Err(malformed(format!("its {name} part does not have the size it says")));
            }
        }
        Ok(self)
    }

    /// Writes it in PEM.
    ///
    /// # Errors
    /// [`TpmError::KeyFile`] if a field is longer than DER can say.
    pub fn to_pem(&self) -> Result<String, TpmError> {
        let der = self.to_der()?;
        pem::encode_string(LABEL, pem::LineEnding::LF, &der)
            .map_err(|error| malformed(format!("it can't be written as PEM ({error})")))
    }

    /// Writes it in DER. Signed policies are not written.
    ///
    /// # Errors
    /// As [`Self::to_pem`].
    pub fn to_der(&self) -> Result<Vec<u8>, TpmError> {
        let mut body = Vec::new();
        self.write(&mut body).map_err(structure)?;
        sequence(&body).map_err(structure)
    }

    fn write(&self, body: &mut Vec<u8>) -> der::Result<()> {
        self.kind.oid().encode_to_vec(body)?;
        if self.empty_auth {
            tagged(body, 0, &true.to_der()?)?;
        }
        if !self.policy.is_empty() {
            let mut steps = Vec::new();
            for step in &self.policy {
                let mut fields = Vec::new();
                tagged(&mut fields, 0, &step.command.to_der()?)?;
                tagged(&mut fields, 1, &OctetStringRef::new(&step.parameters)?.to_der()?)?;
                steps.extend(sequence(&fields)?);
            }
            tagged(body, 1, &sequence(&steps)?)?;
        }
        if let Some(secret) = &self.secret {
            tagged(body, 2, &OctetStringRef::new(secret)?.to_der()?)?;
        }
        if let Some(description) = &self.description {
            tagged(body, 4, &Utf8StringRef::new(description)?.to_der()?)?;
        }
        if self.rsa_parent {
            tagged(body, 5, &true.to_der()?)?;
        }
        UintRef::new(&self.parent.to_be_bytes())?.encode_to_vec(body)?;
        OctetStringRef::new(&self.public)?.encode_to_vec(body)?;
        OctetStringRef::new(&self.private)?.encode_to_vec(body)?;
        Ok(())
    }
}

/// An explicitly tagged field, if it is next.
fn explicit<'a, R: Reader<'a>, T>(
    reader: &mut R,
    number: u32,
    read: impl FnOnce(&mut R) -> der::Result<T>,
) -> der::Result<Option<T>> {
    let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(number) };
    if reader.is_finished() || Tag::peek(reader)? != tag {
        return Ok(None);
    }
    let header = Header::decode(reader)?;
    reader.read_nested(header.length(), read).map(Some)
}

fn octets<'a>(reader: &mut impl Reader<'a>) -> der::Result<Vec<u8>> {
    <&OctetStringRef>::decode(reader).map(|octets| octets.as_bytes().to_vec())
}

fn steps<'a>(reader: &mut impl Reader<'a>) -> der::Result<Vec<PolicyStep>> {
    reader.sequence(|reader| {
        let mut steps = Vec::new();
        while !reader.is_finished() {
            steps.push(reader.sequence(|reader| {
                let missing = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
                let command = explicit(reader, 0, Handle::decode)?;
                let parameters = explicit(reader, 1, octets)?;
                match (command, parameters) {
                    (Some(Handle(command)), Some(parameters)) => {
                        Ok(PolicyStep { command, parameters })
                    }
                    _ => Err(reader.error(missing.value_error())),
                }
            })?);
        }
        Ok(steps)
    })
}

fn header(tag: Tag, length: usize) -> der::Result<Vec<u8>> {
    Header::new(tag, Length::try_from(length)?).to_der()
}

fn sequence(body: &[u8]) -> der::Result<Vec<u8>> {
    Ok([header(Tag::Sequence, body.len())?, body.to_vec()].concat())
}

fn tagged(output: &mut Vec<u8>, number: u32, body: &[u8]) -> der::Result<()> {
    let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(number) };
    output.extend(header(tag, body.len())?);
    output.extend(body);
    Ok(())
}

/// A BOOLEAN, TRUE being anything but 0: DER demands 255, and some write 1.
struct LaxBool(bool);

impl FixedTag for LaxBool {
    const TAG: Tag = Tag::Boolean;
}

impl<'a> DecodeValue<'a> for LaxBool {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        match header.length() {
            Length::ONE => Ok(Self(reader.read_byte()? != 0)),
            _ => Err(reader.error(Self::TAG.length_error())),
        }
    }
}

/// 32 bits, of which the first may have been taken for a sign.
struct Handle(u32);

impl FixedTag for Handle {
    const TAG: Tag = Tag::Integer;
}

impl<'a> DecodeValue<'a> for Handle {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        let bytes = reader.read_slice(header.length())?;
        let significant = match bytes {
            [0, rest @ ..] if rest.len() == 4 => rest,
            rest => rest,
        };
        let (&first, 1..=4) = (significant.first().unwrap_or(&0), significant.len()) else {
            return Err(reader.error(Self::TAG.value_error()));
        };
        let sign = if first & 0x80 == 0 { 0 } else { u32::MAX };
        let handle = significant.iter().fold(sign, |value, &byte| value << 8 | u32::from(byte));
        Ok(Self(handle))
    }
}

fn structure(error: der::Error) -> TpmError {
    malformed(format!("its structure is not the one of a TPM key ({error})"))
}

fn malformed(problem: String) -> TpmError {
    TpmError::KeyFile { problem }
}

/// Without the parts, which are long.
impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("kind", &self.kind)
            .field("parent", &format_args!("{:#010x}", self.parent))
            .finish_non_exhaustive()
    }
}
