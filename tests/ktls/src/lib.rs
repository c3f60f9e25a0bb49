//! Nothing: what this package holds is its tests.
