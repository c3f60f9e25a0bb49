//! A connection whose records the kernel protects: reading, and what is to be read besides data.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ktls_core::{ExtractedSecrets, Peer, TlsCryptoInfoRx, TlsCryptoInfoTx};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, TlsGetRecordType, recvmsg};
use rustls::{AlertDescription, ProtocolVersion, SupportedCipherSuite};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::KtlsError;
use super::budget::Budget;
use super::control::{self, Joiner, Message};
use super::handshake::{Complete, Handshake, Session};
use super::write::Sending;

/// As many key updates are followed between two records of data; rustls's own bound.
const MAX_KEY_UPDATES: u8 = 32;

/// A connection whose records the kernel protects.
///
/// To be used as `tokio_rustls` streams are: `shutdown` sends
/// `close_notify`; reading ends with 0 bytes at the peer's, and with an error if it just hangs up.
pub struct KernelStream {
    pub(super) tcp: TcpStream,
    pub(super) session: Session,
    pub(super) changes_keys: bool,
    pub(super) sending: Sending,
    handshake: Handshake,
    /// Data that came with the handshake, not yet read.
    received: Vec<u8>,
    reading: Reading,
    messages: Joiner,
    alert: Vec<u8>,
    key_updates: u8,
    /// Space for what the kernel says about a record.
    ancillary: Vec<u8>,
}

/// Whether there is more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    /// The peer has said that it will send no more.
    Ended,
    /// An error has been reported.
    Broken,
}

impl std::fmt::Debug for KernelStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelStream")
            .field("tcp", &self.tcp)
            .field("handshake", &self.handshake)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}

impl KernelStream {
    /// Gives the kernel the keys.
    pub(super) fn new(
        tcp: TcpStream,
        complete: Complete,
        changes_keys: bool,
    ) -> Result<Self, KtlsError> {
        let Complete { secrets, session, suite, handshake, received, peer_closed } = complete;
        let used = secrets.tx.0;
        let secrets = ExtractedSecrets::try_from(secrets).map_err(KtlsError::Switch)?;
        let ((sent, send), (read, receive)) = (secrets.tx, secrets.rx);
        let version = session.protocol_version();
        TlsCryptoInfoTx::new(version, send, sent)
            .and_then(|key| key.set(&tcp))
            .and_then(|()| TlsCryptoInfoRx::new(version, receive, read))
            .and_then(|key| key.set(&tcp))
            .map_err(KtlsError::Switch)?;
        Ok(Self {
            tcp,
            session,
            changes_keys: changes_keys && handshake.version == ProtocolVersion::TLSv1_3,
            sending: Sending::new(Budget::new(limit(suite), used)),
            handshake,
            received,
            reading: if peer_closed { Reading::Ended } else { Reading::Open },
            messages: Joiner::default(),
            alert: Vec::new(),
            key_updates: 0,
            ancillary: nix::cmsg_space!(u8),
        })
    }

    /// What the handshake came to.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The socket, for its addresses and options. What is read from it or written to it directly is lost to
    /// the connection.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Deals with a message that is not data.
    fn control(&mut self, kind: TlsGetRecordType, bytes: &[u8]) -> Result<(), KtlsError> {
        match kind {
            TlsGetRecordType::Alert => {
                self.alert.extend_from_slice(bytes);
                while self.alert.len() >= 2 {
                    let (level, description) = (self.alert[0], self.alert[1]);
                    self.alert.drain(..2);
                    self.alert_received(level, description)?;
                }
                Ok(())
            }
            TlsGetRecordType::Handshake => {
                self.messages.push(bytes);
                loop {
                    match self.messages.next() {
                        Ok(Some(message)) => self.message_received(&message)?,
                        Ok(None) => return Ok(()),
                        Err(error) => {
                            return Err(self.fail(AlertDescription::DecodeError, error));
                        }
                    }
                }
            }
            _ => Err(self.misbehaved("a record of a kind that has no place after the handshake")),
        }
    }

    /// RFC 8446, section 6, and RFC 5246, section 7.2.
    fn alert_received(&mut self, level: u8, description: u8) -> Result<(), KtlsError> {
        const WARNING: u8 = 1;
        let description = AlertDescription::from(description);
        let tls13 = self.handshake.version == ProtocolVersion::TLSv1_3;
        match description {
            AlertDescription::CloseNotify => self.reading = Reading::Ended,
            AlertDescription::UserCanceled if tls13 => {}
            _ if level == WARNING && !tls13 => {}
            _ => {
                self.reading = Reading::Broken;
                self.sending.close();
                return Err(KtlsError::AlertReceived(description));
            }
        }
        Ok(())
    }

    fn message_received(&mut self, message: &Message) -> Result<(), KtlsError> {
        let tls13 = self.handshake.version == ProtocolVersion::TLSv1_3;
        let client = matches!(self.session.peer(), Peer::Client);
        match message.kind {
            control::KEY_UPDATE if tls13 => self.key_update_received(&message.body),
            control::NEW_SESSION_TICKET if tls13 && client => {
                let stored = self.session.handle_new_session_ticket(&message.body);
                stored.map_err(|_| self.misbehaved("a session ticket that rustls refuses"))
            }
            // to renegotiate is declined by going on
            control::HELLO_REQUEST if !tls13 && client && message.body.is_empty() => Ok(()),
            _ => Err(self.misbehaved("a handshake message that has no place after the handshake")),
        }
    }

    /// RFC 8446, section 4.6.3.
    fn key_update_received(&mut self, body: &[u8]) -> Result<(), KtlsError> {
        let requested = control::update_requested(body)
            .map_err(|error| self.fail(AlertDescription::IllegalParameter, error))?;
        if !self.messages.is_empty() {
            return Err(self.misbehaved("a handshake message that spans a change of keys"));
        }
        self.key_updates += 1;
        if self.key_updates > MAX_KEY_UPDATES {
            return Err(self.misbehaved("key updates without data between them"));
        }
        if !self.changes_keys {
            return Err(self.fail(AlertDescription::InternalError, KtlsError::CannotFollow));
        }
        let changed = self.session.update_rx_secret().and_then(|key| key.set(&self.tcp));
        changed.map_err(|error| {
            self.fail(AlertDescription::InternalError, KtlsError::KeyUpdate(error))
        })?;
        if requested {
            self.sending.owe_key_update(false);
            // if there is no room for it now, it goes before the next data; and what else may be wrong
            // with sending is for who sends to hear
            let _ = self.send_key_update();
        }
        Ok(())
    }

    fn misbehaved(&mut self, what: &'static str) -> KtlsError {
        self.fail(AlertDescription::UnexpectedMessage, KtlsError::PeerMisbehaved(what))
    }

    /// Ends the connection by our own decision.
    fn fail(&mut self, alert: AlertDescription, error: KtlsError) -> KtlsError {
        self.reading = Reading::Broken;
        // the kernel keeps an error of its own for the next call, whatever that is
        let _ = self.tcp.take_error();
        self.send_fatal_alert(alert);
        error
    }

    /// What an error of a read means.
    fn read_failed(&mut self, error: io::Error) -> io::Error {
        const BADMSG: i32 = Errno::EBADMSG as i32;
        const MSGSIZE: i32 = Errno::EMSGSIZE as i32;
        const INVAL: i32 = Errno::EINVAL as i32;
        let alert = match error.raw_os_error() {
            Some(BADMSG) => AlertDescription::BadRecordMac,
            Some(MSGSIZE) => AlertDescription::RecordOverflow,
            Some(INVAL) => AlertDescription::DecodeError,
            _ => {
                self.reading = Reading::Broken;
                return error;
            }
        };
        self.fail(alert, KtlsError::BadRecord(error)).into()
    }
}

/// How many records one key of `suite` may protect.
fn limit(suite: SupportedCipherSuite) -> u64 {
    match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.confidentiality_limit,
        SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
    }
}

/// What was read: how much, and of which kind; no kind at the end of the stream.
fn receive(
    tcp: &TcpStream,
    into: &mut [u8],
    ancillary: &mut [u8],
) -> io::Result<(Option<TlsGetRecordType>, usize)> {
    let mut slices = [IoSliceMut::new(into)];
    let message = recvmsg::<()>(tcp.as_raw_fd(), &mut slices, Some(ancillary), MsgFlags::empty())?;
    let kind = message.cmsgs()?.find_map(|said| match said {
        ControlMessageOwned::TlsGetRecordType(kind) => Some(kind),
        _ => None,
    });
    Ok((kind, message.bytes))
}

impl AsyncRead for KernelStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if !this.received.is_empty() {
            let taken = buf.remaining().min(this.received.len());
            buf.put_slice(&this.received[..taken]);
            this.received.drain(..taken);
            return Poll::Ready(Ok(()));
        }
        loop {
            match this.reading {
                Reading::Open => {}
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Broken => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
            ready!(this.tcp.poll_read_ready(cx))?;
            let free = buf.initialize_unfilled();
            // Not the stream's own read: that takes a short read for an empty socket, and waits for more to
            // arrive; here a short read is the end of a record.
            let read = this
                .tcp
                .try_io(Interest::READABLE, || receive(&this.tcp, free, &mut this.ancillary));
            match read {
                Ok((Some(TlsGetRecordType::ApplicationData), read)) => {
                    this.key_updates = 0;
                    if read > 0 {
                        buf.advance(read);
                        return Poll::Ready(Ok(()));
                    }
                }
                Ok((Some(kind), read)) => {
                    let bytes = buf.initialize_unfilled()[..read].to_vec();
                    this.control(kind, &bytes)?;
                }
                Ok((None, 0)) => {
                    this.reading = Reading::Broken;
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the peer closed the connection without sending close_notify",
                    )));
                }
                Ok((None, _)) => {
                    let what = "bytes outside any record";
                    return Poll::Ready(Err(this.misbehaved(what).into()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(this.read_failed(error))),
            }
        }
    }
}
