//! What a verdict is filed under: a digest of everything that the verdict depends on.
//!
//! Every item is hashed with its length before it, so that no two lists of items give one input.
//! The inner verifier is not in the digest: its verdicts are in a table of their own.

use rustls::pki_types::{IpAddr, ServerName};

use super::peer::Chain;

/// A SHA-256 digest.
pub(super) type Key = [u8; 32];

/// The key of a chain that a client presented.
pub(super) fn of_client(chain: Chain<'_>) -> Key {
    let mut hash = Hash::new();
    chain.certificates().for_each(|certificate| hash.item(certificate));
    hash.finish()
}

/// The key of a chain that the server of this name presented; none for a kind of name that is not
/// known here.
pub(super) fn of_server(chain: Chain<'_>, name: &ServerName<'_>) -> Option<Key> {
    let mut hash = Hash::new();
    match name {
        ServerName::DnsName(name) => {
            hash.item(b"dns");
            hash.item(name.as_ref().as_bytes());
        }
        ServerName::IpAddress(IpAddr::V4(address)) => {
            hash.item(b"ip");
            hash.item(address.as_ref());
        }
        ServerName::IpAddress(IpAddr::V6(address)) => {
            hash.item(b"ip");
            hash.item(address.as_ref());
        }
        _ => return None,
    }
    chain.certificates().for_each(|certificate| hash.item(certificate));
    Some(hash.finish())
}

#[cfg(not(feature = "fips"))]
struct Hash(sha2::Sha256);

#[cfg(not(feature = "fips"))]
impl Hash {
    fn new() -> Self {
        Self(sha2::Digest::new())
    }

    fn item(&mut self, item: &[u8]) {
        use sha2::Digest;
        self.0.update((item.len() as u64).to_be_bytes());
        self.0.update(item);
    }

    fn finish(self) -> Key {
        sha2::Digest::finalize(self.0).into()
    }
}

/// The validated module's.
#[cfg(feature = "fips")]
struct Hash(Box<dyn rustls::crypto::hash::Context>);

#[cfg(feature = "fips")]
impl Hash {
    fn new() -> Self {
        use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let Some(suite) = TLS13_AES_128_GCM_SHA256.tls13() else {
            unreachable!("a suite of TLS 1.3");
        };
        Self(suite.common.hash_provider.start())
    }

    fn item(&mut self, item: &[u8]) {
        self.0.update(&(item.len() as u64).to_be_bytes());
        self.0.update(item);
    }

    fn finish(self) -> Key {
        let digest = self.0.finish();
        std::array::from_fn(|index| digest.as_ref()[index])
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;

    use super::*;

    fn certificates(items: &[&'static [u8]]) -> Vec<CertificateDer<'static>> {
        items.iter().map(|item| CertificateDer::from(*item)).collect()
    }

    fn key(items: &[&'static [u8]]) -> Key {
        let all = certificates(items);
        of_client(Chain::new(&all[0], &all[1..]))
    }

    #[test]
    fn the_digest_is_sha_256_of_the_length_prefixed_items() {
        // printf '\0\0\0\0\0\0\0\3abc\0\0\0\0\0\0\0\1d' | sha256sum
        let expected = "dd36d2bbd52a75ae1af694f0ab93b3146275934cb55376cc53c608d7ab10bf86";
        let hex: String = key(&[b"abc", b"d"]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn moving_a_boundary_an_order_or_a_copy_gives_another_key() {
        let lists: [&[&'static [u8]]; 7] = [
            &[b"ab", b"c"],
            &[b"a", b"bc"],
            &[b"abc"],
            &[b"c", b"ab"],
            &[b"ab", b"c", b"c"],
            &[b"ab", b"", b"c"],
            &[b"ab", b"c", b""],
        ];
        let keys: std::collections::HashSet<Key> = lists.into_iter().map(key).collect();
        assert_eq!(keys.len(), lists.len());
    }

    #[test]
    fn every_server_name_has_a_key_of_its_own() {
        let all = certificates(&[b"leaf"]);
        let names = ["a.test", "b.test", "10.0.0.1", "::ffff:10.0.0.1", "::"];
        let key = |name| {
            of_server(Chain::new(&all[0], &[]), &ServerName::try_from(name).unwrap()).unwrap()
        };
        let mut keys: std::collections::HashSet<Key> = names.into_iter().map(key).collect();
        keys.insert(of_client(Chain::new(&all[0], &[])));
        assert_eq!(keys.len(), names.len() + 1);
    }
}
