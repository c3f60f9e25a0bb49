//! X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem), its X25519 half in lanes.
//!
//! Shares and secrets are those of ML-KEM-768 followed by those of X25519. ML-KEM is the one of the
//! implementation that the plan chose for the hybrid.

use std::fmt;

use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

use super::exchange::address;
use super::operation::company;
use crate::intern::Interned;

/// Bytes of an ML-KEM-768 encapsulation key: the client's share (FIPS 203, table 3).
const ENCAPSULATION_KEY: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext: the server's share.
const CIPHERTEXT: usize = 1088;
/// Bytes of an X25519 share.
const CLASSICAL: usize = 32;

static FRONTS: Interned<usize, Front> = Interned::new();

/// The hybrid of `classical` and `post_quantum` in company, `behind` alone.
pub(super) fn x25519_mlkem768(
    behind: &'static dyn SupportedKxGroup,
    classical: &'static dyn SupportedKxGroup,
    post_quantum: &'static dyn SupportedKxGroup,
) -> &'static dyn SupportedKxGroup {
    FRONTS.get(address(behind), || Front { behind, classical, post_quantum })
}

struct Front {
    behind: &'static dyn SupportedKxGroup,
    classical: &'static dyn SupportedKxGroup,
    post_quantum: &'static dyn SupportedKxGroup,
}

/// As what is behind: it is the same group.
impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.behind.fmt(f)
    }
}

impl SupportedKxGroup for Front {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        if !company() {
            return self.behind.start();
        }
        let (classical, post_quantum) = (self.classical.start()?, self.post_quantum.start()?);
        let share = [post_quantum.pub_key(), classical.pub_key()].concat();
        Ok(Box::new(Active { classical, post_quantum, share }))
    }

    fn start_and_complete(&self, peer_pub_key: &[u8]) -> Result<CompletedKeyExchange, Error> {
        if !company() {
            return self.behind.start_and_complete(peer_pub_key);
        }
        let (post_quantum, classical) = split(peer_pub_key, ENCAPSULATION_KEY)?;
        let classical = self.classical.start_and_complete(classical)?;
        let post_quantum = self.post_quantum.start_and_complete(post_quantum)?;
        Ok(CompletedKeyExchange {
            group: NamedGroup::X25519MLKEM768,
            pub_key: [post_quantum.pub_key, classical.pub_key].concat(),
            secret: join(&post_quantum.secret, &classical.secret),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct Active {
    classical: Box<dyn ActiveKeyExchange>,
    post_quantum: Box<dyn ActiveKeyExchange>,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let (post_quantum, classical) = split(peer_pub_key, CIPHERTEXT)?;
        let classical = self.classical.complete(classical)?;
        let post_quantum = self.post_quantum.complete(post_quantum)?;
        Ok(join(&post_quantum, &classical))
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.classical.group(), self.classical.pub_key()))
    }

    fn complete_hybrid_component(
        self: Box<Self>,
        peer_pub_key: &[u8],
    ) -> Result<SharedSecret, Error> {
        self.classical.complete(peer_pub_key)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// The post-quantum part of a share, and the classical one.
fn split(share: &[u8], post_quantum: usize) -> Result<(&[u8], &[u8]), Error> {
    if share.len() != post_quantum + CLASSICAL {
        return Err(PeerMisbehaved::InvalidKeyShare.into());
    }
    Ok(share.split_at(post_quantum))
}

fn join(post_quantum: &SharedSecret, classical: &SharedSecret) -> SharedSecret {
    SharedSecret::from([post_quantum.secret_bytes(), classical.secret_bytes()].concat())
}
