//! Many client identities: who showed up, and what a server that remembers chains made of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use mtls_bench::report::ArmResult;
use mtls_bench::settings::{HandshakeMix, Identities, Popularity, ProviderName, Workload};
use support::{Bench, refused};

#[test]
fn many_identities_are_all_recognised_and_a_cache_is_reported_where_there_is_one() {
    let result = Bench::new().measure(&[
        "--path",
        "in-process",
        "--workload",
        "handshake",
        "--handshake",
        "full,resumed",
        "--provider",
        "offload,offload-uncached,aws-lc-rs",
        "--identities",
        "20",
        "--popularity",
        "zipf=0.5",
    ]);
    let popularity = Popularity::Zipf(0.5);
    assert_eq!(result.settings.identities, Identities::Drawn { count: 20, popularity });
    for arm in &result.arms {
        let cached = arm.provider == Some(ProviderName::Offload);
        let mut verified = 0;
        for window in &arm.windows {
            let server = &window.server_end;
            assert_eq!(server.handshakes[0].negotiated.peer, "spiffe://mtls-bench.test/client/*");
            assert!((2..=20).contains(&server.distinct_peers), "{}", server.distinct_peers);
            for end in [server, &window.client_end] {
                assert_eq!(end.chain_cache.is_some(), cached, "{}", arm.label());
            }
            if let (Some(server), Some(client)) =
                (server.chain_cache, window.client_end.chain_cache)
            {
                // the server also asks before it resumes
                let (all, full) = (window.server_end.total(), window.server_end.of_kind("Full"));
                assert_eq!((server.hits + server.misses, client.hits + client.misses), (all, full));
                verified += server.misses;
            }
        }
        // handshakes that meet an unknown chain at the same time all verify it, and eight are in flight
        assert!(verified <= 20 * 8 && (verified > 0) == (cached && is_full(arm)), "{verified}");
    }
}

fn is_full(arm: &ArmResult) -> bool {
    arm.workload == Workload::Handshake(HandshakeMix::Full)
}

#[test]
fn every_fresh_identity_is_new_to_the_server() {
    let arguments =
        ["--path", "in-process,sidecar", "--handshake", "full", "--identities", "fresh"];
    let result = Bench::new().measure(&arguments);
    for arm in &result.arms {
        for window in &arm.windows {
            let server = &window.server_end;
            assert_eq!(server.new_peers, server.total());
            assert_eq!(server.chain_cache.unwrap().hits, 0);
        }
        assert!(arm.windows[0].server_end.total() > 0);
    }
    let text = mtls_bench::report::render(&result);
    assert!(text.contains("chain cache hits") && text.contains(" 0.0 % "), "{text}");
    assert!(text.contains("a fresh client identity for each connection"), "{text}");
}

#[test]
fn fresh_identities_that_should_resume_are_refused() {
    let (code, message) = refused(&["--identities", "fresh"]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("--handshake full"), "{message}");
    let (code, message) =
        refused(&["--identities", "fresh", "--handshake", "full", "--popularity", "uniform"]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("--popularity"), "{message}");
}
