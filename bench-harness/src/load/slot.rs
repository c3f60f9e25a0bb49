//! Operations: what one unit of each workload is.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::transport::Transport;
use crate::pki::SERVER_NAME;
use crate::settings::Workload;
use crate::tls::{Connection, DialError, Dialer};

/// An operation that takes longer has failed.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes received by one operation of the `stream` workload.
pub(crate) const STREAM_OPERATION: usize = 1 << 20;

/// Why an operation failed; its text is the key it is counted under.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperationError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("exchange: {}", .0.kind())]
    Exchange(#[from] std::io::Error),
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    #[error("http: status {0}")]
    Status(u16),
    #[error("http: body of {got} bytes, expected {expected}")]
    Body { got: usize, expected: usize },
    #[error("http request: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("timeout after {} s", OPERATION_TIMEOUT.as_secs())]
    Timeout,
    #[error("the idle workload has no operations")]
    Idle,
}

/// What the slots of one worker share.
pub(crate) struct Client<T> {
    pub(crate) transport: T,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) workload: Workload,
    pub(crate) request_body: Bytes,
    pub(crate) response_bytes: usize,
}

impl<T: Transport> Client<T> {
    /// Connects, and completes the handshake if the path's client speaks TLS.
    async fn connect(&self) -> Result<Connection<T::Io>, OperationError> {
        let io = self.transport.open().await.map_err(DialError::Connect)?;
        Ok(self.dialer.secure(io).await?)
    }

    /// A connection over which the first byte has already made the round trip.
    ///
    /// In TLS 1.3 the client is done before the server has seen its certificate; only the echo
    /// proves that the server accepted it, and brings the tickets.
    pub(crate) async fn proven_connection(&self) -> Result<Connection<T::Io>, OperationError> {
        let proven = timeout(OPERATION_TIMEOUT, self.prove()).await;
        proven.unwrap_or(Err(OperationError::Timeout))
    }

    async fn prove(&self) -> Result<Connection<T::Io>, OperationError> {
        let mut connection = self.connect().await?;
        connection.write_all(b"x").await?;
        connection.read_exact(&mut [0]).await?;
        Ok(connection)
    }
}

/// Does one operation at a time, on a connection of its own where the workload keeps one.
pub(crate) struct Slot<T: Transport> {
    client: Rc<Client<T>>,
    kept: Option<Kept<T>>,
    buffer: Vec<u8>,
}

enum Kept<T: Transport> {
    Http(SendRequest<Full<Bytes>>),
    Stream(Connection<T::Io>),
}

impl<T: Transport> Slot<T> {
    pub(crate) fn new(client: Rc<Client<T>>) -> Self {
        Self { client, kept: None, buffer: Vec::new() }
    }

    /// Makes the connection, where the workload keeps one, so that no window pays for it.
    pub(crate) async fn prepare(&mut self) -> Result<(), OperationError> {
        let keeps_one = matches!(self.client.workload, Workload::Request | Workload::Stream);
        if keeps_one && self.kept.is_none() { self.operate().await } else { Ok(()) }
    }

    /// Does one operation; after a failure the next one starts with a new connection.
    pub(crate) async fn operate(&mut self) -> Result<(), OperationError> {
        let done = timeout(OPERATION_TIMEOUT, self.attempt()).await;
        let done = done.unwrap_or(Err(OperationError::Timeout));
        if done.is_err() {
            self.kept = None;
        }
        done
    }

    async fn attempt(&mut self) -> Result<(), OperationError> {
        match self.client.workload {
            Workload::Handshake(_) => self.handshake().await,
            Workload::Request => self.request().await,
            Workload::Stream => self.stream().await,
            Workload::Idle => Err(OperationError::Idle),
        }
    }

    async fn handshake(&self) -> Result<(), OperationError> {
        let mut connection = self.client.proven_connection().await?;
        connection.shutdown().await?;
        // Waiting for the server's close makes every path close the same way, TIME-WAIT on our side.
        while connection.read(&mut [0; 64]).await? > 0 {}
        Ok(())
    }

    async fn request(&mut self) -> Result<(), OperationError> {
        let client = self.client.clone();
        let mut sender = match self.kept.take() {
            Some(Kept::Http(sender)) => sender,
            _ => {
                let connection = TokioIo::new(client.connect().await?);
                let (sender, driver) = http1::handshake(connection).await?;
                // Its error reaches the request in flight; there is nobody else to tell.
                tokio::task::spawn_local(async move { drop(driver.await) });
                sender
            }
        };
        sender.ready().await?;
        let request = Request::post("/")
            .header(hyper::header::HOST, SERVER_NAME)
            .body(Full::new(client.request_body.clone()))?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(OperationError::Status(response.status().as_u16()));
        }
        let got = response.into_body().collect().await?.to_bytes().len();
        if got != client.response_bytes {
            return Err(OperationError::Body { got, expected: client.response_bytes });
        }
        self.kept = Some(Kept::Http(sender));
        Ok(())
    }

    async fn stream(&mut self) -> Result<(), OperationError> {
        let mut connection = match self.kept.take() {
            Some(Kept::Stream(connection)) => connection,
            _ => self.client.connect().await?,
        };
        connection.write_all(b"x").await?;
        self.buffer.resize(64 * 1024, 0);
        let mut left = STREAM_OPERATION;
        while left > 0 {
            let room = left.min(self.buffer.len());
            let read = connection.read(&mut self.buffer[..room]).await?;
            if read == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            left -= read;
        }
        self.kept = Some(Kept::Stream(connection));
        Ok(())
    }
}
