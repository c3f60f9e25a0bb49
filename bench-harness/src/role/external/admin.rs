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
    answer.unwrap_or_else(|_| Err(no_answer()))
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
    match stream.read_to_string(&mut answer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(no_answer()),
        read => read.map(|_| answer),
    }
}

fn no_answer() -> io::Error {
    let seconds = PATIENCE.as_secs();
    io::Error::new(io::ErrorKind::TimedOut, format!("it did not answer within {seconds} s"))
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// Serves one connection with `answer`, and returns the first line that was asked.
    fn socket(answer: &'static str) -> (tempfile::TempDir, String, thread::JoinHandle<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            io::BufReader::new(&stream).read_line(&mut line).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            line
        };
        (folder, path.display().to_string(), thread::spawn(serve))
    }

    #[test]
    fn a_line_is_answered() {
        let (_folder, path, served) = socket("one\ntwo\n");
        assert_eq!(ask(&path, "show").unwrap(), "one\ntwo\n");
        assert_eq!(served.join().unwrap(), "show\n");
    }

    #[test]
    fn a_resource_in_chunks_is_put_together_and_another_status_is_an_error() {
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\na: \r\n2\r\n1\n\r\n0\r\n\r\n";
        let (_folder, path, served) = socket(chunks);
        assert_eq!(get(&path, "/stats").unwrap(), "a: 1\n");
        assert_eq!(served.join().unwrap(), "GET /stats HTTP/1.1\r\n");
        let (_folder, path, _) = socket("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n");
        assert!(get(&path, "/ready").unwrap_err().to_string().contains("503"));
        assert!(get("/nonexistent/socket", "/").is_err());
    }
}
