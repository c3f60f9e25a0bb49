//! Rings of keys: rotation, derivation, files.

use std::fs;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::*;
use crate::resume::{Refusal, seal};

const PERIOD: u64 = 100;
const SESSION: &[u8] = b"a session";

fn provider() -> Option<CryptoProvider> {
    let provider = crate::default_provider();
    let usable = Cipher::new(&provider).is_ok();
    // Graviola alone has no QUIC keys
    assert!(usable || !cfg!(any(feature = "aws-lc-rs", feature = "ring")));
    usable.then_some(provider)
}

fn period() -> Duration {
    Duration::from_secs(PERIOD)
}

/// The start of the period that is `periods` from this one.
fn after(periods: u64) -> UnixTime {
    seal::at((UnixTime::now().as_secs() / PERIOD + periods) * PERIOD)
}

fn derived(provider: &CryptoProvider, seed: u8) -> Arc<KeyRing> {
    let mut bytes = Zeroizing::new([seed; 32]);
    bytes[0] ^= 1;
    KeyRing::derived(provider, &Seed::new(bytes).expect("a seed"), period()).expect("a ring")
}

fn sealed(ring: &KeyRing, now: UnixTime) -> Vec<u8> {
    seal::seal(ring, "scope", SESSION, seal::at(1), now).expect("a ticket")
}

fn opened(ring: &KeyRing, ticket: &[u8], now: UnixTime) -> Result<(), Refusal> {
    let (session, since) = seal::open(ring, "scope", ticket, now)?;
    assert_eq!((&session[..], since), (SESSION, seal::at(1)));
    Ok(())
}

#[test]
fn no_key_is_zero_when_a_ring_starts_and_none_is_another() {
    let Some(provider) = provider() else { return };
    for ring in [KeyRing::random(&provider, period()).expect("a ring"), derived(&provider, 1)] {
        for periods in [0, 1, 5] {
            let keys = ring.at(after(periods));
            let secrets = [0, 1, 2].map(|place| *keys.secrets.get(place));
            assert!(secrets.iter().all(|secret| check("a key", secret).is_ok()));
            assert!(keys.names.iter().all(|name| check("a name", name).is_ok()));
            assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2]);
            assert!(keys.names[0] != keys.names[1] && keys.names[1] != keys.names[2]);
        }
    }
}

#[test]
fn a_ticket_opens_in_the_period_after_its_own_and_no_longer() {
    let Some(provider) = provider() else { return };
    for ring in [KeyRing::random(&provider, period()).expect("a ring"), derived(&provider, 1)] {
        let ticket = sealed(&ring, after(0));
        assert_eq!(opened(&ring, &ticket, after(0)), Ok(()));
        assert_eq!(opened(&ring, &ticket, after(1)), Ok(()));
        assert_eq!(opened(&ring, &ticket, after(2)), Err(Refusal::Unknown));
    }
}

#[test]
fn random_keys_survive_a_clock_that_is_set_back() {
    let Some(provider) = provider() else { return };
    let ring = KeyRing::random(&provider, period()).expect("a ring");
    let ticket = sealed(&ring, after(7));
    assert_eq!(opened(&ring, &ticket, after(0)), Ok(()));
    assert_eq!(opened(&ring, &ticket, after(8)), Ok(()));
}

#[test]
fn replicas_with_one_seed_open_each_other_s_tickets_with_clocks_a_period_apart() {
    let Some(provider) = provider() else { return };
    let (here, there) = (derived(&provider, 1), derived(&provider, 1));
    for (ours, theirs) in [(5, 5), (5, 6), (6, 5)] {
        let ticket = sealed(&here, after(ours));
        assert_eq!(opened(&there, &ticket, after(theirs)), Ok(()));
    }
    let ticket = sealed(&here, after(9));
    assert_eq!(opened(&there, &ticket, after(7)), Err(Refusal::Unknown), "from a future epoch");
    assert_eq!(opened(&derived(&provider, 2), &ticket, after(9)), Err(Refusal::Unknown));
}

#[test]
fn another_scope_has_another_key() {
    let Some(provider) = provider() else { return };
    let ring = derived(&provider, 1);
    let ticket = sealed(&ring, after(0));
    let other = seal::open(&ring, "scop", &ticket, after(0)).map(|_| ());
    assert_eq!(other, Err(Refusal::Forged));
}

#[test]
fn a_ticket_with_any_bit_flipped_or_byte_missing_does_not_open() {
    let Some(provider) = provider() else { return };
    let ring = derived(&provider, 1);
    let ticket = sealed(&ring, after(0));
    for bit in 0..ticket.len() * 8 {
        let mut flipped = ticket.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(opened(&ring, &flipped, after(0)).is_err(), "bit {bit}");
    }
    for length in 0..ticket.len() {
        assert!(opened(&ring, &ticket[..length], after(0)).is_err(), "{length} bytes");
    }
}

#[test]
fn two_tickets_of_one_session_have_nothing_in_common_but_the_key_s_name() {
    let Some(provider) = provider() else { return };
    let ring = derived(&provider, 1);
    let [first, second] = [(); 2].map(|()| sealed(&ring, after(0)));
    let same = first.iter().zip(&second).skip(17).filter(|(a, b)| a == b).count();
    assert!(same < 12, "{same} of {} bytes", first.len());
}

#[test]
fn what_was_never_random_is_refused() {
    let seed = Seed::new(Zeroizing::new([0; 32]));
    assert!(matches!(seed, Err(Error::NotRandom { value: 0, .. })));
    let Some(provider) = provider() else { return };
    let ring = KeyRing::random(&provider, Duration::from_millis(999));
    assert!(matches!(ring, Err(Error::Zero { .. })));
}

fn line(fill: u8, length: usize) -> String {
    let bytes: Vec<_> = (0..length).map(|i| fill.wrapping_add(i as u8)).collect();
    Base64::encode_string(&bytes)
}

#[test]
fn a_file_of_keys_rotates_and_a_broken_one_changes_nothing() {
    let Some(provider) = provider() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tickets");
    let write = |lines: &[String]| fs::write(&path, lines.join("\n")).expect("written");
    let now = |looks: u64| seal::at(UnixTime::now().as_secs() + looks * LOOK_AGAIN);
    let keys: Vec<_> = (1..6).map(|fill| line(fill, if fill % 2 == 0 { 48 } else { 80 })).collect();

    write(&keys[..3]);
    let ring = KeyRing::from_file(&provider, &path).expect("a ring");
    let ticket = sealed(&ring, now(0));
    write(&keys[1..4]);
    assert_eq!(opened(&ring, &ticket, now(1)), Ok(()), "the key before");
    let newer = sealed(&ring, now(1));
    assert_ne!(newer[1..17], ticket[1..17], "another key seals");
    write(&keys[2..5]);
    assert_eq!(opened(&ring, &ticket, now(2)), Err(Refusal::Unknown));
    for broken in [vec![], vec![keys[0].clone()], vec![line(9, 47), line(9, 48), line(9, 48)]] {
        write(&broken);
        assert_eq!(opened(&ring, &newer, now(3)), Ok(()));
    }
    fs::remove_file(&path).expect("removed");
    assert_eq!(opened(&ring, &newer, now(4)), Ok(()));
}

#[test]
fn errors_of_a_file_name_it_and_never_its_keys() {
    let Some(provider) = provider() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tickets");
    let error = |content: &str| {
        fs::write(&path, content).expect("written");
        KeyRing::from_file(&provider, &path).expect_err("refused").to_string()
    };
    let secret = line(1, 47);
    let message = error(&[&secret[..], &line(2, 48), &line(3, 48)].join("\n"));
    assert!(message.contains("line 1") && message.contains("tickets"), "{message}");
    assert!(!message.contains(&secret), "{message}");
    let zeros = Base64::encode_string(&[0; 48]);
    let message = error(&[&zeros[..], &line(2, 48), &line(3, 48)].join("\n"));
    assert!(message.contains("0x00"), "{message}");
    assert!(error(&"A".repeat(5000)).contains("longer"));
    fs::remove_file(&path).expect("removed");
    assert!(matches!(KeyRing::from_file(&provider, &path), Err(Error::File { .. })));
}
