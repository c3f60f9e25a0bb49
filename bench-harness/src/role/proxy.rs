//! The built-in sidecar: an L4 proxy with mutual TLS on one side, and nothing else.
//!
//! It reads no protocol and pools no connection, so what it adds to a path is the price of the hop
//! itself: two more sockets, two more copies, one more wake-up each way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;

use super::protocol::{ProxySide, ProxySpec, Reply};
use super::{Control, cores};
use crate::Error;
use crate::settings::HandshakeMix;
use crate::sources::Sources;
use crate::tls::{Acceptor, Dialer, Observer};

/// A whole TLS record's plaintext (RFC 8446, 5.1), so that records are as long as without the hop.
const BUFFER: usize = 16 * 1024;

/// Forwards until the parent goes away.
pub(super) fn run(spec: ProxySpec, control: &mut Control) -> Result<(), Error> {
    let proxy = Arc::new(Proxy::new(&spec)?);
    let (observer, end) = (proxy.observer(), proxy.clone());
    let address = SocketAddr::new(spec.upstream.ip(), 0);
    let address = cores::serve("sidecar", address, &spec.cpus, move |tcp| {
        let proxy = proxy.clone();
        async move {
            // Either side may go away at any time; the generator sees it as a failed operation.
            let _ = proxy.forward(tcp).await;
        }
    })?;
    control.send(&Reply::Ready { address: Some(address), watched: None })?;
    control.serve(observer.as_ref(), Some(&end.dialer))
}

struct Proxy {
    acceptor: Acceptor,
    dialer: Dialer,
    upstream: Sources,
}

impl Proxy {
    fn new(spec: &ProxySpec) -> Result<Self, Error> {
        let (acceptor, dialer) = match spec.side {
            ProxySide::Originate(mix) => (Acceptor::new(None)?, Dialer::new(Some(&spec.tls), mix)?),
            ProxySide::Terminate => {
                (Acceptor::new(Some(&spec.tls))?, Dialer::new(None, HandshakeMix::Full)?)
            }
        };
        Ok(Self { acceptor, dialer, upstream: Sources::to(spec.upstream) })
    }

    fn observer(&self) -> Option<Arc<Observer>> {
        self.acceptor.observer().or_else(|| self.dialer.observer())
    }

    async fn forward(&self, tcp: TcpStream) -> io::Result<()> {
        let mut downstream = self.acceptor.accept(tcp).await?;
        let upstream = self.upstream.connect().await?;
        let mut upstream = self.dialer.secure(upstream).await.map_err(io::Error::other)?;
        copy_bidirectional_with_sizes(&mut downstream, &mut upstream, BUFFER, BUFFER)
            .await
            .map(|_| ())
    }
}
