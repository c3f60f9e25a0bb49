//! Records in the kernel: a handshake by our provider, then Linux encrypts and decrypts.
//!
//! With its keys in the socket, a connection is written and read by plain system calls: one copy less,
//! `sendfile`, and on some network cards the records in hardware. rustls stays in charge of all that is
//! not application data: session tickets, alerts and key updates reach user space as control messages.
//!
//! ```no_run
//! use rustls_offload::ktls::{Acceptor, KtlsError, Stream};
//! use tokio::io::AsyncWriteExt;
//! use tokio::net::TcpStream;
//!
//! # async fn serve(config: std::sync::Arc<rustls::ServerConfig>, tcp: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! let acceptor = Acceptor::new(config); // or Connector::new(config) for clients
//! let mut stream = acceptor.accept(tcp).await?;
//! if let Some(reason) = stream.unavailable() {
//!     eprintln!("records stay in user space: {reason}");
//! }
//! stream.write_all(b"hello").await?;
//! stream.shutdown().await?;
//! # Ok(()) }
//! ```
//!
//! In a pool of handshakes (feature `pool`): `pool.run(async move { acceptor.accept(tcp).await })`.
//!
//! # When the kernel can't
//! Whether it can is settled before the handshake, from what [`Kernel::here`] has tried out and from the
//! configuration; if not, the connection is an ordinary `tokio_rustls` one, and says [why](Unavailable), also in
//! the log. A kernel must be able to do every suite that the configuration may negotiate, for a handshake
//! can't be moved back. [`Kernel::retain`] leaves out of a provider what it can't.
//!
//! # The switch
//! The peer may have sent more than the handshake by then. Whole records are decrypted here, and their
//! data is what is read first; a record of which only a part has arrived is read to its end, to the byte,
//! and the kernel begins with the one after it. So [`Acceptor::accept`] waits for that end too: put the deadline
//! of handshakes around it.
//!
//! # Key updates, and the limit of a key
//! AES-GCM may protect 2^24 records with one key (RFC 8446, section 5.5). Records are counted here, as an upper
//! bound; before the limit, a TLS 1.3 connection changes its key on Linux 6.14 and later. Earlier kernels
//! can't, nor can TLS 1.2 anywhere: there `close_notify` is sent and writing ends with
//! [`KtlsError::KeyExhausted`], at least 128 GiB later if writes are large. A peer that changes *its* key under an earlier
//! kernel gets a fatal alert, and reading ends with [`KtlsError::CannotFollow`].
//!
//! # What is lost
//! After the switch rustls can't export keying material, and whoever has `CAP_NET_ADMIN` or may attach a debugger finds
//! the keys in the kernel rather than in the process. With [`fips()`](rustls::ServerConfig::fips)
//! configurations the kernel is not used, since its cryptography is not that of the validated module.

mod budget;
mod connection;
mod control;
mod error;
mod handshake;
mod kernel;
mod records;
mod stream;
mod write;

pub use connection::KernelStream;
pub use error::{KtlsError, Unavailable};
pub use handshake::Handshake;
pub use kernel::Kernel;
pub use stream::{Acceptor, Connector, Stream, UserStream};
