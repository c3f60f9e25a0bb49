//! Where an operation's bytes go: a TCP connection, or the in-memory sink.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::sources::Sources;
use crate::tls::Carrier;

/// Opens the byte streams that operations run over.
pub(crate) trait Transport: 'static {
    /// One byte stream.
    type Io: Carrier;

    /// Opens a new one.
    fn open(&self) -> impl Future<Output = io::Result<Self::Io>>;
}

/// TCP to the first hop of a path.
pub(crate) struct Tcp(pub(crate) Arc<Sources>);

impl Transport for Tcp {
    type Io = TcpStream;

    async fn open(&self) -> io::Result<TcpStream> {
        self.0.connect().await
    }
}
