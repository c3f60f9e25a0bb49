//! Where keys lie: in a page of their own, which is not swapped out if the system can be told so, and is
//! wiped before it is given back.

use region::LockGuard;
use zeroize::Zeroize;

use super::SECRET;

/// Locking works on whole pages; that no other lock is on this one is what the alignment is for.
#[repr(C, align(4096))]
struct Page([[u8; SECRET]; 3], [u8; 4096 - 3 * SECRET]);

pub(super) struct Secrets {
    page: Box<Page>,
    /// None where the system refuses, for its limit on locked memory for example.
    _lock: Option<LockGuard>,
}

impl Secrets {
    pub(super) fn new() -> Self {
        let page = Box::new(Page([[0; SECRET]; 3], [0; 4096 - 3 * SECRET]));
        let lock = region::lock(&raw const *page, size_of::<Page>()).ok();
        Self { page, _lock: lock }
    }

    pub(super) fn get(&self, place: usize) -> &[u8; SECRET] {
        &self.page.0[place]
    }

    pub(super) fn get_mut(&mut self, place: usize) -> &mut [u8; SECRET] {
        &mut self.page.0[place]
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.page.0.zeroize();
    }
}
