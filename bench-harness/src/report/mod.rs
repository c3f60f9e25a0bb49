//! Results: the versioned document, the tables made from it, and how both are kept.

mod figures;
mod remarks;
mod result;
mod table;
mod write;

pub use figures::{ChainCache, Figures};
pub use result::{ArmResult, LoadPoint, MeasuredWindow, RunResult, SCHEMA_VERSION, schema};
pub use table::render;
pub use write::{check_writable, write};
