//! What is measured: latency, CPU time by role, the machine's busy time, memory.

mod cpu;
mod latency;
mod memory;
mod watched;

pub use cpu::{Clocks, CpuWatch, Used, idle_ns_per_s, thread_time};
pub use latency::Latency;
pub use memory::kernel_slab_bytes;
pub use watched::Watched;
pub(crate) use watched::below;
