//! Signatures as X.509 and TLS write them: `SEQUENCE { r INTEGER, s INTEGER }` in DER.

/// r and s of a P-256 signature, as 32 big-endian bytes each.
///
/// Strict: anything but the one DER encoding of two integers in 0..2^256 is nothing. Whether nothing
/// means invalid is for other code to say: ask the scalar backend.
pub fn parse_signature(der: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (content, rest) = value(der, SEQUENCE)?;
    let (r, after) = value(content, INTEGER)?;
    let (s, end) = value(after, INTEGER)?;
    (rest.is_empty() && end.is_empty()).then_some((unsigned(r)?, unsigned(s)?))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// The content of the value of the type `tag` at the start of `bytes`, and what follows it. Lengths up
/// to 127 are single bytes, and no longer one is needed here.
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match bytes {
        [first, length @ ..=0x7f, rest @ ..] if *first == tag => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}

/// A non-negative INTEGER below 2^256, in as few bytes as can be.
fn unsigned(content: &[u8]) -> Option<[u8; 32]> {
    let magnitude = match content {
        [0] => &[],
        [0, 0x80..=0xff, ..] => &content[1..],
        [0x01..=0x7f, ..] => content,
        _ => return None,
    };
    let mut bytes = [0; 32];
    let unused = bytes.len().checked_sub(magnitude.len())?;
    bytes[unused..].copy_from_slice(magnitude);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(content: &[u8]) -> Vec<u8> {
        [&[INTEGER, content.len() as u8], content].concat()
    }

    fn sequence(content: &[u8]) -> Vec<u8> {
        [&[SEQUENCE, content.len() as u8], content].concat()
    }

    fn last(byte: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[31] = byte;
        bytes
    }

    #[test]
    fn the_one_encoding_is_understood() {
        let full = [&[0], [0xff; 32].as_slice()].concat();
        for (content, number) in [
            ([0].as_slice(), last(0)),
            (&[1], last(1)),
            (&[0x7f], last(0x7f)),
            (&[0, 0x80], last(0x80)),
            (&full, [0xff; 32]),
            (&[0x7f; 32], [0x7f; 32]),
        ] {
            let der = sequence(&[integer(content), integer(&[7])].concat());
            assert_eq!(parse_signature(&der), Some((number, last(7))), "{der:x?}");
            let der = sequence(&[integer(&[7]), integer(content)].concat());
            assert_eq!(parse_signature(&der), Some((last(7), number)), "{der:x?}");
        }
    }

    #[test]
    fn no_other_encoding_is() {
        let good = integer(&[7]);
        for bad in [
            integer(&[]),
            integer(&[0, 7]),
            integer(&[0, 0]),
            integer(&[0x80]),
            integer(&[0xff; 32]),
            integer(&[1; 33]),
            integer(&[&[0, 0], [0xff; 31].as_slice()].concat()),
            integer(&[&[0, 0xff], [0xff; 32].as_slice()].concat()),
            vec![INTEGER, 0x81, 1, 7],
            vec![INTEGER, 2, 7],
            vec![SEQUENCE, 1, 7],
            vec![],
        ] {
            assert_eq!(parse_signature(&sequence(&[bad.clone(), good.clone()].concat())), None);
            assert_eq!(parse_signature(&sequence(&[good.clone(), bad].concat())), None);
        }
        let whole = sequence(&[good.clone(), good.clone()].concat());
        assert_eq!(parse_signature(&[whole.clone(), vec![0]].concat()), None);
        assert_eq!(parse_signature(&sequence(&[good.clone(), good.clone(), good].concat())), None);
        for length in 0..whole.len() {
            assert_eq!(parse_signature(&whole[..length]), None);
        }
        for first in [0, INTEGER, 0x31, 0xb0] {
            assert_eq!(parse_signature(&[&[first], &whole[1..]].concat()), None);
        }
    }
}
