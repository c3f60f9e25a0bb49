//! rustls's own encoding of a server's session, read as far as judging needs it.
//!
//! The encoding is private to rustls and may change with any release; a test makes sessions with real
//! handshakes and reads them. What is not understood to the last byte is not resumed.

use rustls::ProtocolVersion;
use rustls::pki_types::CertificateDer;

/// What there is to judge about a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Session<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) extended_master_secret: bool,
    /// As the client presented it, the leaf first; empty if it presented none.
    pub(super) chain: Vec<CertificateDer<'a>>,
}

impl<'a> Session<'a> {
    /// None if it is not a whole session as rustls 0.23 writes it.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.flag()? {
            reader.vector(1)?; // server name
        }
        let version = ProtocolVersion::from(reader.number(2)? as u16);
        reader.number(2)?; // suite
        reader.vector(1)?; // secret
        let extended_master_secret = reader.flag()?;
        let mut chain = Vec::new();
        if reader.flag()? {
            let mut certificates = Reader(reader.vector(3)?);
            while !certificates.0.is_empty() {
                chain.push(CertificateDer::from(certificates.vector(3)?));
            }
        }
        if reader.flag()? {
            reader.vector(1)?; // ALPN protocol
        }
        reader.vector(2)?; // the application's data
        reader.number(8)?; // time of creation
        reader.number(4)?; // offset of the ticket's age
        reader.0.is_empty().then_some(Self { version, extended_master_secret, chain })
    }
}

/// The presentation language of TLS (RFC 8446, section 3).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (read, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(read)
    }

    fn number(&mut self, length: usize) -> Option<u64> {
        let bytes = self.bytes(length)?;
        Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A vector after its length, which has `length` bytes.
    fn vector(&mut self, length: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(length)?).ok()?;
        self.bytes(length)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.number(1)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = vec![1, 1, b'a', 3, 4, 0x13, 1, 2, 9, 9, 0];
        bytes.extend([1, 0, 0, 9, 0, 0, 2, 7, 8, 0, 0, 1, 6]);
        bytes.extend([1, 2, b'h', b'2', 0, 1, 5]);
        bytes.extend([0; 12]);
        bytes
    }

    #[test]
    fn a_whole_session_is_read() {
        let bytes = sample();
        let session = Session::read(&bytes).expect("a session");
        assert_eq!(session.version, ProtocolVersion::TLSv1_3);
        assert!(!session.extended_master_secret);
        assert_eq!(session.chain, [&[7, 8][..], &[6]].map(CertificateDer::from));
    }

    #[test]
    fn no_part_of_a_session_is_one() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert_eq!(Session::read(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Session::read(&[&bytes[..], &[0]].concat()), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_it_does_not_panic(bytes: Vec<u8>, at in 0..44_usize, value: u8) {
            let _ = Session::read(&bytes);
            let mut changed = sample();
            let at = at % changed.len();
            changed[at] = value;
            let _ = Session::read(&changed);
        }
    }
}
