//! Another trust bundle comes into force while threads verify without a pause.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use rustls::server::danger::ClientCertVerifier;
use rustls_offload::verify::CachingClientVerifier;

use super::authority::{Authority, Identity, at};

/// How often the bundle is replaced; under each, every thread gets two verdicts at least, of which
/// an accepted chain's second comes from the cache.
const REPLACEMENTS: usize = 100;

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

/// Asks about `identity`, of the authority that is trusted first or second, until `done`; counts the
/// verdicts that began and ended under the same bundle.
fn keep_asking(
    verifier: &CachingClientVerifier,
    (identity, first): (&Identity, bool),
    epoch: &Epoch,
    done: &AtomicBool,
    seen: &AtomicU64,
) {
    while !done.load(Ordering::Relaxed) {
        let before = epoch.now();
        let verdict =
            verifier.verify_client_cert(&identity.chain[0], &identity.chain[1..], at(2025, 6, 1));
        if before != epoch.now() || !before.is_multiple_of(2) {
            continue;
        }
        let trusted = before.is_multiple_of(4) == first;
        assert_eq!(verdict.is_ok(), trusted, "bundle {}: {verdict:?}", before / 2);
        seen.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn once_a_bundle_is_replaced_no_verdict_of_it_is_used() {
    let authorities = [Authority::new("a"), Authority::new("b")];
    let identities = [0, 1].map(|index| authorities[index].issue("web", 2025, 2027));
    let verifier = CachingClientVerifier::new(authorities[0].client_verifier());
    let (epoch, done) = (Epoch::default(), AtomicBool::new(false));
    let seen: [AtomicU64; 4] = Default::default();
    let (verifier, epoch, done) = (&*verifier, &epoch, &done);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|index| {
                let who = (&identities[index % 2], index % 2 == 0);
                let seen = &seen[index];
                scope.spawn(move || keep_asking(verifier, who, epoch, done, seen))
            })
            .collect();
        let counts = || seen.each_ref().map(|count| count.load(Ordering::Relaxed));
        for turn in 1..=REPLACEMENTS {
            let next = authorities[turn % 2].client_verifier();
            epoch.step();
            verifier.replace(next);
            epoch.step();
            // However slow the machine, the next replacement comes while each thread is asking again.
            let before = counts();
            let answered = || counts().iter().zip(before).all(|(now, before)| *now >= before + 2);
            // A thread that ends has failed.
            while !answered() && !threads.iter().any(ScopedJoinHandle::is_finished) {
                thread::sleep(Duration::from_micros(100));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(verifier.metrics().hits > 0);
    assert_eq!(verifier.generation(), epoch.now() / 2 + 1);
}
