//! What does not depend on the kernel: connections work with and without its TLS, and say which it is.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

mod support;

use std::sync::Arc;

use rustls::HandshakeKind;
use rustls_offload::ktls::{Acceptor, Connector, Kernel, KtlsError, Stream, Unavailable};
use support::{Configs, TLS13, exchange, name, ours, tcp};

#[tokio::test]
async fn a_stream_says_whether_the_kernel_protects_it_and_works_either_way() {
    for suite in support::SUITES {
        let (client, server) = ours(&Configs::new(suite), tcp().await).await;
        let expected = match Kernel::here() {
            Ok(kernel) => kernel
                .retain(support::provider(suite))
                .cipher_suites
                .is_empty()
                .then_some(Unavailable::Suite(suite)),
            Err(reason) => Some(reason),
        };
        for stream in [&client, &server] {
            assert_eq!(stream.unavailable(), expected.as_ref());
            assert_eq!(matches!(stream, Stream::Kernel(_)), expected.is_none());
            assert_eq!(stream.handshake().suite, suite);
            assert_eq!(stream.handshake().kind, HandshakeKind::Full);
            assert_eq!(stream.handshake().peer_certificates.len(), 1);
        }
        exchange(client, server, 1 << 20).await;
    }
}

#[tokio::test]
async fn a_server_that_accepts_early_data_stays_in_user_space() {
    let mut configs = Configs::new(TLS13);
    Arc::make_mut(&mut configs.server).max_early_data_size = 1024;
    let (_, server) = ours(&configs, tcp().await).await;
    assert_eq!(server.unavailable(), Some(&Unavailable::EarlyData));
}

#[tokio::test]
async fn a_suite_that_no_kernel_knows_is_a_reason() {
    let Ok(kernel) = Kernel::here() else {
        let reason = Kernel::here().unwrap_err();
        let (client, _) = ours(&Configs::new(TLS13), tcp().await).await;
        assert_eq!(client.unavailable(), Some(&reason));
        return;
    };
    let all = rustls_offload::default_provider();
    let lacking = all.cipher_suites.iter().find(|&&suite| !kernel.supports(suite));
    let (client, _) = ours(&Configs::with(all.clone()), tcp().await).await;
    assert_eq!(
        client.unavailable(),
        lacking.map(|suite| Unavailable::Suite(suite.suite())).as_ref()
    );
    let (client, _) = ours(&Configs::with(kernel.retain(all)), tcp().await).await;
    assert_eq!(client.unavailable(), None);
}

#[tokio::test]
async fn a_handshake_that_fails_says_why_at_both_ends() {
    let configs = Configs::new(TLS13);
    let (client, server) = tcp().await;
    let connector = Connector::new(configs.anonymous.clone());
    let acceptor = Acceptor::new(configs.server.clone());
    let client = async {
        let mut stream = connector.connect(name(), client).await.unwrap();
        // TLS 1.3: the client is done before the server has said no
        tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap_err()
    };
    let (client, server) = tokio::join!(client, acceptor.accept(server));
    match server.unwrap_err() {
        KtlsError::Tls(rustls::Error::NoCertificatesPresented) => {}
        other => panic!("{other}"),
    }
    assert!(client.to_string().contains("CertificateRequired"), "{client}");
}
