//! How many records a key may still protect. Only the kernel knows how many there were, and does not tell:
//! what is counted here is an upper bound.

/// What one record holds at most (RFC 8446, section 5.1).
const RECORD: u64 = 1 << 14;

/// Kept for what must still be sent at the end: a key update, an alert, `close_notify`.
const RESERVE: u64 = 8;

/// The records that one key may protect.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    left: u64,
}

impl Budget {
    /// For a key that may protect `limit` records and has protected `used`.
    pub(super) fn new(limit: u64, used: u64) -> Self {
        Self { limit, left: limit.saturating_sub(used) }
    }

    /// How many bytes one write may have; 0 if the key must be changed first.
    pub(super) fn room(&self) -> usize {
        let records = self.left.saturating_sub(RESERVE + 1);
        usize::try_from(records.saturating_mul(RECORD)).unwrap_or(usize::MAX)
    }

    /// Notes that one write of `bytes` was accepted: full records, one that is not full, and one that an
    /// interrupted write may have left behind.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub((bytes as u64).div_ceil(RECORD) + 1);
    }

    /// Notes records of `size` bytes, where the kernel is known to make smaller ones.
    pub(super) fn spend_small(&mut self, bytes: usize, size: u64) {
        self.left = self.left.saturating_sub((bytes as u64).div_ceil(size) + 1);
    }

    /// Whether a new key would do any good.
    pub(super) fn renewable(&self) -> bool {
        self.limit > RESERVE + 1
    }

    /// Notes that there is a new key.
    pub(super) fn renew(&mut self) {
        self.left = self.limit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_protects_more_records_than_its_limit() {
        for write in [1, 1000, 16384, 16385, 1 << 20] {
            let limit = 100;
            let mut budget = Budget::new(limit, 3);
            let mut records = 3;
            loop {
                let bytes = write.min(budget.room());
                if bytes == 0 {
                    break;
                }
                records += (bytes as u64).div_ceil(RECORD);
                budget.spend(bytes);
            }
            assert!(records > limit / 3, "{records} records of {write} bytes use a third at least");
            assert!(records + RESERVE <= limit, "{records} records and the reserve fit");
        }
    }

    #[test]
    fn a_new_key_has_the_whole_limit() {
        let mut budget = Budget::new(RESERVE + 2, 0);
        assert_eq!(budget.room(), 16384);
        budget.spend(1);
        assert_eq!(budget.room(), 0);
        assert!(budget.renewable());
        budget.renew();
        assert_eq!(budget.room(), 16384);
        assert!(!Budget::new(RESERVE + 1, 0).renewable(), "it would be used up at once");
    }

    #[test]
    fn a_key_without_limit_has_no_end() {
        let mut budget = Budget::new(u64::MAX, 0);
        budget.spend(usize::MAX);
        assert!(budget.room() > 1 << 40);
    }
}
