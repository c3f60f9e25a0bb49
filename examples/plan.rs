//! Prints the plan for this machine, then measures it and prints what calibration chooses.
//!
//! `cargo run --release --features ring,graviola --example plan`

use std::error::Error;
use std::time::Instant;

use rustls_offload::cpu::Cpu;
use rustls_offload::plan::{Plan, calibrate};

fn main() -> Result<(), Box<dyn Error>> {
    let cpu = Cpu::detect()?;
    println!("{}\n", Plan::for_cpu(&cpu));
    let start = Instant::now();
    let plan = calibrate(&cpu)?;
    println!("calibrated in {} ms:\n{plan}", start.elapsed().as_millis());
    Ok(())
}
