//! Where records end in a stream of bytes, which decides where the kernel may take over.

/// Length of a record's header (RFC 8446, section 5.1).
const HEADER: usize = 5;

/// Follows the records that arrive.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// How much of the header has arrived.
    have: usize,
    /// How much of the body has not.
    body: usize,
}

impl Records {
    /// Follows bytes as they come from the socket.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.have < HEADER {
                let taken = bytes.len().min(HEADER - self.have);
                self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                self.have += taken;
                bytes = &bytes[taken..];
                if self.have == HEADER {
                    self.body = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                }
            } else {
                let taken = bytes.len().min(self.body);
                self.body -= taken;
                bytes = &bytes[taken..];
            }
            if self.have == HEADER && self.body == 0 {
                self.have = 0;
            }
        }
    }

    /// Whether the last byte was the last of a record.
    pub(super) fn at_boundary(&self) -> bool {
        self.have == 0
    }

    /// How many bytes can be read without touching the record after this one.
    pub(super) fn missing(&self) -> usize {
        if self.have < HEADER { HEADER - self.have } else { self.body }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn boundaries_are_found_however_the_bytes_come(
            lengths in prop::collection::vec(0usize..600, 1..8),
            pieces in prop::collection::vec(1usize..300, 1..40),
        ) {
            let mut stream = Vec::new();
            let mut ends = Vec::new();
            for length in lengths {
                stream.extend([23, 3, 3, (length >> 8) as u8, length as u8]);
                stream.resize(stream.len() + length, 0xff);
                ends.push(stream.len());
            }
            let mut records = Records::default();
            let mut at = 0;
            for piece in pieces.iter().cycle() {
                let end = stream.len().min(at + piece);
                records.feed(&stream[at..end]);
                at = end;
                prop_assert_eq!(records.at_boundary(), ends.contains(&at));
                let next = ends.iter().find(|&&end| end > at).copied().unwrap_or(at + HEADER);
                prop_assert!(records.missing() > 0 && at + records.missing() <= next);
                if at == stream.len() {
                    break;
                }
            }
        }
    }
}
