//! Where an operation's bytes go: a TCP connection, or the in-memory sink.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Opens the byte streams that operations run over.
pub(crate) trait Transport: 'static {
    /// One byte stream.
    type Io: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Opens a new one.
    fn open(&self) -> impl Future<Output = io::Result<Self::Io>>;
}

/// TCP to the first hop of a path, with Nagle's algorithm off.
pub(crate) struct Tcp(pub(crate) SocketAddr);

impl Transport for Tcp {
    type Io = TcpStream;

    async fn open(&self) -> io::Result<TcpStream> {
        let tcp = TcpStream::connect(self.0).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }
}
