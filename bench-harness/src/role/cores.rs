//! A server as thread-per-core services are built: a listener and a single-threaded runtime for each CPU.
//!
//! Nothing moves between threads, so a handshake can wait for others of its thread
//! (`rustls_offload::pool::LocalPool`), and no provider pays for another's wake-ups. The listeners
//! share their port (`SO_REUSEPORT`); the kernel spreads connections over them.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

use super::pin_to;
use crate::Error;

/// Connections the kernel keeps for us until they are accepted: more than the open loop has in
/// flight. A shorter queue overflows, and the tail is then TCP's retransmission timer, not TLS.
const BACKLOG: u32 = 4096;

/// Pins the process to `cpus`, listens on a thread for each of them, and hands every connection to
/// `serve` in a task of its own, until the process ends. Returns where it listens.
///
/// # Errors
/// When the system refuses a thread or the address.
pub(super) fn serve<S, F>(
    role: &'static str,
    address: SocketAddr,
    cpus: &[usize],
    serve: S,
) -> Result<SocketAddr, Error>
where
    S: Fn(TcpStream) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    pin_to(cpus)?;
    let threads = cpus.len().max(1);
    let mut bound = address;
    for _ in 0..threads {
        let (tell, told) = mpsc::channel();
        let serve = serve.clone();
        thread::Builder::new()
            .name(role.to_owned())
            .spawn(move || run(role, bound, threads > 1, serve, &tell))
            .map_err(Error::io("starting a server's thread"))?;
        bound = told.recv().map_err(|_| Error::io("starting a server")(gone()))??;
    }
    Ok(bound)
}

fn gone() -> std::io::Error {
    std::io::Error::other("its thread ended")
}

fn run<S, F>(
    role: &str,
    address: SocketAddr,
    shared: bool,
    serve: S,
    tell: &mpsc::Sender<Result<SocketAddr, Error>>,
) where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + 'static,
{
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = tell.send(Err(Error::io("starting a server's runtime")(error)));
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async {
        match listen(role, address, shared) {
            Ok((listener, bound)) => {
                let _ = tell.send(Ok(bound));
                accept_loop(listener, serve).await;
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    });
}

/// Opens a listener and tells where it is.
fn listen(
    role: &str,
    address: SocketAddr,
    shared: bool,
) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { role: role.to_owned(), address, source };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listener = socket
        .and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.set_reuseport(shared)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })
        .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Hands every accepted connection to `serve` in a task of its own.
async fn accept_loop<F, S>(listener: TcpListener, serve: S)
where
    F: Future<Output = ()> + 'static,
    S: Fn(TcpStream) -> F,
{
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let _ = tcp.set_nodelay(true);
                spawn_local(serve(tcp));
            }
            // Out of descriptors, most likely: wait for some connections to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
