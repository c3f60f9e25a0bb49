//! Whether the time of an operation depends on its secrets: what the two programs here have in common.
//!
//! | program | runs on | finds |
//! |---|---|---|
//! | `memcheck` | the engines that valgrind can run: portable and one-lane | every branch and every address that depends on a secret, whether it costs time or not |
//! | `dudect` | the AVX-512 IFMA engine, which valgrind can't run | any difference in time between a fixed secret and random ones, whatever its cause |
//!
//! All engines run the same source, so what memcheck finds in one is in all of them; what the compiler
//! or the CPU adds on the vector engine is left to dudect. Both programs also run operations that
//! leak on purpose, and fail if these are not caught.
//!
//! A new operation is one more entry of [`operations::ALL`].

pub mod operations;
pub mod welch;
