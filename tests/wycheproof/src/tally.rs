//! Counting what was checked, so that a test can't pass by checking nothing.

/// The checks of one algorithm on one implementation.
pub(crate) struct Tally {
    what: String,
    checks: usize,
}

impl Tally {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), checks: 0 }
    }

    /// Counts one check that holds; fails with the name of the vector otherwise.
    #[track_caller]
    pub(crate) fn check(&mut self, holds: bool, vector: impl std::fmt::Display) {
        assert!(holds, "{}: {vector}", self.what);
        self.checks += 1;
    }

    /// Says how many checks were made, and fails if there were fewer than `minimum`.
    #[track_caller]
    pub(crate) fn at_least(self, minimum: usize) {
        println!("{}: {} checks", self.what, self.checks);
        assert!(
            self.checks >= minimum,
            "{}: {} checks, at least {minimum} expected",
            self.what,
            self.checks
        );
    }
}
