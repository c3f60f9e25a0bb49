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
}

/// Builds the named provider with its default choices.
///
/// # Errors
/// When the provider can't be built on this machine.
pub fn build(name: ProviderName) -> Result<Built, Error> {
    Ok(match name {
        ProviderName::Offload => {
            let offload = rustls_offload::Offload::new()?;
            Built { provider: offload.provider(), ticketer: offload.ticketer()? }
        }
        ProviderName::AwsLcRs => Built {
            provider: rustls::crypto::aws_lc_rs::default_provider(),
            ticketer: rustls::crypto::aws_lc_rs::Ticketer::new()?,
        },
        ProviderName::Ring => Built {
            provider: rustls::crypto::ring::default_provider(),
            ticketer: rustls::crypto::ring::Ticketer::new()?,
        },
        ProviderName::Graviola => Built {
            provider: rustls_graviola::default_provider(),
            ticketer: rustls_graviola::Ticketer::new()?,
        },
    })
}
