//! What a proxy tells on a Unix socket: HTTP resources, or answers to a line.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// How long an answer may take; a proxy's main thread shares CPUs with its workers.
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of an HTTP resource.
///
/// # Errors
/// When there is no answer in time, or one with another status than 200.
pub(super) fn get(socket: &str, path: &str) -> io::Result<String> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { timeout(PATIENCE, fetch(socket, path)).await });
    answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn fetch(socket: &str, path: &str) -> io::Result<String> {
    let stream = tokio::net::UnixStream::connect(socket).await?;
    let (mut sender, driver) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Its error reaches the request; there is nobody else to tell.
    tokio::spawn(async move { drop(driver.await) });
    let request = Request::get(path).header(hyper::header::HOST, "localhost");
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if response.status() != StatusCode::OK {
        return Err(io::Error::other(format!("{path}: status {}", response.status())));
    }
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// What is answered to one line, up to the end.
///
/// # Errors
/// When there is no answer in time.
pub(super) fn ask(socket: &str, line: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
