//! Key exchange on a curve with lanes.

use std::fmt;
use std::marker::PhantomData;

use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

use super::curve::{Curve, P256, Shared, X25519};
use super::operation::{Exchange, Exchanged, Outcome, Step, Task, company, submit};
use crate::intern::Interned;
use crate::multibuffer::Engine;

type Group = &'static dyn SupportedKxGroup;
type Random = &'static dyn SecureRandom;

/// X25519 in company in lanes, alone by `behind`.
pub(super) fn x25519(behind: Group, engine: Engine, random: Random) -> Group {
    static FRONTS: Interned<usize, Front<X25519>> = Interned::new();
    FRONTS.get(address(behind), || Front { behind, engine, random, curve: PhantomData })
}

/// P-256 likewise.
pub(super) fn p256(behind: Group, engine: Engine, random: Random) -> Group {
    static FRONTS: Interned<usize, Front<P256>> = Interned::new();
    FRONTS.get(address(behind), || Front { behind, engine, random, curve: PhantomData })
}

pub(super) fn address(group: Group) -> usize {
    std::ptr::from_ref(group).cast::<()>().addr()
}

/// A curve whose steps of an exchange can be submitted.
trait Submit: Curve {
    fn submit(engine: Engine, exchange: Exchange<Self>) -> Option<Exchanged<Self>>;
}

impl Submit for X25519 {
    fn submit(engine: Engine, exchange: Exchange<Self>) -> Option<Exchanged<Self>> {
        match submit(engine, Task::X25519(exchange)) {
            Some(Outcome::X25519(exchanged)) => Some(exchanged),
            _ => None,
        }
    }
}

impl Submit for P256 {
    fn submit(engine: Engine, exchange: Exchange<Self>) -> Option<Exchanged<Self>> {
        match submit(engine, Task::P256(exchange)) {
            Some(Outcome::P256(exchanged)) => Some(exchanged),
            _ => None,
        }
    }
}

struct Front<C> {
    behind: Group,
    engine: Engine,
    random: Random,
    curve: PhantomData<C>,
}

impl<C: Curve> Front<C> {
    fn secret(&self) -> Result<Box<C::Secret>, Error> {
        C::secret(self.random).map(Box::new).ok_or(Error::FailedToGetRandomBytes)
    }
}

/// As what is behind: it is the same group.
impl<C> fmt::Debug for Front<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.behind.fmt(f)
    }
}

impl<C: Submit> SupportedKxGroup for Front<C> {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        if !company() {
            return self.behind.start();
        }
        let (engine, secret) = (self.engine, self.secret()?);
        let exchange = Exchange { step: Step::PublicKey, secret: secret.clone(), peer: C::NOBODY };
        match C::submit(engine, exchange) {
            Some(Exchanged { public, .. }) => Ok(Box::new(Active::<C> { secret, public, engine })),
            None => self.behind.start(),
        }
    }

    fn start_and_complete(&self, peer_pub_key: &[u8]) -> Result<CompletedKeyExchange, Error> {
        if !company() {
            return self.behind.start_and_complete(peer_pub_key);
        }
        let peer = share::<C>(peer_pub_key)?;
        let exchange = Exchange { step: Step::Both, secret: self.secret()?, peer };
        match C::submit(self.engine, exchange) {
            Some(Exchanged { public, shared }) => Ok(CompletedKeyExchange {
                group: C::GROUP,
                pub_key: public.as_ref().to_vec(),
                secret: accepted(*shared)?,
            }),
            None => self.behind.start_and_complete(peer_pub_key),
        }
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        C::GROUP
    }
}

/// A client's exchange whose key was made in a batch.
struct Active<C: Curve> {
    secret: Box<C::Secret>,
    public: C::Public,
    engine: Engine,
}

impl<C: Submit> ActiveKeyExchange for Active<C> {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let peer = share::<C>(peer_pub_key)?;
        let exchange = Exchange { step: Step::Agree, secret: self.secret.clone(), peer };
        let shared = match C::submit(self.engine, exchange) {
            Some(Exchanged { shared, .. }) => *shared,
            None => {
                let mut shared = [None];
                C::agree(self.engine, &[C::Secret::clone(&self.secret)], &[peer], &mut shared);
                let [shared] = shared;
                shared
            }
        };
        accepted(shared)
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        C::GROUP
    }
}

fn share<C: Curve>(bytes: &[u8]) -> Result<C::Public, Error> {
    C::Public::try_from(bytes).map_err(|_| PeerMisbehaved::InvalidKeyShare.into())
}

/// Refuses what an honest peer never brings about (RFC 8446, sections 4.2.8.2 and 7.4.2).
fn accepted(shared: Shared) -> Result<SharedSecret, Error> {
    shared
        .map(|secret| SharedSecret::from(&secret[..]))
        .ok_or_else(|| PeerMisbehaved::InvalidKeyShare.into())
}
