//! What a decision about a caller costs with 10 rules and with 100,000.
//!
//! `cargo bench --bench policy`
//!
//! The same identities are asked about in both arms, in turn. A thousand of them, so that the larger table is not
//! read from the nearest cache alone: as by a server with a thousand clients.
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustls_offload::verify::policy::{Decision, Policy, PolicyBuilder, Rule};
use rustls_offload::verify::spiffe::SpiffeId;

const SIZES: [usize; 2] = [10, 100_000];
const CLIENTS: usize = 1000;

fn id(team: usize, name: usize) -> SpiffeId {
    SpiffeId::new(&format!("spiffe://example.org/ns/team-{team}/sa/service-{name}")).unwrap()
}

fn ids(team: usize) -> Vec<SpiffeId> {
    (0..CLIENTS).map(|name| id(team, name)).collect()
}

/// Two rules decide about those who are asked about; the others are about other teams.
fn policy(rules: usize) -> Policy {
    let parent =
        |team| Rule::Below(SpiffeId::new(&format!("spiffe://example.org/ns/team-{team}")).unwrap());
    let others = (0..rules - 2).map(|i| Rule::Id(id(3 + i / 100, i % 100)));
    let builder = Policy::builder().allow(parent(0)).deny(parent(1));
    others.fold(builder, PolicyBuilder::allow).build()
}

fn decisions(criterion: &mut Criterion) {
    let policies = SIZES.map(|rules| (rules, policy(rules)));
    for (team, what) in ["allowed by a prefix", "denied by a prefix", "unlisted"].iter().enumerate()
    {
        let clients = ids(team);
        let mut group = criterion.benchmark_group(format!("{CLIENTS} decisions, {what}"));
        group.throughput(Throughput::Elements(CLIENTS as u64));
        for (rules, policy) in &policies {
            group.bench_function(format!("{rules} rules"), |bencher| {
                bencher.iter(|| {
                    for client in &clients {
                        let decision = policy.decide(client);
                        assert_eq!(matches!(decision, Decision::Allowed(_)), team == 0);
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
