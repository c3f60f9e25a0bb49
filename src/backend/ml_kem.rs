//! Graviola's ML-KEM-768 as a group of rustls: the half of its X25519MLKEM768 that has no lanes.
//!
//! `rustls-graviola` keeps its own to itself.

use graviola::key_agreement::mlkem768::{Ciphertext, DecapKey, EncapKey};
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

/// ML-KEM-768 (FIPS 203) as a key exchange: a client's share is an encapsulation key, a server's a ciphertext.
#[derive(Debug)]
pub(super) struct MlKem768;

impl SupportedKxGroup for MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let key = DecapKey::generate().map_err(|_| Error::FailedToGetRandomBytes)?;
        let share = key.encapsulation_key().as_bytes();
        Ok(Box::new(Active { key, share }))
    }

    fn start_and_complete(&self, peer_pub_key: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let bytes = peer_pub_key.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let key = EncapKey::from_bytes(bytes).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let (secret, ciphertext) = key.encaps().map_err(|_| Error::FailedToGetRandomBytes)?;
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: ciphertext.as_ref().to_vec(),
            secret: SharedSecret::from(&secret.as_ref()[..]),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct Active {
    key: DecapKey,
    share: [u8; 1184],
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let bytes: [u8; 1088] =
            peer_pub_key.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let secret = self.key.decaps(&Ciphertext::from(bytes));
        Ok(SharedSecret::from(&secret.as_ref()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::MLKEM768
    }
}

#[cfg(all(test, feature = "aws-lc-rs"))]
mod tests {
    use rustls::crypto::aws_lc_rs::kx_group::MLKEM768;

    use super::*;

    #[test]
    fn agrees_with_aws_lc_in_both_roles() {
        for (client, server) in
            [(&MlKem768 as &dyn SupportedKxGroup, MLKEM768), (MLKEM768, &MlKem768)]
        {
            for _ in 0..50 {
                let active = client.start().unwrap();
                let completed = server.start_and_complete(active.pub_key()).unwrap();
                let secret = active.complete(&completed.pub_key).unwrap();
                assert_eq!(secret.secret_bytes(), completed.secret.secret_bytes());
            }
        }
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret() {
        let active = MlKem768.start().unwrap();
        let mut completed = MLKEM768.start_and_complete(active.pub_key()).unwrap();
        completed.pub_key[500] ^= 1;
        let secret = active.complete(&completed.pub_key).unwrap();
        assert_ne!(secret.secret_bytes(), completed.secret.secret_bytes());
    }

    #[test]
    fn shares_that_are_none_are_refused() {
        let invalid = Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare));
        let key = MlKem768.start().unwrap().pub_key().to_vec();
        for share in [&[][..], &key[1..], &[0xff; 1184]] {
            assert_eq!(MlKem768.start_and_complete(share).map(drop), invalid, "{}", share.len());
        }
        for share in [&[][..], &key] {
            assert_eq!(MlKem768.start().unwrap().complete(share).map(drop), invalid);
        }
    }
}
