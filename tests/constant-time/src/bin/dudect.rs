//! Measures whether a fixed secret takes another time than random ones (Reparaz, Balasch, Verbauwhede,
//! "Dude, is my code constant time?", 2017).
//!
//! # The measurement
//! Each operation runs [`SAMPLES`] times with a full batch: all lanes with the fixed secret, or all with
//! random ones, in an order drawn at random, so that what changes in the machine over time meets both
//! classes alike. All secrets are made beforehand and copied to the same place, for both classes alike.
//!
//! # The judgement
//! Interrupts and neighbours on the host make some samples much longer, and the variance so large that
//! it hides a leak. Welch's t is therefore also computed without the samples that are above a quantile
//! of all samples of both classes, for each of [`QUANTILES`]; the largest |t| counts. For code
//! that does not leak |t| exceeds 4.5 about once in 100,000 tests; [`THRESHOLD`] is 10.
//!
//! Time on a shared machine is not as independent as the test assumes, so one |t| above it is no proof.
//! A leak, however, does not go away, and its t grows with the root of the number of
//! samples. So a suspect is measured again, with twice the samples, up to [`ATTEMPTS`] times, and leaks only
//! if it is above the threshold every time. A planted leak is put to the same test and has to fail it.
//!
//! Exits with 0 if all is well, 1 if something leaks or a planted leak was not found, 3 if the CPU lacks
//! AVX-512 IFMA.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use constant_time::operations::{ALL, Operation, Secrets, named};
use constant_time::welch;
use rand::{Rng, RngCore};
use rustls_offload_multibuffer::Engine;
use zeroize::Zeroizing;

/// Samples of both classes together, in the first attempt.
const SAMPLES: usize = 40_000;
const ATTEMPTS: u32 = 3;
const THRESHOLD: f64 = 10.0;
/// The parts of the samples that are kept, shortest first.
const QUANTILES: [f64; 4] = [1.0, 0.95, 0.75, 0.5];

/// A branch costs the same whether valgrind sees it or not; an address costs only if the cache is cold.
const LEAK: &str = "planted-branch";

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Fixed,
    Random,
}

fn main() -> ExitCode {
    let Some(engine) = Engine::eight_lanes() else {
        eprintln!("dudect: no AVX-512 IFMA on this CPU");
        return ExitCode::from(3);
    };
    let mut passed = true;
    for operation in ALL {
        passed &= !leaks(engine, operation);
    }
    match named(LEAK) {
        Some(leak) if leaks(engine, leak) => println!("dudect {LEAK:20} is caught"),
        _ => {
            eprintln!("dudect: {LEAK} was not caught: this test finds nothing here");
            passed = false;
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether every attempt finds a difference.
fn leaks(engine: Engine, operation: &Operation) -> bool {
    (0..ATTEMPTS).all(|attempt| {
        let samples = SAMPLES << attempt;
        let t = largest_t(&measure(engine, operation, samples));
        let judged = if t.abs() > THRESHOLD { "SUSPECT" } else { "no difference" };
        println!("dudect {:20} {samples:6} samples, t = {t:8.2}: {judged}", operation.name);
        t.abs() > THRESHOLD
    })
}

/// Nanoseconds of each run, with its class.
fn measure(engine: Engine, operation: &Operation, samples: usize) -> Vec<(Class, f64)> {
    let mut rng = rand::rng();
    let inputs: Vec<(Class, [[u8; 32]; 8])> = (0..samples)
        .map(|_| {
            let mut secrets = [operation.fixed; 8];
            if rng.random() {
                return (Class::Fixed, secrets);
            }
            for secret in &mut secrets {
                rng.fill_bytes(secret);
            }
            (Class::Random, secrets)
        })
        .collect();
    let mut secrets: Secrets = std::array::from_fn(|_| Zeroizing::new([0; 32]));
    let mut time = |input: &[[u8; 32]; 8]| {
        for (secret, input) in secrets.iter_mut().zip(input) {
            secret.copy_from_slice(input);
        }
        let start = Instant::now();
        (operation.run)(engine, black_box(&secrets));
        start.elapsed().as_nanos() as f64
    };
    // caches, branch predictors and the clock settle
    for (_, input) in inputs.iter().take(samples / 20) {
        time(input);
    }
    inputs.iter().map(|(class, input)| (*class, time(input))).collect()
}

/// The t of the fixed class against the random one that is furthest from zero, over [`QUANTILES`].
fn largest_t(samples: &[(Class, f64)]) -> f64 {
    let mut sorted: Vec<_> = samples.iter().map(|&(_, time)| time).collect();
    sorted.sort_by(f64::total_cmp);
    let t = QUANTILES.map(|quantile| {
        let longest = sorted[((sorted.len() - 1) as f64 * quantile) as usize];
        let of = |wanted| {
            let kept =
                samples.iter().filter(move |(class, time)| *class == wanted && *time <= longest);
            kept.map(|&(_, time)| time).collect::<Vec<_>>()
        };
        welch::t(&of(Class::Fixed), &of(Class::Random))
    });
    t.into_iter().fold(0.0, |largest: f64, t| if t.abs() > largest.abs() { t } else { largest })
}
