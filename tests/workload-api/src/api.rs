//! The messages and the method of the published protocol (`workload.proto` of the SPIFFE standards).

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

/// The request, which says nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct X509SvidRequest {}

/// The whole state of a workload's credentials.
#[derive(Clone, PartialEq, prost::Message)]
pub struct X509SvidResponse {
    /// Its identities, the default one first.
    #[prost(message, repeated, tag = "1")]
    pub svids: Vec<X509Svid>,
    /// CRLs in DER.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub crl: Vec<Vec<u8>>,
    /// Authorities of other trust domains, one certificate after the other, by the domains' SPIFFE IDs.
    #[prost(map = "string, bytes", tag = "3")]
    pub federated_bundles: std::collections::HashMap<String, Vec<u8>>,
}

/// One identity.
#[derive(Clone, PartialEq, prost::Message)]
pub struct X509Svid {
    /// Its name.
    #[prost(string, tag = "1")]
    pub spiffe_id: String,
    /// The chain, one certificate after the other.
    #[prost(bytes = "vec", tag = "2")]
    pub x509_svid: Vec<u8>,
    /// PKCS#8.
    #[prost(bytes = "vec", tag = "3")]
    pub x509_svid_key: Vec<u8>,
    /// Authorities of its trust domain, one certificate after the other.
    #[prost(bytes = "vec", tag = "4")]
    pub bundle: Vec<u8>,
}

/// What the API says to whoever asks, and to whoever is listening.
pub type Answer = Result<X509SvidResponse, Status>;

/// How often the API was asked.
pub type Calls = Arc<AtomicUsize>;

/// A running API; dropped, it is gone, and its connections with it.
pub struct Api {
    serving: JoinHandle<()>,
}

impl Api {
    /// Serves on `socket` what `answers` has, now and whenever it changes, on the Tokio runtime it is called on.
    ///
    /// # Panics
    /// If the socket can't be listened on.
    pub fn serve(socket: &Path, answers: watch::Receiver<Answer>, calls: Calls) -> Self {
        let _old = std::fs::remove_file(socket);
        let listener = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let server = tonic::transport::Server::builder().add_service(Workload { answers, calls });
        let serving = async move { server.serve_with_incoming(listener).await.unwrap() };
        Self { serving: tokio::spawn(serving) }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone)]
struct Workload {
    answers: watch::Receiver<Answer>,
    calls: Calls,
}

impl NamedService for Workload {
    const NAME: &'static str = "SpiffeWorkloadAPI";
}

type Answers = Pin<Box<dyn Stream<Item = Answer> + Send>>;

impl ServerStreamingService<X509SvidRequest> for Workload {
    type Response = X509SvidResponse;
    type ResponseStream = Answers;
    type Future = std::future::Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<X509SvidRequest>) -> Self::Future {
        self.calls.fetch_add(1, SeqCst);
        // SPIFFE Workload Endpoint, 5: the header that a browser can't be made to send
        let header = request.metadata().get("workload.spiffe.io");
        std::future::ready(match header.is_some_and(|value| value == "true") {
            false => Err(Status::invalid_argument("no security header")),
            true => {
                let answers: Answers = Box::pin(WatchStream::new(self.answers.clone()).fuse());
                Ok(Response::new(answers))
            }
        })
    }
}

impl Service<http::Request<Body>> for Workload {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if request.uri().path() != "/SpiffeWorkloadAPI/FetchX509SVID" {
                return Ok(Status::unimplemented("FetchX509SVID alone").into_http());
            }
            let codec = ProstCodec::<X509SvidResponse, X509SvidRequest>::default();
            Ok(Grpc::new(codec).server_streaming(this, request).await)
        })
    }
}
