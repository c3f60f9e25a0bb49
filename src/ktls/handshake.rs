//! The handshake, up to the byte after which the kernel can take over.
//!
//! rustls gives its keys away together with the means to change them only from its unbuffered connections,
//! which leave reading and writing to the caller: here.

use ktls_core::TlsSession;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::CertificateDer;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{
    CipherSuite, CommonState, Error, ExtractedSecrets, HandshakeKind, NamedGroup, ProtocolVersion,
    SupportedCipherSuite,
};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::KtlsError;
use super::records::Records;

/// How much is read at once during the handshake, in bytes.
const CHUNK: usize = 8192;

/// What a handshake came to.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The protocol's version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// Full or resumed.
    pub kind: HandshakeKind,
    /// The key exchange group; TLS 1.2 has none when it resumes.
    pub group: Option<NamedGroup>,
    /// The application's protocol, if one was agreed on.
    pub alpn: Option<Vec<u8>>,
    /// The peer's certificates, its own first; empty if it has shown none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
}

impl Handshake {
    /// What `common` knows, once its handshake is complete.
    pub(super) fn of(common: &CommonState) -> Result<Self, Error> {
        let incomplete = Error::HandshakeNotComplete;
        Ok(Self {
            version: common.protocol_version().ok_or(incomplete.clone())?,
            suite: common.negotiated_cipher_suite().ok_or(incomplete.clone())?.suite(),
            kind: common.handshake_kind().ok_or(incomplete)?,
            group: common.negotiated_key_exchange_group().map(SupportedKxGroup::name),
            alpn: common.alpn_protocol().map(<[u8]>::to_vec),
            peer_certificates: common.peer_certificates().map(<[_]>::to_vec).unwrap_or_default(),
        })
    }
}

/// rustls's part in a connection after the switch.
pub(super) type Session = Box<dyn TlsSession + Send + Sync>;

/// One end of a connection during its handshake.
pub(super) trait Side {
    type Data;

    fn common(&self) -> &CommonState;

    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn into_kernel(self) -> Result<(ExtractedSecrets, Session), Error>;
}

impl Side for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn common(&self) -> &CommonState {
        self
    }

    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn into_kernel(self) -> Result<(ExtractedSecrets, Session), Error> {
        let (secrets, session) = self.dangerous_into_kernel_connection()?;
        Ok((secrets, Box::new(session)))
    }
}

impl Side for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn common(&self) -> &CommonState {
        self
    }

    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn into_kernel(self) -> Result<(ExtractedSecrets, Session), Error> {
        let (secrets, session) = self.dangerous_into_kernel_connection()?;
        Ok((secrets, Box::new(session)))
    }
}

/// A connection at the boundary between two records, with nothing waiting in user space but `received`.
pub(super) struct Complete {
    pub(super) secrets: ExtractedSecrets,
    pub(super) session: Session,
    pub(super) suite: SupportedCipherSuite,
    pub(super) handshake: Handshake,
    /// Application data that came with the handshake.
    pub(super) received: Vec<u8>,
    /// Whether the peer has already said that it will send no more.
    pub(super) peer_closed: bool,
}

impl Complete {
    fn new<S: Side>(side: S, received: Vec<u8>, peer_closed: bool) -> Result<Self, KtlsError> {
        let handshake = Handshake::of(side.common())?;
        let suite = side.common().negotiated_cipher_suite().ok_or(Error::HandshakeNotComplete)?;
        let (secrets, session) = side.into_kernel()?;
        Ok(Self { secrets, session, suite, handshake, received, peer_closed })
    }
}

/// Does the whole handshake.
pub(super) async fn complete<S: Side>(mut side: S, tcp: &TcpStream) -> Result<Complete, KtlsError> {
    let mut wire = Wire { tcp, records: Records::default(), incoming: Vec::new() };
    let mut received = Vec::new();
    let mut peer_closed = false;
    let mut outgoing = Vec::new();
    loop {
        let UnbufferedStatus { mut discard, state } = side.step(&mut wire.incoming);
        let next = match state {
            Ok(ConnectionState::EncodeTlsData(data)) => {
                encode(data, &mut outgoing)?;
                Next::Step
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Next::Send
            }
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    received.extend_from_slice(record.payload);
                    discard += record.discard;
                }
                Next::Step
            }
            Ok(ConnectionState::BlockedHandshake) => Next::Read,
            // a server may send before the client has finished
            Ok(ConnectionState::WriteTraffic(_)) => Next::ReadUnlessComplete,
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                peer_closed = true;
                Next::Step
            }
            Ok(_) => return Err(Error::General("a state that was ruled out".into()).into()),
            Err(error) => {
                send_alert(&mut side, &wire, &mut outgoing).await;
                return Err(error.into());
            }
        };
        wire.incoming.drain(..discard);
        match next {
            Next::Step => {}
            Next::Send => {
                wire.send(&outgoing).await?;
                outgoing.clear();
            }
            Next::Read => wire.read(CHUNK).await?,
            Next::ReadUnlessComplete if side.common().is_handshaking() => wire.read(CHUNK).await?,
            Next::ReadUnlessComplete => {
                if peer_closed || wire.at_boundary() {
                    break;
                }
                // not a byte of the record after it
                wire.read(wire.records.missing()).await?;
            }
        }
    }
    Complete::new(side, received, peer_closed)
}

enum Next {
    Step,
    Send,
    Read,
    ReadUnlessComplete,
}

/// Appends what rustls wants to send.
fn encode<D>(mut data: EncodeTlsData<'_, D>, outgoing: &mut Vec<u8>) -> Result<(), KtlsError> {
    let impossible = |error: EncodeError| KtlsError::Tls(Error::General(error.to_string()));
    let size = match data.encode(&mut []) {
        Ok(size) => size,
        Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
            required_size
        }
        Err(error) => return Err(impossible(error)),
    };
    let start = outgoing.len();
    outgoing.resize(start + size, 0);
    if size > 0 {
        data.encode(&mut outgoing[start..]).map_err(impossible)?;
    }
    Ok(())
}

/// Tells the peer why the handshake failed, if it still listens.
async fn send_alert<S: Side>(side: &mut S, wire: &Wire<'_>, outgoing: &mut Vec<u8>) {
    while let Ok(ConnectionState::EncodeTlsData(data)) = side.step(&mut []).state {
        if encode(data, outgoing).is_err() {
            return;
        }
    }
    // the error that is reported is the handshake's
    let _ = wire.send(outgoing).await;
}

/// The socket, and what was read from it and not yet understood.
struct Wire<'a> {
    tcp: &'a TcpStream,
    records: Records,
    incoming: Vec<u8>,
}

impl Wire<'_> {
    /// Whether all records that have begun have been read and dealt with.
    fn at_boundary(&self) -> bool {
        self.records.at_boundary() && self.incoming.is_empty()
    }

    /// Reads what there is, `most` bytes at most; waits for the first.
    async fn read(&mut self, most: usize) -> Result<(), KtlsError> {
        let start = self.incoming.len();
        self.incoming.resize(start + most, 0);
        let tcp = self.tcp;
        let free = &mut self.incoming[start..];
        let read = tcp.async_io(Interest::READABLE, || tcp.try_read(free)).await;
        let read = read.inspect_err(|_| self.incoming.truncate(start))?;
        self.incoming.truncate(start + read);
        self.records.feed(&self.incoming[start..]);
        if read == 0 {
            return Err(KtlsError::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }

    async fn send(&self, mut bytes: &[u8]) -> Result<(), KtlsError> {
        while !bytes.is_empty() {
            let sent = self.tcp.async_io(Interest::WRITABLE, || self.tcp.try_write(bytes)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }
}
