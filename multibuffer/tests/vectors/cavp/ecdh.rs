//! Key pairs and ECDH (KAS validity, static unified model, primitive alone): private keys to public ones,
//! points that are none, and shared secrets.

use aws_lc_rs::digest::{SHA256, digest};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdh::{PrivateKey, agree, public_keys};

use super::file::{Record, records};
use super::{batches, checks, engines};
use crate::tally::Tally;

/// The private and public keys of the generation of key pairs, and of agreements that NIST finds nothing
/// wrong with.
fn pairs() -> Vec<(PrivateKey, [u8; 65])> {
    let pair = |record: &Record, d: &str, x: &str, y: &str| {
        let private = PrivateKey::from_bytes(&record.number(d).unwrap()).unwrap();
        (private, record.point(x, y).unwrap())
    };
    let generated = records("ECDSA/FIPS_186-3/KeyPair.rsp", "[P-256]");
    let generated: Vec<_> = generated.iter().filter(|record| record.has("d")).collect();
    let agreements = agreements();
    assert_eq!((generated.len(), agreements.len()), (10, 60));
    let generated = generated.into_iter().map(|record| pair(record, "d", "Qx", "Qy"));
    let sound = agreements.iter().filter(|record| record.fails().is_none());
    let agreed = sound.flat_map(|record| {
        [pair(record, "dsCAVS", "QsCAVSx", "QsCAVSy"), pair(record, "dsIUT", "QsIUTx", "QsIUTy")]
    });
    generated.chain(agreed).collect()
}

/// The vectors of agreements in both roles.
fn agreements() -> Vec<Record> {
    let of = |role| {
        let file = format!("ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax");
        records(&file, "[EC - SHA256]")
    };
    [of("init"), of("resp")].into_iter().flatten().collect()
}

fn publishes(engine: Engine) {
    let cases = pairs();
    let mut tally = Tally::new(format!("CAVP key pairs on {engine:?}"));
    for batch in batches(engine, &cases) {
        let privates: Vec<_> = batch.iter().map(|(private, _)| private.clone()).collect();
        let mut publics = vec![[0; 65]; batch.len()];
        public_keys(engine, &privates, &mut publics);
        for (lane, (_, public)) in batch.iter().enumerate() {
            tally.check(publics[lane] == *public, format_args!("{public:x?} in lane {lane}"));
        }
    }
    tally.at_least(checks(engine, cases.len()));
}

#[test]
fn private_keys_have_the_public_keys_that_nist_says() {
    engines().into_iter().for_each(publishes);
}

/// A peer's point, and whether it is one.
fn points() -> Vec<([u8; 65], bool)> {
    let validated = records("ECDSA/FIPS_186-3/PKV.rsp", "[P-256]");
    assert_eq!(validated.len(), 12);
    let validated = validated.iter().filter_map(|record| {
        let point = record.point("Qx", "Qy");
        let is_point = record.fails().is_none();
        assert!(point.is_some() || !is_point, "longer than 32 bytes, but on the curve: {record:?}");
        Some((point?, is_point))
    });
    let all = agreements();
    let peers = all.iter().map(|record| {
        let off = record.fails().is_some_and(|reason| reason.contains("CAVS's Static public key"));
        (record.point("QsCAVSx", "QsCAVSy").unwrap(), !off)
    });
    let cases: Vec<_> = validated.chain(peers).collect();
    let refused = cases.iter().filter(|(_, is_point)| !is_point).count();
    assert_eq!((cases.len(), refused), (68, 12));
    cases
}

fn validates(engine: Engine) {
    let cases = points();
    let mut one = [0; 32];
    one[31] = 1;
    let one = PrivateKey::from_bytes(&one).unwrap();
    let mut tally = Tally::new(format!("CAVP validation of public keys on {engine:?}"));
    for batch in batches(engine, &cases) {
        let peers: Vec<_> = batch.iter().map(|(peer, _)| *peer).collect();
        let mut shared = vec![None; batch.len()];
        agree(engine, &vec![one.clone(); batch.len()], &peers, &mut shared);
        for (lane, (peer, is_point)) in batch.iter().enumerate() {
            // once the point is the point
            let right = is_point.then(|| &peer[1..33]);
            let found = shared[lane].as_ref().map(|x| x.as_slice());
            tally.check(found == right, format_args!("{peer:x?} in lane {lane}"));
        }
    }
    tally.at_least(checks(engine, cases.len()));
}

#[test]
fn what_is_no_point_is_refused() {
    engines().into_iter().for_each(validates);
}

fn agrees(engine: Engine) {
    let cases: Vec<_> = agreements()
        .into_iter()
        .filter(|record| {
            // what is wrong with these is of the caller's own key, which no agreement looks at, or the peer
            // is no point, which another test is about
            record.fails().is_none_or(|reason| reason.contains("Z changed"))
        })
        .collect();
    assert_eq!(cases.len(), 40);
    let mut tally = Tally::new(format!("CAVP agreement on {engine:?}"));
    for batch in batches(engine, &cases) {
        let privates: Vec<_> = batch
            .iter()
            .map(|record| PrivateKey::from_bytes(&record.number("dsIUT").unwrap()).unwrap())
            .collect();
        let peers: Vec<_> =
            batch.iter().map(|record| record.point("QsCAVSx", "QsCAVSy").unwrap()).collect();
        let mut shared = vec![None; batch.len()];
        agree(engine, &privates, &peers, &mut shared);
        for (lane, record) in batch.iter().enumerate() {
            let hash = digest(&SHA256, shared[lane].as_ref().unwrap().as_slice());
            let same = hash.as_ref() == record.bytes("CAVSHashZZ");
            let right = record.fails().is_none() == same;
            tally.check(right, format_args!("{record:?} in lane {lane}"));
        }
    }
    tally.at_least(checks(engine, cases.len()));
}

#[test]
fn shared_secrets_are_those_that_nist_says() {
    engines().into_iter().for_each(agrees);
}
