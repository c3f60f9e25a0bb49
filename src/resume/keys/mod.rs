//! The ring of ticket keys: three of them, of which the middle one seals and all open.
//!
//! So a replica whose clock is ahead, or that got the new keys first, seals with a key that all others have
//! already, and one that is behind with a key that all others still have.

mod file;
mod memory;
mod seed;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use rustls::crypto::{CryptoProvider, SecureRandom};
use rustls::pki_types::UnixTime;

use self::memory::Secrets;
pub(super) use self::seed::Expanded;
pub use self::seed::Seed;
use super::Error;
use super::seal::Cipher;

/// How often a file of keys is looked at again, in seconds.
const LOOK_AGAIN: u64 = 10;

pub(super) const NAME: usize = 16;
pub(super) const SECRET: usize = 32;

/// What a ticket's key is found by.
pub(super) type Name = [u8; NAME];

/// Ticket keys that rotate. Share one between all configurations whose tickets are to be accepted by each other.
///
/// Rotation happens when a key is asked for. Keys are wiped when they leave the ring, and locked in
/// memory where the system allows.
pub struct KeyRing {
    cipher: Cipher,
    source: Source,
    current: ArcSwap<Keys>,
    rotating: Mutex<()>,
}

enum Source {
    Random { random: &'static dyn SecureRandom, period: u64 },
    Derived { seed: Expanded, period: u64 },
    File { path: PathBuf },
}

/// The keys of a period: the one before, its own, the one after.
pub(super) struct Keys {
    period: u64,
    names: [Name; 3],
    secrets: Secrets,
}

impl KeyRing {
    /// Random keys of this process alone; a restart makes all tickets worthless. Each key seals for `period` and
    /// opens for another one after it.
    ///
    /// # Errors
    /// [`Error::Provider`], [`Error::Random`], and [`Error::Zero`] if `period` is below a second.
    pub fn random(provider: &CryptoProvider, period: Duration) -> Result<Arc<Self>, Error> {
        let source = Source::Random { random: provider.secure_random, period: seconds(period)? };
        Self::new(provider, source)
    }

    /// Keys that every replica with the same `seed` and `period` derives for itself from the time: no
    /// coordination, and clocks may differ by up to a period.
    ///
    /// Keys of the past can be derived as well as those of the future, so a seed that leaks opens
    /// all tickets ever made with it. With the key exchange that TLS 1.3 makes at each resumption
    /// (`psk_dhe_ke`, the only mode that rustls has), this does not give away what was said; it gives away who the
    /// clients were, and lets the thief resume as one of them.
    ///
    /// # Errors
    /// [`Error::Provider`], and [`Error::Zero`] if `period` is below a second.
    pub fn derived(
        provider: &CryptoProvider,
        seed: &Seed,
        period: Duration,
    ) -> Result<Arc<Self>, Error> {
        let seed = Cipher::new(provider)?.expand_seed(seed);
        Self::new(provider, Source::Derived { seed, period: seconds(period)? })
    }

    /// Keys from a file that something else rotates: a mounted Kubernetes Secret, for example. It is looked at
    /// again every ten seconds; one that can't be read or is malformed leaves the keys as they are.
    ///
    /// The format is HAProxy's (`tls-ticket-keys`): a line for each key, 48 or 80 random bytes in
    /// base64; of the last three, the one before the last seals. To rotate, append a line and
    /// remove the first, at most as often as the file takes to reach every replica. Replace the file as
    /// a whole, by renaming.
    ///
    /// # Errors
    /// [`Error::Provider`], [`Error::File`], [`Error::Format`], [`Error::NotRandom`].
    pub fn from_file(
        provider: &CryptoProvider,
        path: impl AsRef<Path>,
    ) -> Result<Arc<Self>, Error> {
        Self::new(provider, Source::File { path: path.as_ref().to_owned() })
    }

    fn new(provider: &CryptoProvider, source: Source) -> Result<Arc<Self>, Error> {
        let cipher = Cipher::new(provider)?;
        let first = source.keys(source.period(UnixTime::now()), None)?;
        let current = ArcSwap::from_pointee(first);
        Ok(Arc::new(Self { cipher, source, current, rotating: Mutex::new(()) }))
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// The keys of this moment.
    pub(super) fn at(&self, now: UnixTime) -> Guard<Arc<Keys>> {
        let current = self.current.load();
        if !self.source.is_due(current.period, now) {
            return current;
        }
        // who comes while another one rotates takes the keys as they are
        if let Ok(_rotating) = self.rotating.try_lock() {
            let old = self.current.load();
            let period = self.source.period(now);
            if self.source.is_due(old.period, now) {
                match self.source.keys(period, Some(&old)) {
                    Ok(keys) => self.current.store(Arc::new(keys)),
                    // better old keys than none; asked again in the next period
                    Err(_) => self.current.store(Arc::new(old.in_period(period))),
                }
            }
        }
        self.current.load()
    }
}

fn seconds(period: Duration) -> Result<u64, Error> {
    match period.as_secs() {
        0 => Err(Error::Zero { what: "a rotation period", least: "a second" }),
        seconds => Ok(seconds),
    }
}

impl Source {
    /// The number of the period that `now` is in.
    fn period(&self, now: UnixTime) -> u64 {
        let length = match self {
            Self::Random { period, .. } | Self::Derived { period, .. } => *period,
            Self::File { .. } => LOOK_AGAIN,
        };
        now.as_secs() / length
    }

    /// Random keys never go back to a period that a clock was set back to: they are gone.
    fn is_due(&self, current: u64, now: UnixTime) -> bool {
        let period = self.period(now);
        match self {
            Self::Random { .. } => period > current,
            Self::Derived { .. } | Self::File { .. } => period != current,
        }
    }

    fn keys(&self, period: u64, old: Option<&Keys>) -> Result<Keys, Error> {
        match self {
            Self::Random { random, .. } => Keys::fill(period, |number, name, secret| {
                if let Some(place) = old.and_then(|old| old.place_of(number)) {
                    let old = old.ok_or(Error::Random)?;
                    *name = old.names[place];
                    secret.copy_from_slice(old.secrets.get(place));
                    return Ok(());
                }
                random.fill(name).map_err(|_| Error::Random)?;
                random.fill(secret).map_err(|_| Error::Random)?;
                check("a ticket key", secret)
            }),
            Self::Derived { seed, .. } => Keys::fill(period, |number, name, secret| {
                seed.key(number, name, secret);
                Ok(())
            }),
            Self::File { path } => file::read(path, period),
        }
    }
}

impl Keys {
    /// Each of the three by its number.
    fn fill(
        period: u64,
        mut key: impl FnMut(u64, &mut Name, &mut [u8; SECRET]) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut keys = Self { period, names: [[0; NAME]; 3], secrets: Secrets::new() };
        for place in 0..3 {
            let number = period.wrapping_add(place as u64).wrapping_sub(1);
            key(number, &mut keys.names[place], keys.secrets.get_mut(place))?;
        }
        Ok(keys)
    }

    /// Where the key of period `number` is, if it is one of these.
    fn place_of(&self, number: u64) -> Option<usize> {
        (0..3).find(|&place| self.period.wrapping_add(place as u64).wrapping_sub(1) == number)
    }

    /// The same keys, said to be those of another period.
    fn in_period(&self, period: u64) -> Self {
        let mut secrets = Secrets::new();
        for place in 0..3 {
            secrets.get_mut(place).copy_from_slice(self.secrets.get(place));
        }
        Self { period, names: self.names, secrets }
    }

    /// The one that seals.
    pub(super) fn sealing(&self) -> (&Name, &[u8; SECRET]) {
        (&self.names[1], self.secrets.get(1))
    }

    pub(super) fn opening(&self, name: &Name) -> Option<&[u8; SECRET]> {
        let place = self.names.iter().position(|known| known == name)?;
        Some(self.secrets.get(place))
    }
}

/// Refuses what is the same byte throughout, which a file that was never filled has.
fn check(what: &'static str, secret: &[u8]) -> Result<(), Error> {
    let value = secret.first().copied().unwrap_or_default();
    if secret.iter().all(|&byte| byte == value) {
        return Err(Error::NotRandom { what, value });
    }
    Ok(())
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Random { .. } => "random",
            Source::Derived { .. } => "derived from a seed",
            Source::File { .. } => "from a file",
        };
        f.debug_struct("KeyRing").field("keys", &source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
