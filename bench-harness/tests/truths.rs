//! The harness against known truths: what is put into a server must come out of the measurement.
//!
//! Bounds are wide enough for a noisy machine and far too narrow for a wrong method: a closed loop,
//! or a CPU clock that misses threads or system time, fails them by an order of magnitude.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use mtls_bench::load::{Load, LoadOrder, Window};
use mtls_bench::role::Role;
use mtls_bench::role::protocol::{Fault, GeneratorSpec, RoleSpec, ServerSpec, Service, Stall};
use mtls_bench::settings::Workload;
use tokio::sync::Mutex;

const RESPONSE_BYTES: usize = 64;

/// One truth at a time: two loads on one machine would disturb each other.
static ALONE: Mutex<()> = Mutex::const_new(());

struct Pair {
    generator: Role,
    _server: Role,
}

impl Pair {
    async fn start(fault: Fault) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_mtls-bench"));
        let service = Service::Http { response_bytes: RESPONSE_BYTES };
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = ServerSpec { cpus: Vec::new(), listen, tls: None, service, fault };
        let server =
            Role::start_program(program, "server", &RoleSpec::Server(server)).await.unwrap();
        let generator = GeneratorSpec {
            cpus: Vec::new(),
            target: server.address().unwrap(),
            tls: None,
            sink: None,
            workload: Workload::Request,
            request_bytes: 0,
            response_bytes: RESPONSE_BYTES,
            watch: BTreeMap::from([("server".to_owned(), server.watched())]),
            watch_cpus: Vec::new(),
        };
        let generator =
            Role::start_program(program, "generator", &RoleSpec::Generator(Box::new(generator)))
                .await
                .unwrap();
        Self { generator, _server: server }
    }

    async fn open_loop(&mut self, rate: f64, window_s: f64) -> Window {
        let load = Load::Open { rate };
        let order = LoadOrder { load, slots: 64, warmup_s: 0.2, window_s, seed: 1, rotate_s: None };
        let window = self.generator.load(&order).await.unwrap();
        assert!(window.failures.is_empty(), "{:?}", window.failures);
        window
    }
}

/// A server that stands still for 100 ms of every second delays a tenth of all independent arrivals,
/// by anything from 100 ms to nothing, evenly: the latency at quantile q > 0.9 is (q - 0.9) x 1 s.
#[tokio::test]
async fn a_stall_appears_in_the_open_loop_percentiles_as_arithmetic_says() {
    let _alone = ALONE.lock().await;
    let stall = Some(Stall { every_ms: 1000, for_ms: 100 });
    let mut pair = Pair::start(Fault { stall, ..Fault::default() }).await;
    let window = pair.open_loop(500.0, 5.0).await;
    let at = |q| window.latency.quantile(q).unwrap().as_secs_f64() * 1e3;
    assert!(at(0.5) < 30.0, "p50 {} ms", at(0.5));
    assert!((35.0..90.0).contains(&at(0.95)), "p95 {} ms", at(0.95));
    assert!((78.0..180.0).contains(&at(0.99)), "p99 {} ms", at(0.99));
}

/// The same stall hardly shows in a closed loop, whose clients politely wait it out: the mistake
/// that the open loop is there to avoid.
#[tokio::test]
async fn a_closed_loop_would_have_hidden_the_stall() {
    let _alone = ALONE.lock().await;
    let stall = Some(Stall { every_ms: 1000, for_ms: 100 });
    let mut pair = Pair::start(Fault { stall, ..Fault::default() }).await;
    let order = LoadOrder {
        load: Load::Closed,
        slots: 4,
        warmup_s: 0.2,
        window_s: 3.0,
        seed: 1,
        rotate_s: None,
    };
    let window = pair.generator.load(&order).await.unwrap();
    let p95 = window.latency.quantile(0.95).unwrap().as_secs_f64() * 1e3;
    assert!(p95 < 30.0, "p95 {p95} ms");
}

#[tokio::test]
async fn burnt_cpu_time_is_reported_within_five_percent_and_slept_time_as_none() {
    let _alone = ALONE.lock().await;
    const BURNT_US: u64 = 2000;
    // Long, because waking up from a sleep does cost some CPU time, however long the sleep was.
    const SLEPT_US: u64 = 20_000;
    let mut plain = Pair::start(Fault::default()).await;
    let mut burning = Pair::start(Fault { burn_us: BURNT_US, ..Fault::default() }).await;
    let mut sleeping = Pair::start(Fault { sleep_us: SLEPT_US, ..Fault::default() }).await;
    let mut server_us = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (pair, figures) in
            [&mut plain, &mut burning, &mut sleeping].into_iter().zip(&mut server_us)
        {
            let window = pair.open_loop(150.0, 1.5).await;
            figures.push(window.cpu_ns["server"] as f64 / window.operations as f64 / 1e3);
        }
    }
    let [plain, burning, sleeping] =
        server_us.map(|figures| mtls_bench::stats::Spread::of(figures).unwrap().median);
    let burnt = (burning - plain) / BURNT_US as f64;
    assert!((0.95..1.05).contains(&burnt), "{burnt:.3} of the burnt time was reported");
    let slept = (sleeping - plain) / SLEPT_US as f64;
    assert!(slept.abs() < 0.05, "{slept:.3} of the slept time was reported as CPU time");
}

#[tokio::test]
async fn a_generator_whose_server_is_gone_reports_failures_not_figures() {
    let _alone = ALONE.lock().await;
    let Pair { mut generator, _server: server } = Pair::start(Fault::default()).await;
    drop(server);
    let order = LoadOrder {
        load: Load::Closed,
        slots: 2,
        warmup_s: 0.1,
        window_s: 0.3,
        seed: 1,
        rotate_s: None,
    };
    // Either the CPU clock of the dead server is missed first, or every operation has failed.
    match generator.load(&order).await {
        Ok(window) => {
            assert_eq!(window.operations, 0);
            assert!(!window.failures.is_empty());
        }
        Err(error) => assert!(error.to_string().contains("server"), "{error}"),
    }
}
