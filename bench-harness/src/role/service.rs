//! What a server does on its connections: echo, HTTP/1.1 or bulk data, in any transport.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::protocol::{Fault, Service, Stall};
use crate::load::STREAM_OPERATION;
use crate::measure::thread_time;

/// The source writes blocks of this size: a full TLS record's plaintext (RFC 8446, 5.1).
const SOURCE_BLOCK: usize = 16 * 1024;

/// What a server does with its connections.
pub(crate) struct App {
    service: Service,
    body: Bytes,
    fault: Fault,
    started: Instant,
}

impl App {
    /// A service that misbehaves as `fault` says.
    pub(crate) fn new(service: Service, fault: Fault) -> Self {
        let body = match service {
            Service::Http { response_bytes } => Bytes::from(vec![b'x'; response_bytes]),
            Service::Echo | Service::Source => Bytes::new(),
        };
        Self { service, body, fault, started: Instant::now() }
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve<S>(self: Arc<Self>, connection: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        match self.service {
            Service::Echo => self.echo(connection).await,
            Service::Http { .. } => self.http(connection).await,
            Service::Source => source(connection).await,
        }
    }

    async fn echo<S>(&self, mut connection: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = [0; 512];
        loop {
            let read = connection.read(&mut buffer).await?;
            if read == 0 {
                return connection.shutdown().await;
            }
            self.misbehave().await;
            connection.write_all(&buffer[..read]).await?;
        }
    }

    async fn http<S>(self: Arc<Self>, connection: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let answer = service_fn(move |request: Request<Incoming>| {
            let app = self.clone();
            async move {
                // The body is read whole, so that request bytes cost what they cost a real service.
                let _ = request.into_body().collect().await;
                app.misbehave().await;
                Ok::<_, Infallible>(Response::new(Full::new(app.body.clone())))
            }
        });
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(connection), answer)
            .await
            .map_err(io::Error::other)
    }

    async fn misbehave(&self) {
        if let Some(stall) = self.fault.stall {
            tokio::time::sleep(stall_left(stall, self.started.elapsed())).await;
        }
        if self.fault.sleep_us > 0 {
            tokio::time::sleep(Duration::from_micros(self.fault.sleep_us)).await;
        }
        if self.fault.burn_us > 0 {
            burn(Duration::from_micros(self.fault.burn_us));
        }
    }
}

/// Sends [`STREAM_OPERATION`] bytes for each byte received: were it to send without being asked, it
/// would fill every buffer between windows, and the next window would drain what it did not pay for.
async fn source<S>(mut connection: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let block = vec![b'x'; SOURCE_BLOCK];
    while connection.read(&mut [0]).await? > 0 {
        for _ in 0..STREAM_OPERATION / SOURCE_BLOCK {
            connection.write_all(&block).await?;
        }
        connection.flush().await?;
    }
    connection.shutdown().await
}

/// What remains of the stall that is going on after `elapsed`, zero between stalls.
fn stall_left(stall: Stall, elapsed: Duration) -> Duration {
    let every = Duration::from_millis(stall.every_ms.max(1));
    let phase = Duration::from_nanos((elapsed.as_nanos() % every.as_nanos()) as u64);
    Duration::from_millis(stall.for_ms).saturating_sub(phase)
}

/// Uses `amount` of this thread's CPU time, as its own CPU clock tells it.
fn burn(amount: Duration) {
    let end = thread_time() + amount;
    while thread_time() < end {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_lasts_until_its_end_and_comes_back() {
        let stall = Stall { every_ms: 1000, for_ms: 100 };
        let left = |ms| stall_left(stall, Duration::from_millis(ms)).as_millis();
        assert_eq!([left(0), left(40), left(100), left(999), left(1030)], [100, 60, 0, 0, 70]);
    }

    #[test]
    fn burn_uses_the_thread_time_it_is_told_to() {
        let before = thread_time();
        burn(Duration::from_millis(3));
        assert!(thread_time() - before >= Duration::from_millis(3));
    }
}
