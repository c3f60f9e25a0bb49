//! The closed loop: every slot always busy.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::slot::Slot;
use super::tally::{Run, Tally};
use super::transport::Transport;

/// Pause after a failure, so that a dead server is not hammered.
const AFTER_FAILURE: Duration = Duration::from_millis(5);

/// Keeps `slots` busy until the run closes and every operation begun has ended.
pub(super) async fn drive<T: Transport>(
    slots: Vec<Slot<T>>,
    run: &Arc<Run>,
) -> (Vec<Slot<T>>, Tally) {
    let tally = Rc::new(RefCell::new(Tally::default()));
    tokio::time::sleep_until(run.start.into()).await;
    let mut loops = JoinSet::new();
    for slot in slots {
        loops.spawn_local(keep_busy(slot, run.clone(), tally.clone()));
    }
    let slots = loops.join_all().await;
    (slots, tally.take())
}

async fn keep_busy<T: Transport>(
    mut slot: Slot<T>,
    run: Arc<Run>,
    tally: Rc<RefCell<Tally>>,
) -> Slot<T> {
    loop {
        let begun = Instant::now();
        if begun >= run.close {
            return slot;
        }
        match slot.operate().await {
            Ok(()) => {
                run.count_completed();
                if run.measuring() {
                    tally.borrow_mut().completed(&run, begun);
                }
            }
            Err(error) => {
                tally.borrow_mut().failed(&error);
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}
