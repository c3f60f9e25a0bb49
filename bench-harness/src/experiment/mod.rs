//! The experiment: which arms there are, and in which order they are measured.
//!
//! All arms are up from the beginning, idle unless it is their turn. In every round each is
//! measured once, in an order drawn anew, so that a machine that drifts drifts under all of them.

mod arm;
mod memory;
mod stage;
mod verify;

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

pub use arm::{Arm, arms};
pub use memory::Memory;
use stage::Stage;

use crate::Error;
use crate::load::{Load, LoadOrder, OPEN_HANDSHAKE_SLOTS};
use crate::measure::idle_ns_per_s;
use crate::pki::Pki;
use crate::report::{ArmResult, LoadPoint, RunResult};
use crate::settings::{Settings, Workload};
use crate::stats::Spread;
use crate::tls::workload_id;

/// Length of the generator's self-calibration for each arm, in seconds.
const CALIBRATION_S: f64 = 0.15;

/// How long the idle machine is watched.
const IDLE_BASELINE: Duration = Duration::from_secs(2);

/// Told what the experiment is doing.
pub trait Progress {
    /// A new phase of so many steps.
    fn phase(&self, name: &str, steps: u64);
    /// One step of it begins.
    fn step(&self, what: &str);
}

/// Measures `arms` and fills `result` as it goes, so that what was measured is there even if a
/// later step fails.
///
/// # Errors
/// When a role can't be started, fails or dies.
pub async fn run(
    arms: &[Arm],
    settings: &Settings,
    listen: SocketAddr,
    result: &mut RunResult,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let rotates = settings.rotate_s.is_some();
    let mut pki = Pki::generate(settings.tls.key_type, settings.identities, rotates)?;
    if let Some(endpoint) = settings.identity.endpoint() {
        pki = pki.of_workload(&workload_id(endpoint)?);
    }
    progress.phase("starting roles", arms.len() as u64);
    let mut stages = Vec::new();
    for arm in arms {
        progress.step(&arm.to_string());
        result.arms.push(ArmResult::new(arm, settings));
        let index = result.arms.len() - 1;
        if result.arms[index].availability.is_available() {
            let stage = Stage::start(arm, settings, &pki, nth_port(listen, index)?).await?;
            stages.push((index, stage));
        }
    }
    calibrate(&mut stages, settings, result, progress).await?;
    progress.phase("watching the idle machine", 1);
    progress.step("no load");
    result.machine_idle_ns_per_s = idle_ns_per_s(&settings.cpus(), IDLE_BASELINE).await?;
    let mut random = StdRng::seed_from_u64(settings.seed);
    let is_idle = |(_, stage): &mut (usize, Stage)| stage.workload() == Workload::Idle;
    let idle: Vec<_> = stages.extract_if(.., is_idle).collect();
    if settings.rate.is_none() {
        saturate(&mut stages, settings, result, progress, &mut random).await?;
    }
    measure_latency(&mut stages, settings, result, progress, &mut random).await?;
    for (index, stage) in stages {
        result.arms[index].problems.extend(stage.finish().await?);
    }
    // Last, because tearing down so many connections would disturb whatever came after.
    measure_memory(idle, settings, result, progress).await
}

/// The address of the server of arm `index`: as given if any free port will do, else the next ones.
fn nth_port(listen: SocketAddr, index: usize) -> Result<SocketAddr, Error> {
    if listen.port() == 0 {
        return Ok(listen);
    }
    let port = usize::from(listen.port()) + index;
    u16::try_from(port).map(|port| SocketAddr::new(listen.ip(), port)).map_err(|_| {
        Error::Usage(format!(
            "--listen {listen} leaves no port for arm {index}; choose a lower port"
        ))
    })
}

async fn calibrate(
    stages: &mut [(usize, Stage)],
    settings: &Settings,
    result: &mut RunResult,
    progress: &dyn Progress,
) -> Result<(), Error> {
    progress.phase("calibrating the generator", stages.len() as u64);
    for (index, stage) in stages {
        if stage.workload() == Workload::Idle {
            continue;
        }
        let arm = &mut result.arms[*index];
        progress.step(&arm.label());
        let ceiling = stage.calibrate(CALIBRATION_S).await?;
        arm.generator_ceiling = Some(ceiling);
        if let Some(rate) = settings.rate.filter(|rate| *rate > ceiling) {
            return Err(Error::Usage(format!(
                "a rate of {rate} /s is more than the generator can make for {} (its own ceiling \
                 is {ceiling:.0} /s); lower --rate or give it more --client-cpus",
                arm.label()
            )));
        }
        stage.prime(settings).await?;
    }
    Ok(())
}

async fn measure_memory(
    stages: Vec<(usize, Stage)>,
    settings: &Settings,
    result: &mut RunResult,
    progress: &dyn Progress,
) -> Result<(), Error> {
    if !stages.is_empty() {
        progress.phase("holding idle connections", stages.len() as u64);
    }
    for (index, mut stage) in stages {
        let arm = &mut result.arms[index];
        progress.step(&arm.label());
        let (memory, problems) = stage.hold(settings.idle_connections).await?;
        arm.memory = Some(memory);
        arm.problems.extend(problems);
        arm.problems.extend(stage.finish().await?);
    }
    Ok(())
}

async fn saturate(
    stages: &mut [(usize, Stage)],
    settings: &Settings,
    result: &mut RunResult,
    progress: &dyn Progress,
    random: &mut StdRng,
) -> Result<(), Error> {
    if stages.is_empty() {
        return Ok(());
    }
    progress.phase("finding the saturation rate", stages.len() as u64 * u64::from(settings.rounds));
    for round in 0..settings.rounds {
        stages.shuffle(random);
        for (index, stage) in stages.iter_mut() {
            let arm = &mut result.arms[*index];
            progress.step(&arm.label());
            let order = order(settings, Load::Closed, round, *index);
            arm.windows.push(stage.measure(round, LoadPoint::Saturation, order).await?);
        }
    }
    for (index, _) in stages.iter() {
        let arm = &mut result.arms[*index];
        arm.saturation = Spread::of(arm.rates(LoadPoint::Saturation));
    }
    Ok(())
}

async fn measure_latency(
    stages: &mut [(usize, Stage)],
    settings: &Settings,
    result: &mut RunResult,
    progress: &dyn Progress,
    random: &mut StdRng,
) -> Result<(), Error> {
    let mut turns: Vec<(usize, LoadPoint)> = Vec::new();
    for position in 0..stages.len() {
        turns.extend(load_points(settings).map(|point| (position, point)));
    }
    if turns.is_empty() {
        return Ok(());
    }
    progress.phase("measuring latency", turns.len() as u64 * u64::from(settings.rounds));
    for round in 0..settings.rounds {
        turns.shuffle(random);
        for (position, point) in &turns {
            let (index, stage) = &mut stages[*position];
            let arm = &mut result.arms[*index];
            progress.step(&format!("{} at {point}", arm.label()));
            let saturation = arm.saturation.map(|spread| spread.median);
            let Some(rate) = point.rate(saturation).filter(|rate| *rate > 0.0) else {
                arm.problems
                    .push(format!("no load at {point}: it completed nothing at saturation"));
                continue;
            };
            let mut order = order(settings, Load::Open { rate }, round, *index);
            if matches!(stage.workload(), Workload::Handshake(_)) {
                order.slots = OPEN_HANDSHAKE_SLOTS;
            }
            arm.windows.push(stage.measure(round, *point, order).await?);
        }
    }
    Ok(())
}

fn load_points(settings: &Settings) -> impl Iterator<Item = LoadPoint> {
    let fractions = if settings.rate.is_some() { &[] } else { settings.load_points.as_slice() };
    let fractions: Vec<_> =
        fractions.iter().map(|fraction| LoadPoint::Fraction(*fraction)).collect();
    settings.rate.map(LoadPoint::Rate).into_iter().chain(fractions)
}

fn order(settings: &Settings, load: Load, round: u32, arm: usize) -> LoadOrder {
    LoadOrder {
        load,
        slots: settings.concurrency,
        warmup_s: settings.warmup_s,
        window_s: settings.window_s,
        seed: settings.seed ^ (u64::from(round) << 32) ^ ((arm as u64) << 16),
        rotate_s: settings.rotate_s,
    }
}
