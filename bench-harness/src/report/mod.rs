//! Results: the versioned document, the tables, charts and pages made from it, and how they are kept.

pub mod chart;
pub mod csv;
pub(crate) mod escape;
mod figures;
pub mod html;
pub mod markdown;
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
pub use write::{check_writable, keep, write};
