//! Another trust bundle comes into force while threads verify without a pause.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::server::danger::ClientCertVerifier;
use rustls_offload::verify::CachingClientVerifier;

use super::authority::{Authority, Identity, at};

/// Even while a bundle is in force, odd while one is being replaced; every second bundle trusts
/// the first authority.
#[derive(Default)]
struct Epoch(AtomicU64);

impl Epoch {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn step(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Verdicts that began and ended under the same bundle.
#[derive(Default)]
struct Seen {
    accepted: u64,
    rejected: u64,
}

/// Asks about `identity`, of the authority that is trusted first or second, until `done`.
fn keep_asking(
    verifier: &CachingClientVerifier,
    identity: &Identity,
    first: bool,
    epoch: &Epoch,
    done: &AtomicBool,
) -> Seen {
    let mut seen = Seen::default();
    while !done.load(Ordering::Relaxed) {
        let before = epoch.now();
        let verdict =
            verifier.verify_client_cert(&identity.chain[0], &identity.chain[1..], at(2025, 6, 1));
        if before != epoch.now() || before % 2 == 1 {
            continue;
        }
        let trusted = before.is_multiple_of(4) == first;
        assert_eq!(verdict.is_ok(), trusted, "bundle {}: {verdict:?}", before / 2);
        seen.accepted += u64::from(trusted);
        seen.rejected += u64::from(!trusted);
    }
    seen
}

#[test]
fn once_a_bundle_is_replaced_no_verdict_of_it_is_used() {
    let authorities = [Authority::new("a"), Authority::new("b")];
    let identities = [0, 1].map(|index| authorities[index].issue("web", 2025, 2027));
    let verifier = CachingClientVerifier::new(authorities[0].client_verifier());
    let (epoch, done) = (Epoch::default(), AtomicBool::new(false));
    let (verifier, epoch, done) = (&*verifier, &epoch, &done);
    let all = thread::scope(|scope| {
        let threads: Vec<_> = [0, 1, 0, 1]
            .map(|index| {
                let identity = &identities[index];
                scope.spawn(move || keep_asking(verifier, identity, index == 0, epoch, done))
            })
            .into_iter()
            .collect();
        let end = Instant::now() + Duration::from_secs(2);
        let mut turn = 0;
        while Instant::now() < end || turn % 2 == 1 {
            turn += 1;
            let next = authorities[turn % 2].client_verifier();
            epoch.step();
            verifier.replace(next);
            epoch.step();
            thread::sleep(Duration::from_millis(1));
        }
        done.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for seen in &all {
        assert!(seen.accepted > 100 && seen.rejected > 100, "{} {}", seen.accepted, seen.rejected);
    }
    assert!(verifier.metrics().hits > 100);
    assert_eq!(verifier.generation(), epoch.now() / 2 + 1);
}
