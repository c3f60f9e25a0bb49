//! What is taken for a SPIFFE ID obeys the standard's rules, and is nothing but its parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls_offload::verify::spiffe::{SpiffeId, TrustDomain};

fuzz_target!(|uri: &str| {
    let _ = TrustDomain::new(uri);
    let Ok(id) = SpiffeId::new(uri) else { return };
    assert_eq!(format!("spiffe://{}{}", id.domain(), id.path()), uri);
    assert_eq!(TrustDomain::new(id.domain()).expect("a trust domain"), id.trust_domain());
    assert!(uri.len() <= 2048);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    for segment in id.path().split('/').skip(1) {
        assert!(!matches!(segment, "" | "." | "..") && segment.bytes().all(allowed), "{uri}");
    }
});
