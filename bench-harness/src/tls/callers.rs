//! Whose credentials the next connection is made with.
//!
//! A *caller* is one client identity: its certificate and key, and the sessions made with them. A
//! session is never used by another caller than the one it was made by, for in it the server knows
//! whom it talks to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::SmallRng;
use rustls::ClientConfig;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsConnector;

use super::sessions::{KeepOnly, SessionPool};
use crate::Error;
use crate::pki::{Identity, LeafIssuer};
use crate::settings::{Identities, Popularity};

/// Draws before the callers are searched for one that has a session.
const DRAWS: usize = 16;

/// Many client identities: how to make them, and when to use which.
#[derive(Clone, Serialize, Deserialize)]
pub struct Population {
    /// Issues their leaves.
    pub issuer: LeafIssuer,
    /// How many there are and how they are drawn.
    pub identities: Identities,
    /// Seeds the draws.
    pub seed: u64,
}

/// How a connection is to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// With a full handshake whose session is not kept.
    Full,
    /// With a full handshake, for its session.
    Priming,
    /// With a session.
    Resuming,
}

/// Everyone whom this end can be.
pub(super) enum Callers {
    /// A fixed number, drawn by popularity.
    Drawn(Drawn),
    /// Each used once.
    Fresh(Box<Fresh>),
}

impl Callers {
    /// The one identity that `config` has.
    pub(super) fn only(config: &ClientConfig) -> Result<Self, Error> {
        let callers = vec![Caller::new(config, 1.0)];
        Ok(Self::Drawn(Drawn::new(callers, Popularity::Uniform, 0)?))
    }

    /// Those of a population, with `config` in all but their credentials. A fixed number is issued
    /// now; fresh ones, when [`Self::supply`] is called.
    pub(super) fn many(config: ClientConfig, population: &Population) -> Result<Self, Error> {
        match population.identities {
            Identities::Fresh => Ok(Self::Fresh(Box::new(Fresh {
                config,
                issuer: population.issuer.clone(),
                unused: Mutex::default(),
                issued: AtomicU64::new(0),
            }))),
            Identities::Drawn { count, popularity } => {
                let all: f64 = (0..count).map(|rank| popularity.weight(rank)).sum();
                let identities = population.issuer.issue(0, count)?.into_iter().enumerate();
                let callers = identities.map(|(rank, identity)| {
                    let share = popularity.weight(rank) / all;
                    Ok(Caller::new(&with_identity(&config, identity)?, share))
                });
                let callers = callers.collect::<Result<_, Error>>()?;
                Ok(Self::Drawn(Drawn::new(callers, popularity, population.seed)?))
            }
        }
    }

    /// Makes sure that there are so many fresh identities, where each is used once.
    pub(super) fn supply(&self, connections: u64) -> Result<(), Error> {
        match self {
            Self::Drawn(_) => Ok(()),
            Self::Fresh(fresh) => fresh.supply(connections),
        }
    }

    /// What to make the next connection with; none if there is no fresh identity left.
    pub(super) fn next(&self, manner: Manner) -> Option<TlsConnector> {
        match self {
            Self::Drawn(drawn) => Some(drawn.next(manner)),
            Self::Fresh(fresh) => fresh.unused().pop(),
        }
    }
}

fn with_identity(config: &ClientConfig, identity: Identity) -> Result<ClientConfig, Error> {
    let mut config = config.clone();
    let key = config.crypto_provider().key_provider.load_private_key(identity.key)?;
    let resolver = SingleCertAndKey::from(CertifiedKey::new(identity.chain, key));
    config.client_auth_cert_resolver = Arc::new(resolver) as Arc<dyn ResolvesClientCert>;
    Ok(config)
}

struct Caller {
    full: TlsConnector,
    priming: TlsConnector,
    resuming: TlsConnector,
    sessions: Arc<SessionPool>,
}

impl Caller {
    fn new(config: &ClientConfig, share: f64) -> Self {
        let sessions = Arc::new(SessionPool::new(share));
        // Clones, because rustls resumes only what the same verifier and credentials have made.
        let with = |resumption| {
            let mut config = config.clone();
            config.resumption = resumption;
            TlsConnector::from(Arc::new(config))
        };
        Self {
            full: with(Resumption::disabled()),
            priming: with(Resumption::store(Arc::new(KeepOnly(sessions.clone())))),
            resuming: with(Resumption::store(sessions.clone())),
            sessions,
        }
    }
}

/// A fixed number of callers.
pub(super) struct Drawn {
    callers: Vec<Caller>,
    popularity: WeightedIndex<f64>,
    seed: u64,
    turn: AtomicU64,
}

impl Drawn {
    fn new(callers: Vec<Caller>, popularity: Popularity, seed: u64) -> Result<Self, Error> {
        let weights = (0..callers.len()).map(|rank| popularity.weight(rank));
        let popularity = WeightedIndex::new(weights)
            .map_err(|error| Error::Usage(format!("popularity {popularity}: {error}")))?;
        Ok(Self { callers, popularity, seed, turn: AtomicU64::new(0) })
    }

    fn next(&self, manner: Manner) -> TlsConnector {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut random = SmallRng::seed_from_u64(self.seed.wrapping_add(turn));
        let mut draw = || self.popularity.sample(&mut random);
        match manner {
            Manner::Full => self.callers[draw()].full.clone(),
            // In turn, so that everyone gets sessions.
            Manner::Priming => self.callers[turn as usize % self.callers.len()].priming.clone(),
            Manner::Resuming => {
                let first = draw();
                let draws = std::iter::once(first).chain((1..DRAWS).map(|_| draw()));
                self.with_session(draws, first).resuming.clone()
            }
        }
    }

    /// The first caller drawn that has a session, or else the next one that has. If nobody has, the
    /// handshake will be a full one, which the run then reports.
    fn with_session(&self, draws: impl Iterator<Item = usize>, first: usize) -> &Caller {
        let mut candidates = draws.chain(first..self.callers.len()).chain(0..first);
        let found = candidates.find(|&index| self.callers[index].sessions.reserve());
        &self.callers[found.unwrap_or(first)]
    }
}

/// Callers that each make one connection, with a full handshake.
pub(super) struct Fresh {
    config: ClientConfig,
    issuer: LeafIssuer,
    unused: Mutex<Vec<TlsConnector>>,
    issued: AtomicU64,
}

impl Fresh {
    fn supply(&self, connections: u64) -> Result<(), Error> {
        let missing = connections.saturating_sub(self.unused().len() as u64);
        let first = self.issued.fetch_add(missing, Ordering::Relaxed);
        for identity in self.issuer.issue(first, missing as usize)? {
            let config = with_identity(&self.config, identity)?;
            self.unused().push(Arc::new(config).into());
        }
        Ok(())
    }

    fn unused(&self) -> MutexGuard<'_, Vec<TlsConnector>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::pki::Pki;
    use crate::settings::{HandshakeMix, KeyType, ProviderName, TlsParameters};
    use crate::tls::{Acceptor, DialError, Dialer, Observations, Records, TlsEnd};

    fn ends(identities: Identities) -> (TlsEnd, TlsEnd) {
        let pki = Pki::generate(KeyType::P256, identities, false).unwrap();
        let parameters = TlsParameters {
            suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
            group: "X25519".to_owned(),
            key_type: KeyType::P256,
            chain_length: 2,
            tickets: 2,
        };
        let end = |credentials, population| TlsEnd {
            provider: ProviderName::Offload,
            parameters: parameters.clone(),
            records: Records::User,
            credentials,
            population,
            workload_api: None,
            rotation: None,
        };
        let population = pki.client_issuer.map(|issuer| Population { issuer, identities, seed: 1 });
        (end(pki.client, population), end(pki.server, None))
    }

    /// One connection over memory, with its tickets delivered.
    async fn connect(dialer: &Dialer, acceptor: &Acceptor) -> Result<(), DialError> {
        let (ours, theirs) = duplex(1 << 16);
        let server = async {
            let mut connection = acceptor.accept(theirs).await?;
            let byte = connection.read_u8().await?;
            connection.write_u8(byte).await
        };
        let client = async {
            let mut connection = dialer.secure(ours).await?;
            connection.write_u8(1).await.map_err(DialError::Handshake)?;
            connection.read_u8().await.map_err(DialError::Handshake)
        };
        let (client, _) = tokio::join!(client, server);
        client.map(|_| ())
    }

    async fn connections(count: usize, dialer: &Dialer, acceptor: &Acceptor) -> Observations {
        for _ in 0..count {
            connect(dialer, acceptor).await.unwrap();
        }
        acceptor.observer().unwrap().take()
    }

    fn drawn(count: usize, popularity: Popularity) -> Identities {
        Identities::Drawn { count, popularity }
    }

    #[tokio::test]
    async fn a_session_is_used_by_the_identity_that_it_was_made_with() {
        let (client, server) = ends(drawn(3, Popularity::Uniform));
        let dialer = Dialer::new(Some(&client), HandshakeMix::Resumed).unwrap();
        let acceptor = Acceptor::new(Some(&server)).unwrap();
        dialer.set_priming(true);
        let primed = connections(1, &dialer, &acceptor).await;
        assert_eq!((primed.of_kind("Full"), primed.distinct_peers), (1, 1));
        dialer.set_priming(false);
        let resumed = connections(20, &dialer, &acceptor).await;
        assert_eq!(resumed.of_kind("Resumed"), 20);
        assert_eq!(
            (resumed.distinct_peers, resumed.new_peers),
            (1, 0),
            "who has a session resumes"
        );
        dialer.set_priming(true);
        let primed = connections(3, &dialer, &acceptor).await;
        assert_eq!((primed.of_kind("Full"), primed.distinct_peers, primed.new_peers), (3, 3, 2));
        dialer.set_priming(false);
        let resumed = connections(60, &dialer, &acceptor).await;
        assert_eq!((resumed.of_kind("Resumed"), resumed.distinct_peers), (60, 3));
        assert_eq!(resumed.chain_cache.unwrap().misses, 0);
    }

    #[tokio::test]
    async fn identities_are_drawn_by_their_popularity() {
        let (client, server) = ends(drawn(50, Popularity::Zipf(3.0)));
        let dialer = Dialer::new(Some(&client), HandshakeMix::Full).unwrap();
        let acceptor = Acceptor::new(Some(&server)).unwrap();
        let seen = connections(100, &dialer, &acceptor).await;
        // By Zipf's law with exponent 3, half a dozen of them make 99 % of the connections.
        assert!((2..=12).contains(&seen.distinct_peers), "{}", seen.distinct_peers);
        let cache = seen.chain_cache.unwrap();
        assert_eq!((cache.misses, cache.hits), (seen.distinct_peers, 100 - seen.distinct_peers));
    }

    #[tokio::test]
    async fn a_fresh_identity_is_used_once_and_never_made_up() {
        let (client, server) = ends(Identities::Fresh);
        let dialer = Dialer::new(Some(&client), HandshakeMix::Full).unwrap();
        let acceptor = Acceptor::new(Some(&server)).unwrap();
        for _ in 0..2 {
            dialer.supply(5).unwrap();
            let seen = connections(5, &dialer, &acceptor).await;
            assert_eq!((seen.distinct_peers, seen.new_peers), (5, 5));
            assert_eq!(seen.chain_cache.unwrap().hits, 0);
        }
        let none = connect(&dialer, &acceptor).await;
        assert!(matches!(none, Err(DialError::NoIdentity)), "{none:?}");
    }
}
