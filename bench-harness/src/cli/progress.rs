//! Progress: bars on a terminal, plain lines elsewhere, always on standard error.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::experiment::Progress;

/// Progress for whoever watches standard error.
pub(super) fn watcher() -> Box<dyn Progress> {
    if stderr().is_terminal() {
        Box::new(Bar(RefCell::new(ProgressBar::hidden())))
    } else {
        Box::new(Lines)
    }
}

struct Bar(RefCell<ProgressBar>);

impl Progress for Bar {
    fn phase(&self, name: &str, steps: u64) {
        self.0.borrow().finish_and_clear();
        let bar = ProgressBar::new(steps).with_message(name.to_owned());
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {prefix} {elapsed}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_secs(1));
        *self.0.borrow_mut() = bar;
    }

    fn step(&self, what: &str) {
        let bar = self.0.borrow();
        bar.inc(1);
        bar.set_prefix(what.to_owned());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.borrow().finish_and_clear();
    }
}

struct Lines;

impl Progress for Lines {
    fn phase(&self, name: &str, steps: u64) {
        super::say(&format!("{name} ({steps} steps)"));
    }

    fn step(&self, what: &str) {
        super::say(&format!("  {what}"));
    }
}
