//! Sessions kept in this process, bounded in bytes.
//!
//! Sessions are in shards by their random identifier, each in the order in which they came, which is that in which
//! they expire. Room is made from the oldest on, so nothing is ever searched.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LinkedHashMap;
use rustls::pki_types::UnixTime;
use zeroize::Zeroizing;

use super::{Error, seal};

/// What rustls gives sessions of TLS 1.3 as their identity.
const ID: usize = 32;
type Id = [u8; ID];

const SHARDS: usize = 64;

/// What an entry takes besides the bytes of session and scope: its fields, links, and its share of the table.
const OVERHEAD: usize = 192;

/// A store of sessions, to be shared between a server's configurations. A session is given out once.
pub struct SessionStore {
    shards: [Mutex<Shard>; SHARDS],
    /// In seconds.
    lifetime: u64,
}

struct Shard {
    sessions: LinkedHashMap<Id, Entry>,
    bytes: usize,
    max_bytes: usize,
}

struct Entry {
    session: Zeroizing<Vec<u8>>,
    scope: Box<str>,
    /// Seconds since 1970.
    since: u64,
    expires: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.session.capacity() + self.scope.len() + OVERHEAD
    }
}

impl SessionStore {
    /// Room for `max_bytes` in all. Sessions expire after `lifetime`; when there is no room, the oldest go before.
    /// A session takes about 200 bytes more than the client's chain.
    ///
    /// # Errors
    /// [`Error::Zero`] if there is not room for a session, or none lives for a second.
    pub fn new(max_bytes: usize, lifetime: Duration) -> Result<Arc<Self>, Error> {
        if max_bytes / SHARDS < 2 * OVERHEAD {
            return Err(Error::Zero { what: "a session store's room", least: "64 KiB" });
        }
        let lifetime = lifetime.as_secs();
        if lifetime == 0 {
            return Err(Error::Zero { what: "a session's lifetime", least: "a second" });
        }
        let shard =
            || Shard { sessions: LinkedHashMap::new(), bytes: 0, max_bytes: max_bytes / SHARDS };
        let shards = std::array::from_fn(|_| Mutex::new(shard()));
        Ok(Arc::new(Self { shards, lifetime }))
    }

    /// How many sessions there are, those included that have expired and were not yet removed.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).sessions.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that they take; never more than there is room for.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes).sum()
    }

    /// The shard for an identifier; none if it is not one of ours.
    fn shard(&self, id: &[u8]) -> Option<(Id, MutexGuard<'_, Shard>)> {
        let id: Id = id.try_into().ok()?;
        Some((id, lock(&self.shards[usize::from(id[0]) % SHARDS])))
    }

    /// Keeps a session as rustls writes it under the identifier that it was given, of 32 bytes, with the time of the
    /// client's last CertificateVerify. None if it is too large, or the identifier of another length.
    ///
    /// [`ServerResumption`](super::ServerResumption) does this for its connections.
    pub fn put(
        &self,
        id: &[u8],
        scope: &str,
        session: Zeroizing<Vec<u8>>,
        since: UnixTime,
        now: UnixTime,
    ) -> Option<()> {
        let expires = now.as_secs().saturating_add(self.lifetime);
        let entry = Entry { session, scope: scope.into(), since: since.as_secs(), expires };
        let (id, mut shard) = self.shard(id)?;
        shard.put(id, entry, now.as_secs())
    }

    /// Takes a session out of the store, with the time of the client's last CertificateVerify; none if it is not
    /// there, or has expired, or is of another scope. It has been judged by nobody.
    pub fn take(
        &self,
        id: &[u8],
        scope: &str,
        now: UnixTime,
    ) -> Option<(Zeroizing<Vec<u8>>, UnixTime)> {
        let (id, mut shard) = self.shard(id)?;
        let entry = shard.take(&id)?;
        (*entry.scope == *scope && now.as_secs() < entry.expires)
            .then(|| (entry.session, seal::at(entry.since)))
    }
}

/// What a panic elsewhere could leave half done is a sum; it is none of these sections' business.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn put(&mut self, id: Id, entry: Entry, now: u64) -> Option<()> {
        let bytes = entry.bytes();
        if bytes > self.max_bytes {
            return None;
        }
        self.take(&id);
        while let Some((_, oldest)) = self.sessions.front() {
            if oldest.expires > now && self.bytes + bytes <= self.max_bytes {
                break;
            }
            let oldest = self.sessions.pop_front()?;
            self.bytes -= oldest.1.bytes();
        }
        self.bytes += bytes;
        self.sessions.insert(id, entry);
        Some(())
    }

    fn take(&mut self, id: &Id) -> Option<Entry> {
        let entry = self.sessions.remove(id)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }
}

impl fmt::Debug for SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore")
            .field("sessions", &self.len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> Id {
        let mut id = [0; ID];
        id[..8].copy_from_slice(&number.to_le_bytes());
        id
    }

    fn store() -> Arc<SessionStore> {
        SessionStore::new(64 * 4096, Duration::from_secs(100)).expect("a store")
    }

    fn put(store: &SessionStore, number: usize, now: u64) -> Option<()> {
        store.put(&id(number), "s", vec![7; 400].into(), seal::at(5), seal::at(now))
    }

    fn take(store: &SessionStore, number: usize, now: u64) -> Option<UnixTime> {
        store.take(&id(number), "s", seal::at(now)).map(|(_, since)| since)
    }

    #[test]
    fn a_session_is_given_out_once() {
        let store = store();
        assert_eq!(put(&store, 1, 10), Some(()));
        assert_eq!(store.len(), 1);
        assert_eq!(take(&store, 1, 10), Some(seal::at(5)));
        assert_eq!(take(&store, 1, 10), None);
        assert_eq!((store.len(), store.bytes()), (0, 0));
    }

    #[test]
    fn not_after_it_has_expired_nor_to_another_scope() {
        let store = store();
        put(&store, 1, 10);
        assert_eq!(take(&store, 1, 110), None);
        put(&store, 2, 10);
        assert_eq!(store.take(&id(2), "other", seal::at(10)), None);
        assert_eq!(take(&store, 2, 10), None, "and it is gone");
        put(&store, 3, 10);
        assert_eq!(store.take(&[3], "s", seal::at(10)), None);
    }

    #[test]
    fn it_never_takes_more_bytes_than_there_is_room_for_and_the_oldest_go_first() {
        let store = store();
        let mut most = 0;
        for number in 0..10_000 {
            assert_eq!(put(&store, number, 10), Some(()));
            most = most.max(store.bytes());
        }
        assert!(most <= 64 * 4096 && most > 64 * 3400, "{most}");
        assert_eq!(take(&store, 0, 10), None);
        assert!(take(&store, 9_999, 10).is_some());
        let large = vec![0; 5000].into();
        assert_eq!(store.put(&id(1), "s", large, seal::at(5), seal::at(10)), None);
    }

    #[test]
    fn what_has_expired_makes_room() {
        let store = store();
        put(&store, 0, 10);
        put(&store, 64 * 256, 110);
        assert_eq!(store.len(), 1);
    }
}
