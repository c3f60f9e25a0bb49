//! How a TPM is opened.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[cfg(doc)]
use super::OWNER;
use super::device::Device;
use super::owner::Owner;
use super::{Inner, Tpm, TpmError};

/// Settings of a [`Tpm`].
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) tcti: String,
    pub(super) capacity: usize,
    pub(super) deadline: Duration,
    pub(super) parent: u32,
    pub(super) pinned: Option<Vec<u8>>,
}

impl Builder {
    /// Operations that may wait. Default: 1,024. More than the TPM does within the deadline makes no sense.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity.max(1);
        self
    }

    /// How long an operation may take, its waiting included. Default: 10 seconds.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Below which key new ones are made: a hierarchy, whose standard storage key is made each time it is needed (50 to
    /// 300 ms on a discrete TPM), or a persistent handle, 0x81000001 by convention. Default: [`OWNER`].
    #[must_use]
    pub fn parent(mut self, handle: u32) -> Self {
        self.parent = handle;
        self
    }

    /// Demands that every parent has this [name](Tpm::parent_name), in hexadecimal.
    ///
    /// # Errors
    /// [`TpmError::Address`] if it is no hexadecimal number.
    pub fn pin_parent(mut self, name: &str) -> Result<Self, TpmError> {
        let digits = name.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2);
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
        });
        let name: Option<Vec<u8>> = digits.collect();
        let name = name.filter(|name| !name.is_empty());
        self.pinned = Some(name.ok_or_else(|| TpmError::Address { tcti: self.tcti.clone() })?);
        Ok(self)
    }

    /// Starts the TPM's threads, and sees that it answers.
    ///
    /// # Errors
    /// [`TpmError::Address`], [`TpmError::Thread`], [`TpmError::Unreachable`].
    pub fn open(self) -> Result<Tpm, TpmError> {
        let Self { tcti: name, capacity, deadline, parent, pinned } = self;
        let tcti = name.parse().map_err(|_| TpmError::Address { tcti: name.clone() })?;
        let reopened = Arc::new(AtomicU64::new(0));
        let device =
            Device { tcti, name, pinned, reopened: Arc::clone(&reopened), connection: None };
        let owner = Owner::start(device, capacity, deadline)?;
        let tpm = Tpm(Arc::new(Inner { owner, parent, reopened, keys: AtomicU64::new(0) }));
        tpm.run(move |device, due| device.attempt(due, parent, None, |_| Ok(())))?;
        Ok(tpm)
    }
}
