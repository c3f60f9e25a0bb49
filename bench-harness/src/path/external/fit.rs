//! What no proxy here can be asked for, and the words for what some can't.

use super::Lack;
use crate::settings::{HandshakeMix, Identities, KeyType, Settings, Workload};

/// Refuses what no proxy here can do.
pub(super) fn fits(settings: &Settings, workload: Workload) -> Result<(), Lack> {
    if !matches!(settings.identities, Identities::Drawn { count: 1, .. }) {
        return Err(Lack::new("a proxy presents one client certificate", "leave out --identities"));
    }
    if matches!(workload, Workload::Handshake(HandshakeMix::Mix(_))) {
        return Err(Lack::new(
            "a proxy resumes always or never",
            "ask for --handshake full or resumed",
        ));
    }
    if workload == Workload::Handshake(HandshakeMix::Resumed) && settings.tls.tickets == 0 {
        return Err(Lack::new("a proxy resumes by tickets", "ask for --tickets 2"));
    }
    // Envoy does not know them; OpenSSL 3.0 does not read keys with their public key (RFC 5958).
    if settings.tls.key_type == KeyType::Ed25519 {
        return Err(Lack::new(
            "proxies take no Ed25519 keys as they are here",
            "ask for --key p256",
        ));
    }
    if !settings.tls.suite.starts_with("TLS13_") {
        return Err(Lack::new(
            "the proxies are configured for TLS 1.3",
            "ask for --suite TLS13_AES_128_GCM_SHA256",
        ));
    }
    Ok(())
}

/// Refuses a choice that is not among those that `proxy` has.
pub(super) fn one_of(
    proxy: &str,
    what: &str,
    choice: &str,
    known: &[&str],
    flag: &str,
) -> Result<(), Lack> {
    if known.contains(&choice) {
        return Ok(());
    }
    Err(Lack::new(
        format!("{proxy} can't be told to use {what} {choice}"),
        format!("ask for {flag} {}", known.join(" or ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::fixture::settings;

    #[test]
    fn what_a_proxy_cannot_do_is_refused_with_what_to_ask_for() {
        let full = Workload::Handshake(HandshakeMix::Full);
        assert_eq!(fits(&settings(), full), Ok(()));
        let mut many = settings();
        many.identities = Identities::Fresh;
        let mut without_tickets = settings();
        without_tickets.tls.tickets = 0;
        assert_eq!(fits(&without_tickets, full), Ok(()));
        let mut ed25519 = settings();
        ed25519.tls.key_type = KeyType::Ed25519;
        let mut old = settings();
        old.tls.suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned();
        for (settings, workload, flag) in [
            (many, full, "--identities"),
            (settings(), Workload::Handshake(HandshakeMix::Mix(0.5)), "--handshake"),
            (without_tickets, Workload::Handshake(HandshakeMix::Resumed), "--tickets"),
            (old, Workload::Request, "--suite"),
            (ed25519, Workload::Request, "--key"),
        ] {
            let lack = fits(&settings, workload).unwrap_err();
            assert!(lack.fix.contains(flag), "{lack:?}");
        }
        let lack = one_of("nginx", "group", "X448", &["X25519"], "--group").unwrap_err();
        assert!(lack.reason.contains("X448") && lack.fix.contains("--group X25519"), "{lack:?}");
    }
}
