//! Results: the versioned document, the tables made from it, and how both are kept.

pub(crate) mod escape;
mod figures;
mod read;
mod remarks;
mod result;
mod table;
mod write;

pub use figures::{ChainCache, Figures};
pub use read::read;
pub use remarks::warnings;
pub use result::{ArmResult, LoadPoint, MeasuredWindow, RunResult, SCHEMA_VERSION, schema};
pub use table::render;
pub use write::{check_writable, write};
