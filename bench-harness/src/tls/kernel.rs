//! Connections whose records the kernel protects.
//!
//! The library falls back to user space; here that is an error, for a figure of the one must never pass for
//! one of the other.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use rustls_offload::ktls::{self, KernelStream, KtlsError, Stream};
use rustls_offload::pool::LocalPool;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;

/// What TLS runs over.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin + Sized + 'static {
    /// The socket, or what is not one; then rustls protects the records.
    fn into_tcp(self) -> Result<TcpStream, Self>;
}

impl Carrier for TcpStream {
    fn into_tcp(self) -> Result<TcpStream, Self> {
        Ok(self)
    }
}

/// The generator's ceiling is measured over memory: of the records' cost it has rustls's.
impl Carrier for DuplexStream {
    fn into_tcp(self) -> Result<TcpStream, Self> {
        Err(self)
    }
}

/// A client's handshake, in `pool` if there is one, and the switch.
pub(super) async fn connect(
    pool: Option<LocalPool>,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    tcp: TcpStream,
) -> io::Result<KernelStream> {
    let connect = async move { ktls::Connector::new(config).connect(name, tcp).await };
    in_kernel(match pool {
        Some(pool) => pool.run(connect).await,
        None => connect.await,
    })
}

/// A server's handshake, in `pool` if there is one, and the switch.
pub(super) async fn accept(
    pool: Option<LocalPool>,
    config: Arc<ServerConfig>,
    tcp: TcpStream,
) -> io::Result<KernelStream> {
    let accept = async move { ktls::Acceptor::new(config).accept(tcp).await };
    in_kernel(match pool {
        Some(pool) => pool.run(accept).await,
        None => accept.await,
    })
}

fn in_kernel(made: Result<Stream, KtlsError>) -> io::Result<KernelStream> {
    match made? {
        Stream::Kernel(stream) => Ok(stream),
        other => {
            let why = other.unavailable().map(ToString::to_string).unwrap_or_default();
            Err(io::Error::other(format!("not in the kernel: {why}")))
        }
    }
}
