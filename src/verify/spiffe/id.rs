//! SPIFFE IDs and trust domains, exactly as the specification has them: whoever holds one of these types need
//! not ask again whether what it holds is well formed, in which case, and how it compares.
//!
//! Nothing is normalised. An ID that would need it is refused, for two spellings of one identity are two
//! chances to get past a deny list.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::SpiffeError;

const SCHEME: &str = "spiffe://";

/// The longest SPIFFE ID there is, in bytes (SPIFFE-ID, 2.3).
const LONGEST_ID: usize = 2048;

/// The longest name of a trust domain, in bytes (SPIFFE-ID, 2.3).
const LONGEST_DOMAIN: usize = 255;

/// The name of a trust domain, such as `example.org` (SPIFFE-ID, 2.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// From its name alone, without `spiffe://`.
    ///
    /// # Errors
    /// If the name is empty, longer than 255 bytes, or has anything but lower-case letters, digits, dots, dashes and
    /// underscores.
    pub fn new(name: &str) -> Result<Self, SpiffeError> {
        check_domain(name).map_err(|why| SpiffeError::domain(name, why))?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The identity of a workload, or of a trust domain itself: `spiffe://example.org/web` (SPIFFE-ID, 2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    uri: Arc<str>,
    /// Where the path begins; at the end, if there is none.
    path: usize,
}

impl SpiffeId {
    /// From the URI.
    ///
    /// # Errors
    /// If it is not a SPIFFE ID, saying by which rule.
    pub fn new(uri: &str) -> Result<Self, SpiffeError> {
        let path = check_id(uri).map_err(|why| SpiffeError::id(uri, why))?;
        Ok(Self { uri: uri.into(), path })
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// The trust domain that it belongs to.
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain(self.domain().into())
    }

    /// The trust domain's name.
    pub fn domain(&self) -> &str {
        &self.uri[SCHEME.len()..self.path]
    }

    /// The path with its leading slash; empty if the ID is the trust domain's own.
    pub fn path(&self) -> &str {
        &self.uri[self.path..]
    }
}

/// Where the path of a well-formed ID begins.
fn check_id(uri: &str) -> Result<usize, &'static str> {
    let Some(rest) = uri.strip_prefix(SCHEME) else {
        return Err("its scheme is not `spiffe://`, in lower case");
    };
    if uri.len() > LONGEST_ID {
        return Err("it is longer than 2048 bytes");
    }
    let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    check_domain(domain)?;
    if let Some(segments) = path.strip_prefix('/') {
        segments.split('/').try_for_each(check_segment)?;
    }
    Ok(SCHEME.len() + domain.len())
}

fn check_domain(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("its trust domain is empty");
    }
    if name.len() > LONGEST_DOMAIN {
        return Err("its trust domain is longer than 255 bytes");
    }
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if !name.bytes().all(allowed) {
        return Err(
            "its trust domain has a character other than a-z, 0-9, dot, dash and underscore",
        );
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    if segment.is_empty() {
        return Err("its path has an empty segment or ends in a slash");
    }
    if matches!(segment, "." | "..") {
        return Err("its path has a segment `.` or `..`");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !segment.bytes().all(allowed) {
        return Err(
            "its path has a character other than letters, digits, dot, dash and underscore",
        );
    }
    Ok(())
}

/// What both types have of strings.
macro_rules! string {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = SpiffeError;
            fn from_str(text: &str) -> Result<Self, SpiffeError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = SpiffeError;
            fn try_from(text: String) -> Result<Self, SpiffeError> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}

string!(TrustDomain);
string!(SpiffeId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_specification_allows() {
        for (uri, domain, path) in [
            ("spiffe://example.org", "example.org", ""),
            ("spiffe://a/b", "a", "/b"),
            ("spiffe://10.0.0.1/ns/x/sa/Y-_.9", "10.0.0.1", "/ns/x/sa/Y-_.9"),
            ("spiffe://td/...", "td", "/..."),
        ] {
            let id = SpiffeId::new(uri).unwrap();
            assert_eq!((id.domain(), id.path(), id.as_str()), (domain, path, uri));
            assert_eq!(id.trust_domain(), TrustDomain::new(domain).unwrap());
        }
    }

    #[test]
    fn what_the_specification_forbids() {
        for (uri, rule) in [
            ("", "scheme"),
            ("spiffe:/td/a", "scheme"),
            ("https://td/a", "scheme"),
            ("SPIFFE://td/a", "scheme"),
            (" spiffe://td/a", "scheme"),
            ("spiffe://", "domain is empty"),
            ("spiffe:///a", "domain is empty"),
            ("spiffe://TD/a", "trust domain has"),
            ("spiffe://td:80/a", "trust domain has"),
            ("spiffe://user@td/a", "trust domain has"),
            ("spiffe://t%64/a", "trust domain has"),
            ("spiffe://td?q", "trust domain has"),
            ("spiffe://td#f", "trust domain has"),
            ("spiffe://[::1]/a", "trust domain has"),
            ("spiffe://t\u{e4}/a", "trust domain has"),
            ("spiffe://td/", "empty segment"),
            ("spiffe://td/a/", "empty segment"),
            ("spiffe://td//a", "empty segment"),
            ("spiffe://td/./a", "`.`"),
            ("spiffe://td/a/..", "`.`"),
            ("spiffe://td/a?q=1", "path has a character"),
            ("spiffe://td/a#f", "path has a character"),
            ("spiffe://td/%61", "path has a character"),
            ("spiffe://td/a b", "path has a character"),
            ("spiffe://td/a\0", "path has a character"),
            ("spiffe://td/*", "path has a character"),
        ] {
            let error = SpiffeId::new(uri).unwrap_err().to_string();
            assert!(error.contains(rule), "{uri:?}: {error}");
        }
    }

    #[test]
    fn the_longest_and_one_more() {
        let domain = "d".repeat(LONGEST_DOMAIN);
        TrustDomain::new(&domain).unwrap();
        TrustDomain::new(&format!("{domain}d")).unwrap_err();
        let id = format!("spiffe://td/{}", "p".repeat(LONGEST_ID - "spiffe://td/".len()));
        SpiffeId::new(&id).unwrap();
        SpiffeId::new(&format!("{id}p")).unwrap_err();
    }

    proptest! {
        #[test]
        fn every_id_of_the_grammar_comes_back_as_it_was(
            domain in "[a-z0-9._-]{1,40}",
            path in prop::collection::vec("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,12}", 0..6),
        ) {
            let path: String = path.iter().map(|segment| format!("/{segment}")).collect();
            let uri = format!("spiffe://{domain}{path}");
            let id = SpiffeId::new(&uri).unwrap();
            prop_assert_eq!(id.domain(), domain);
            prop_assert_eq!(id.path(), path);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<SpiffeId>(&json).unwrap(), id);
        }

        /// Against the grammar said another way: byte by byte, over texts that are nearly IDs.
        #[test]
        fn nothing_outside_the_grammar_is_taken(rest in "[a-zA-Z0-9./:@?#%_ \\-]{0,24}") {
            let (domain, path) = match rest.split_once('/') {
                Some((domain, path)) => (domain, Some(path)),
                None => (rest.as_str(), None),
            };
            let domain = !domain.is_empty()
                && domain.chars().all(|c| "abcdefghijklmnopqrstuvwxyz0123456789.-_".contains(c));
            let path = path.is_none_or(|path| {
                let path = format!("/{path}/");
                !["//", "/./", "/../", ":", "@", "?", "#", "%", " "].iter().any(|bad| path.contains(bad))
            });
            prop_assert_eq!(SpiffeId::new(&format!("spiffe://{rest}")).is_ok(), domain && path);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,60}") {
            let _either = SpiffeId::new(&text);
            let _either = TrustDomain::new(&text);
        }
    }
}
