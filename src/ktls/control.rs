//! Messages that are not application data, as the kernel hands them over: piece by piece, several at once.

use super::KtlsError;

/// A longer handshake message is refused; rustls's own bound.
const MAX_HANDSHAKE: usize = 0xffff;

/// KeyUpdate (RFC 8446, section 4.6.3).
pub(super) const KEY_UPDATE: u8 = 24;
/// NewSessionTicket (RFC 8446, section 4.6.1).
pub(super) const NEW_SESSION_TICKET: u8 = 4;
/// HelloRequest (RFC 5246, section 7.4.1.1).
pub(super) const HELLO_REQUEST: u8 = 0;

/// A handshake message without its header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

/// Joins the pieces of handshake messages.
#[derive(Debug, Default)]
pub(super) struct Joiner(Vec<u8>);

impl Joiner {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole message, if it has arrived.
    pub(super) fn next(&mut self) -> Result<Option<Message>, KtlsError> {
        let &[kind, a, b, c, ref rest @ ..] = self.0.as_slice() else { return Ok(None) };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > MAX_HANDSHAKE {
            return Err(KtlsError::PeerMisbehaved("a handshake message of more than 64 KiB"));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = Message { kind, body: body.to_vec() };
        self.0.drain(..4 + length);
        Ok(Some(message))
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a KeyUpdate asks for one in return.
pub(super) fn update_requested(body: &[u8]) -> Result<bool, KtlsError> {
    match body {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(KtlsError::PeerMisbehaved("a malformed KeyUpdate")),
    }
}

/// The KeyUpdate that asks for one in return, or does not.
pub(super) fn key_update(request: bool) -> [u8; 5] {
    [KEY_UPDATE, 0, 0, 1, u8::from(request)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_joined_and_taken_apart() {
        let mut joiner = Joiner::default();
        let stream = [[4, 0, 0, 3, 7, 8, 9].as_slice(), &key_update(true)].concat();
        let mut found = Vec::new();
        for byte in stream {
            joiner.push(&[byte]);
            found.extend(joiner.next().unwrap());
        }
        assert_eq!(found[0], Message { kind: NEW_SESSION_TICKET, body: vec![7, 8, 9] });
        assert_eq!(found[1], Message { kind: KEY_UPDATE, body: vec![1] });
        assert!(update_requested(&found[1].body).unwrap() && joiner.is_empty());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut joiner = Joiner::default();
        joiner.push(&[4, 1, 0, 0]);
        assert!(joiner.next().is_err());
        assert!(update_requested(&[2]).is_err() && update_requested(&[]).is_err());
    }
}
