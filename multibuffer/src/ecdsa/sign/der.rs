//! Signatures as DER (RFC 3279, section 2.2.3). They are public.

use super::Signature;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// `SEQUENCE { r INTEGER, s INTEGER }`: at most 2 + 2 (2 + 33) bytes, so all lengths are of one byte.
pub(super) fn signature(signature: &Signature) -> Vec<u8> {
    let mut der = Vec::with_capacity(72);
    der.extend([SEQUENCE, 0]);
    integer(&mut der, &signature.r);
    integer(&mut der, &signature.s);
    der[1] = der.len() as u8 - 2;
    der
}

/// A positive integer: without leading zeros, but for one in front of a set top bit.
fn integer(der: &mut Vec<u8>, bytes: &[u8; 32]) {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count().min(31);
    let digits = &bytes[zeros..];
    let padded = digits[0] >= 0x80;
    der.extend([INTEGER, digits.len() as u8 + u8::from(padded)]);
    der.extend(padded.then_some(0));
    der.extend(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(r: &[u8], s: &[u8], expected: &[u8]) {
        let number = |digits: &[u8]| {
            let mut number = [0; 32];
            number[32 - digits.len()..].copy_from_slice(digits);
            number
        };
        assert_eq!(signature(&Signature { r: number(r), s: number(s) }), expected);
    }

    #[test]
    fn integers_are_as_short_as_they_can_be_and_positive() {
        check(&[1], &[0x7f], &[0x30, 6, 2, 1, 1, 2, 1, 0x7f]);
        check(&[0x80], &[0x01, 0x00], &[0x30, 8, 2, 2, 0, 0x80, 2, 2, 1, 0]);
        let longest = [&[0x30, 70, 2, 33, 0][..], &[0xff; 32], &[2, 33, 0], &[0x80; 32]].concat();
        check(&[0xff; 32], &[0x80; 32], &longest);
    }
}
