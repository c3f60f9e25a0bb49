//! Coroutines with stacks of their own: where a computation waits in the middle of a call.
//!
//! This is the one place where unsafe code is needed. What runs inside has to find the way out
//! ([`suspend`]) from deep within rustls, which hands no reference of ours down to the provider. So
//! the way out, corosensei's [`Yielder`], lies in a thread-local while its coroutine runs, and a
//! thread-local can't hold a borrow. The other unsafe read measures how much of a stack was used.
//!
//! Stacks end in a guard page: who overflows one kills the process and corrupts nothing.

#![allow(unsafe_code)] // listed in ci/check-layers

use std::cell::Cell;
use std::io;
use std::ptr::NonNull;

use corosensei::stack::{DefaultStack, Stack as _};
use corosensei::{Coroutine, CoroutineResult, Yielder};

thread_local! {
    /// The way out of the coroutine that runs on this thread; of the innermost, if they nest.
    /// Without a destructor, so that reading it is one load, at any time of a thread's life.
    static RUNNING: Cell<Option<NonNull<Yielder<(), ()>>>> = const { Cell::new(None) };
}

/// Stack sizes are multiples of this, the largest page of the platforms we know.
const GRANULE: usize = 64 * 1024;

/// Memory for a coroutine to run in.
pub(super) struct Stack {
    memory: DefaultStack,
    #[cfg_attr(not(unix), allow(dead_code, reason = "used where stacks can be measured"))]
    size: usize,
}

impl Stack {
    /// Maps a stack of at least `size` bytes and a guard page below it.
    ///
    /// # Errors
    /// When the operating system has no memory or no mapping left for it.
    pub(super) fn new(size: usize) -> io::Result<Self> {
        let size = size.max(1).checked_next_multiple_of(GRANULE);
        let size = size.filter(|&size| size <= isize::MAX as usize);
        let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory: DefaultStack::new(size)?, size })
    }

    /// The most bytes that were ever in use, to a word: what lies deeper is as the kernel gave it.
    #[cfg(unix)]
    pub(super) fn high_water(&self) -> usize {
        let words = self.size / size_of::<usize>();
        let bottom = (self.memory.base().get() - self.size) as *const usize;
        // SAFETY: the `size` bytes below `base` are mapped readable for as long as `self` lives:
        // DefaultStack maps the guard page below them, and `size` is a multiple of the page size.
        // `bottom` is aligned, as pages are. Every bit pattern is a usize. Nothing runs on the
        // stack meanwhile: a Fiber owns its stack, and this one has none.
        let untouched =
            (0..words).take_while(|&word| unsafe { bottom.add(word).read_volatile() } == 0);
        (words - untouched.count()) * size_of::<usize>()
    }

    /// Windows commits stacks page by page and faults on a read ahead: not measured there.
    #[cfg(not(unix))]
    pub(super) fn high_water(&self) -> usize {
        0
    }
}

/// A computation on a stack of its own, which can wait in [`suspend`] and be resumed.
///
/// Dropping one that waits unwinds its stack, and aborts the process where panics abort. Its owner
/// ([`Batched`](super::Batched)) therefore always resumes it to its end.
pub(super) struct Fiber {
    coroutine: Coroutine<(), (), (), DefaultStack>,
    size: usize,
    /// Where the way out of it is, once it has run.
    yielder: Option<NonNull<Yielder<(), ()>>>,
}

impl Fiber {
    /// Prepares `body` to run on `stack`. A panic in it comes out of [`Self::resume`].
    pub(super) fn new(stack: Stack, body: impl FnOnce() + 'static) -> Self {
        let coroutine = Coroutine::with_stack(stack.memory, move |yielder: &Yielder<_, _>, ()| {
            RUNNING.set(Some(NonNull::from(yielder)));
            body();
        });
        Self { coroutine, size: stack.size, yielder: None }
    }

    /// Runs it until it waits (`false`) or has ended (`true`).
    pub(super) fn resume(&mut self) -> bool {
        let outer = Restore(RUNNING.replace(self.yielder));
        let result = self.coroutine.resume(());
        self.yielder = RUNNING.get();
        drop(outer);
        matches!(result, CoroutineResult::Return(()))
    }

    /// The stack of one that has ended, for another to use.
    pub(super) fn into_stack(self) -> Stack {
        Stack { memory: self.coroutine.into_stack(), size: self.size }
    }
}

/// Puts back what was [`RUNNING`] outside, also when a panic passes.
struct Restore(Option<NonNull<Yielder<(), ()>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Whether the caller runs in a coroutine of ours.
#[inline]
pub(super) fn inside() -> bool {
    RUNNING.get().is_some()
}

/// Waits: returns from [`Fiber::resume`] to the coroutine's owner, and comes back when it resumes.
///
/// # Panics
/// Outside a coroutine.
pub(super) fn suspend() {
    let yielder = RUNNING.get().expect("suspend() is called in a coroutine");
    // SAFETY: the yielder lies at the base of its coroutine's stack, and is valid until the body
    // returns. RUNNING holds it only while that coroutine runs: its body puts it there, and
    // `resume` takes it away when control comes back, be it by suspension, end or panic. A
    // coroutine never changes threads (it is not Send), nor does a thread-local.
    unsafe { yielder.as_ref() }.suspend(());
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn coroutines_take_turns_and_keep_their_own_way_out() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut fibers: Vec<_> = (0..3)
            .map(|number| {
                let log = Rc::clone(&log);
                Fiber::new(Stack::new(1).unwrap(), move || {
                    for step in 0..2 {
                        log.borrow_mut().push((number, step));
                        suspend();
                    }
                })
            })
            .collect();
        assert!(!inside());
        for expected in [false, false, true] {
            for fiber in &mut fibers {
                assert_eq!(fiber.resume(), expected);
                assert!(!inside());
            }
        }
        assert_eq!(*log.borrow(), [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]);
    }

    #[test]
    fn a_nested_coroutine_suspends_itself_alone() {
        let mut outer = Fiber::new(Stack::new(1).unwrap(), || {
            let mut inner = Fiber::new(Stack::new(1).unwrap(), suspend);
            assert!(!inner.resume());
            suspend(); // the outer one
            assert!(inner.resume());
            assert!(inside());
        });
        assert!(!outer.resume());
        assert!(outer.resume());
    }

    #[test]
    fn a_panic_comes_out_and_leaves_no_trace() {
        let mut fiber = Fiber::new(Stack::new(1).unwrap(), || panic!("inside"));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fiber.resume()));
        assert_eq!(*caught.unwrap_err().downcast_ref::<&str>().unwrap(), "inside");
        assert!(!inside());
    }

    #[cfg(unix)]
    #[test]
    fn the_high_water_mark_is_how_deep_the_stack_was_used() {
        let stack = Stack::new(256 * 1024).unwrap();
        assert_eq!(stack.high_water(), 0);
        let mut fiber = Fiber::new(stack, || {
            std::hint::black_box(&mut [1_u8; 100 * 1024]);
        });
        assert!(fiber.resume());
        let used = fiber.into_stack().high_water();
        assert!((100 * 1024..110 * 1024).contains(&used), "{used}");
    }

    #[test]
    fn a_stack_too_large_for_the_machine_is_an_error() {
        for size in [1 << 60, usize::MAX] {
            assert!(Stack::new(size).is_err());
        }
    }
}
