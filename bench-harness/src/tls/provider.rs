//! The providers that can be measured, each as its users would get it.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::ProducesTickets;

use crate::Error;
use crate::settings::ProviderName;

/// A provider and the ticketer that comes with it.
pub struct Built {
    /// Everything rustls needs to run the protocol.
    pub provider: CryptoProvider,
    /// Seals the server's session tickets.
    pub ticketer: Arc<dyn ProducesTickets>,
    /// Whether its users would set up more of the crate than the provider: identity, policy, verifiers that
    /// remember chains, and sessions that are judged.
    pub is_set_up: bool,
}

/// Builds the named provider with its default choices.
///
/// # Errors
/// When the provider can't be built on this machine.
pub fn build(name: ProviderName) -> Result<Built, Error> {
    let (provider, ticketer): (_, Arc<dyn ProducesTickets>) = match name {
        ProviderName::Offload | ProviderName::OffloadUncached => {
            let offload = rustls_offload::Offload::new()?;
            (offload.provider(), offload.ticketer()?)
        }
        ProviderName::AwsLcRs => (
            rustls::crypto::aws_lc_rs::default_provider(),
            rustls::crypto::aws_lc_rs::Ticketer::new()?,
        ),
        ProviderName::Ring => {
            (rustls::crypto::ring::default_provider(), rustls::crypto::ring::Ticketer::new()?)
        }
        ProviderName::Graviola => {
            (rustls_graviola::default_provider(), rustls_graviola::Ticketer::new()?)
        }
    };
    Ok(Built { provider, ticketer, is_set_up: name.judges_sessions() })
}
