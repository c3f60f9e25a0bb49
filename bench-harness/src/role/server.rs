//! The server role: a [`service`](super::service) behind a listener, in plaintext or mutual TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::protocol::{Reply, ServerSpec};
use super::service::App;
use super::{Control, pinned_runtime};
use crate::Error;
use crate::tls::Acceptor;

/// Connections the kernel keeps for us until they are accepted: more than the open loop has in
/// flight. A shorter queue overflows, and the tail is then TCP's retransmission timer, not TLS.
const BACKLOG: u32 = 4096;

/// Serves until the parent goes away.
pub(super) fn run(spec: ServerSpec, control: &mut Control) -> Result<(), Error> {
    let runtime = pinned_runtime(&spec.cpus)?;
    let acceptor = Acceptor::new(spec.tls.as_ref())?;
    let observer = acceptor.observer();
    let (listener, address) = runtime.block_on(async { listen("server", spec.listen) })?;
    let app = Arc::new(App::new(spec.service, spec.fault));
    runtime.spawn(accept_loop(listener, move |tcp| {
        let (acceptor, app) = (acceptor.clone(), app.clone());
        async move {
            // A failed handshake is counted by the observer; a broken connection is the client's to report.
            if let Ok(connection) = acceptor.accept(tcp).await {
                let _ = app.serve(connection).await;
            }
        }
    }));
    control.send(&Reply::Ready { address: Some(address) })?;
    control.serve(observer.as_ref(), None)
}

/// Opens a listener and tells where it is.
pub(super) fn listen(role: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { role: role.to_owned(), address, source };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listener = socket
        .and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })
        .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Hands every accepted connection to `serve` in a task of its own.
pub(super) async fn accept_loop<F, S>(listener: TcpListener, serve: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F,
{
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let _ = tcp.set_nodelay(true);
                tokio::spawn(serve(tcp));
            }
            // Out of descriptors, most likely: wait for some connections to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
