//! Certificates and trust bundles that are replaced under load.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{Bench, refused};

#[test]
fn rotations_under_load_fail_nothing_and_leave_resumption_alone() {
    let arguments = [
        "--path",
        "plaintext,in-process,sidecar",
        "--workload",
        "handshake",
        "--resume",
        "90",
        "--rotate",
        "0.25",
    ];
    let result = Bench::new().measure(&arguments);
    assert_eq!(result.problems(), [""; 0]);
    for arm in result.arms.iter().filter(|arm| arm.provider.is_some()) {
        let (mut after, mut renewed) = (0, 0);
        for window in &arm.windows {
            let rotations = window.window.rotations.as_ref().unwrap();
            assert!(rotations.count > 0);
            after += rotations.latency.count();
            for end in [&window.client_end, &window.server_end] {
                assert!(end.rotations >= rotations.count, "{}", arm.label());
                assert!(end.refused_sessions.is_empty(), "{:?}", end.refused_sessions);
                assert!(end.of_kind("Resumed") > end.of_kind("Full"));
                renewed += end.new_peers;
            }
            // verdicts of before a rotation don't count after it
            assert!(window.server_end.chain_cache.unwrap().misses > 0);
        }
        assert!(after > 0, "no operation began after a rotation");
        assert!(renewed > 0, "nobody met a renewed certificate");
    }
    let text = mtls_bench::report::render(&result);
    for words in ["renewed every 0.25 s", "judged to full, by reason", "Rotations of both ends'"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_cannot_rotate_is_refused_before_anything_starts() {
    for arguments in
        [["--rotate", "1", "--provider", "offload,ring"], ["--rotate", "1", "--path", "nginx"]]
    {
        let (code, message) = refused(&arguments);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains("--provider offload"), "{message}");
    }
    let (code, message) = refused(&["--resume", "90", "--handshake", "full"]);
    assert_eq!(code, 2, "{message}");
}
