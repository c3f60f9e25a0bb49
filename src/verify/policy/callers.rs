//! The policy in force, and the connections that were let in under it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::{Decision, Policy};
use crate::verify::VerifiedPeer;
use crate::verify::spiffe::SpiffeId;

/// Connections come and go on all threads; each identity is behind one of so many locks.
const SHARDS: usize = 16;

/// What tells a connection to go.
type Leave = Box<dyn FnOnce() + Send>;

/// The connections of each identity, by their numbers.
type Shard = HashMap<SpiffeId, HashMap<u64, Leave>>;

/// Who may call, and who is connected. Share one between all that let clients in.
pub struct Callers {
    policy: ArcSwap<Policy>,
    hasher: RandomState,
    connected: [Mutex<Shard>; SHARDS],
    next: AtomicU64,
    refused: AtomicU64,
    /// Who puts a policy in force holds this, so that the last one is the one that connections were held against.
    replacing: Mutex<()>,
}

/// An identity that may not call, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id} may not call: {why}; change the policy of who may call if it should")]
pub struct NotAllowed {
    id: SpiffeId,
    why: String,
}

/// A connection that was let in. Dropped when the connection has ended.
#[must_use = "the connection counts as ended when this is dropped"]
pub struct Admission {
    callers: Arc<Callers>,
    id: SpiffeId,
    number: u64,
}

impl Callers {
    /// Under `policy`, to begin with.
    pub fn new(policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            policy: ArcSwap::from_pointee(policy),
            hasher: RandomState::new(),
            connected: std::array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            replacing: Mutex::default(),
        })
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Whether `id` may call now.
    pub fn allows(&self, id: &SpiffeId) -> bool {
        self.policy.load().allows(id)
    }

    /// Whether a verified peer may call now; one without a well-formed SPIFFE ID may not. Refusals are counted.
    pub fn may_call(&self, peer: &VerifiedPeer) -> bool {
        let id = peer.spiffe_id().and_then(|uri| SpiffeId::new(uri).ok());
        let allowed = id.is_some_and(|id| self.allows(&id));
        if !allowed {
            self.refused.fetch_add(1, Relaxed);
        }
        allowed
    }

    /// How often a client was refused, in handshakes and resumptions.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How many connections are admitted now.
    pub fn connections(&self) -> usize {
        self.connected
            .iter()
            .map(|shard| lock(shard).values().map(HashMap::len).sum::<usize>())
            .sum()
    }

    /// Lets a connection of `id` in, once its handshake is done. If a later policy no longer allows `id`, `leave` is
    /// called, once, on the thread that replaces the policy; it must neither block nor replace the policy itself. To
    /// be told in a task:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use rustls_offload::verify::policy::{Callers, NotAllowed};
    /// # use rustls_offload::verify::spiffe::SpiffeId;
    /// # async fn serve(callers: Arc<Callers>, id: SpiffeId, requests: impl Future<Output = ()>) -> Result<(), NotAllowed> {
    /// let (tell, told) = tokio::sync::oneshot::channel::<()>();
    /// let _admission = callers.admit(&id, move || _ = tell.send(()))?;
    /// tokio::select! {
    ///     () = requests => {}
    ///     _ = told => {} // dropping the stream closes it
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NotAllowed`] if `id` may not call now: the policy can have changed since the handshake.
    pub fn admit(
        self: &Arc<Self>,
        id: &SpiffeId,
        leave: impl FnOnce() + Send + 'static,
    ) -> Result<Admission, NotAllowed> {
        let mut shard = self.shard(id);
        // Under the lock: a policy that comes into force now goes through this shard afterwards.
        let why = match self.policy.load().decide(id) {
            Decision::Allowed(_) => None,
            Decision::Denied(by) => Some(format!("it is denied by the rule about {by}")),
            Decision::Unlisted => Some("no rule allows it".to_owned()),
        };
        if let Some(why) = why {
            self.refused.fetch_add(1, Relaxed);
            return Err(NotAllowed { id: id.clone(), why });
        }
        let number = self.next.fetch_add(1, Relaxed);
        shard.entry(id.clone()).or_default().insert(number, Box::new(leave));
        Ok(Admission { callers: Arc::clone(self), id: id.clone(), number })
    }

    /// Puts `policy` in force: at once for all handshakes and resumptions that are judged from now on, and tells the
    /// connections that it does not allow to go. Returns how many those were.
    ///
    /// The cost is a decision for each identity that is connected, and a call for each connection that is to go.
    ///
    /// # Panics
    /// If what an application does on being told panics: after all others were told.
    pub fn replace(&self, policy: Policy) -> usize {
        let _turn = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = Arc::new(policy);
        self.policy.store(Arc::clone(&policy));
        let (mut told, mut panicked) = (0, None);
        for shard in &self.connected {
            // told without the lock: a connection that goes takes it
            let gone: Vec<_> = lock(shard).extract_if(|id, _| !policy.allows(id)).collect();
            for leave in gone.into_iter().flat_map(|(_, connections)| connections.into_values()) {
                // one that panics must not keep those in who come after it
                panicked = catch_unwind(AssertUnwindSafe(leave)).err().or(panicked);
                told += 1;
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
        told
    }

    fn shard(&self, id: &SpiffeId) -> MutexGuard<'_, Shard> {
        lock(&self.connected[self.hasher.hash_one(id) as usize % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Admission {
    /// Whose connection it is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut shard = self.callers.shard(&self.id);
        let Some(connections) = shard.get_mut(&self.id) else { return };
        let leave = connections.remove(&self.number);
        if connections.is_empty() {
            shard.remove(&self.id);
        }
        // what it captured may do anything when dropped
        drop(shard);
        drop(leave);
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers")
            .field("policy", &self.policy.load())
            .field("connections", &self.connections())
            .field("refused", &self.refused())
            .finish()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admission").field(&self.id).finish()
    }
}
