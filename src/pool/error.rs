//! Why a handshake in the pool came to nothing, by whose fault.

use std::io;
use std::time::Duration;

/// What went wrong in a [`HandshakePool`](super::HandshakePool).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Too much work for the pool: all its places stayed taken.
    #[error(
        "all {capacity} places of the handshake pool stayed taken for {waited:?}: connections \
         come faster than its threads can serve them; give it more threads, or more capacity if \
         they mostly wait for their peers"
    )]
    Full {
        /// The futures that the pool holds at once.
        capacity: usize,
        /// How long this one waited for a place.
        waited: Duration,
    },

    /// The peer or the network is too slow.
    #[error(
        "the handshake was not complete after {deadline:?}: the peer or the way to it is too slow, \
         or raise the pool's deadline"
    )]
    TimedOut {
        /// The pool's deadline.
        deadline: Duration,
    },

    /// The handshake failed, as it would have without a pool: what `tokio_rustls` says.
    #[error("the handshake failed: {0}")]
    Handshake(#[source] io::Error),

    /// A fault of the code that ran in the pool.
    #[error("code that ran in the handshake pool panicked, a bug in it: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },

    /// The pool's owner has ended it.
    #[error("the handshake pool was shut down; make a new one, or stop accepting first")]
    ShutDown,

    /// The operating system gave the pool no thread.
    #[error("can't start a thread of the handshake pool: {0}; look at the process's limits")]
    Thread(#[source] io::Error),
}
