//! No bytes but those of a ticket that was issued open, and they open to what was sealed.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ResolvesServerCertUsingSni;
use rustls_offload::resume::{Judge, KeyRing, Refusal, ServerResumption};

#[derive(Debug)]
struct Everyone;

impl Judge for Everyone {
    fn judge(&self, _: &[CertificateDer<'_>], _: UnixTime) -> Result<(), Refusal> {
        Ok(())
    }
}

static SERVER: LazyLock<ServerResumption> = LazyLock::new(|| {
    let provider = Arc::new(rustls_offload::default_provider());
    let ring = KeyRing::random(&provider, Duration::from_secs(3600)).expect("keys");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    ServerResumption::builder("fuzz", config, Arc::new(Everyone)).tickets(ring).expect("tickets")
});

/// What rustls writes of a session without a server name and an application protocol.
#[derive(Arbitrary, Debug)]
struct Session {
    tls13: bool,
    secret: [u8; 32],
    chain: Vec<Vec<u8>>,
    data: [u8; 12],
}

impl Session {
    fn encoded(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| bytes.len().to_be_bytes()[5..].to_vec();
        let certificate = |der: &Vec<u8>| [length(der), der.clone()].concat();
        let chain: Vec<u8> = self.chain.iter().flat_map(certificate).collect();
        let version = [3, 3 + u8::from(self.tls13)];
        [&[0][..], &version, &[0x13, 1, 32], &self.secret, &[1, 1], &length(&chain), &chain]
            .into_iter()
            .chain([&[0, 0, 0][..], &self.data])
            .collect::<Vec<_>>()
            .concat()
    }
}

#[derive(Arbitrary, Debug)]
enum Plain {
    Bytes(Vec<u8>),
    Session(Session),
}

fuzz_target!(|input: (Plain, usize, u8)| {
    let (plain, place, change) = input;
    let ticketer = Arc::clone(&SERVER.config().ticketer);
    let bytes = match &plain {
        Plain::Bytes(bytes) => bytes.clone(),
        Plain::Session(session) => session.encoded(),
    };
    assert_eq!(ticketer.decrypt(&bytes), None);
    let Some(mut ticket) = ticketer.encrypt(&bytes) else {
        assert!(!matches!(plain, Plain::Session(Session { chain, .. }) if !chain.is_empty()));
        return;
    };
    // by the configuration of another connection, as a client that comes again meets one
    assert_eq!(SERVER.config().ticketer.decrypt(&ticket).as_ref(), Some(&bytes));
    let place = place % ticket.len();
    ticket[place] ^= change;
    if change != 0 {
        assert_eq!(SERVER.config().ticketer.decrypt(&ticket), None);
    }
    ticket.truncate(place);
    assert_eq!(SERVER.config().ticketer.decrypt(&ticket), None);
});
