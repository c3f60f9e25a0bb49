//! Prints a block of `src/plan/table.rs`, measured on this machine.
//!
//! `cargo run --release --features ring,graviola --example measure_table -- "AWS m5.large"`
//! on an otherwise idle machine, then paste the output over the block of the same class. The
//! argument names the machine. Takes two to three minutes.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use rustls_offload::cpu::Cpu;
use rustls_offload::plan::measure::compare;
use rustls_offload::plan::{Algorithm, Backend};

/// Rounds over all algorithms; each backend's best round counts, for a shared host has slow spells
/// that last longer than one comparison.
const ROUNDS: usize = 12;
/// Measuring time for one algorithm in one round.
const BUDGET: Duration = Duration::from_millis(400);

fn main() -> Result<(), Box<dyn Error>> {
    let machine =
        std::env::args().nth(1).ok_or("name the machine: measure_table -- \"AWS m5.large\"")?;
    let cpu = Cpu::detect()?;
    let mut best: BTreeMap<(Algorithm, Backend), f64> = BTreeMap::new();
    for round in 1..=ROUNDS {
        for &algorithm in Algorithm::ALL {
            eprintln!("round {round} of {ROUNDS}: {algorithm}");
            for measured in compare(algorithm, &algorithm.candidates(&cpu), BUDGET)? {
                let time = best.entry((algorithm, measured.backend)).or_insert(f64::INFINITY);
                *time = time.min(measured.ns_per_op);
            }
        }
    }
    print_block(&cpu, &machine, &best);
    Ok(())
}

fn print_block(cpu: &Cpu, machine: &str, best: &BTreeMap<(Algorithm, Backend), f64>) {
    println!("Block {{");
    println!("    class: {:?},", cpu.class());
    println!("    machine: \"{machine} ({})\",", cpu.model());
    println!("    rows: &[");
    for ((algorithm, backend), nanoseconds) in best {
        println!("        (Algorithm::{algorithm:?}, Backend::{backend:?}, {nanoseconds:.1}),");
    }
    println!("    ],");
    println!("}},");
}
