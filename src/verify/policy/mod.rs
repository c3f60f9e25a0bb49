//! Who may call: which SPIFFE IDs are let in, by rules that can be replaced at any time.
//!
//! Nobody may call whom no rule allows, and nobody whom a rule denies, however specific the rule that
//! allows. A rule names one identity, all below a path, or a whole trust domain:
//!
//! ```
//! # use std::sync::Arc;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rustls_offload::verify::policy::{Callers, Policy, Rule};
//! use rustls_offload::verify::spiffe::{SpiffeId, TrustDomain};
//!
//! let policy = Policy::builder()
//!     .allow(Rule::TrustDomain(TrustDomain::new("example.org")?))
//!     .allow(Rule::Id(SpiffeId::new("spiffe://partner.example/billing")?))
//!     .deny(Rule::Below(SpiffeId::new("spiffe://example.org/ns/build")?))
//!     .build();
//! let callers = Callers::new(policy);
//! assert!(callers.allows(&SpiffeId::new("spiffe://example.org/ns/shop/sa/web")?));
//! assert!(!callers.allows(&SpiffeId::new("spiffe://example.org/ns/build/sa/ci")?));
//! # Ok(()) }
//! ```
//!
//! # Where it is asked
//! One [`Callers`] is asked at each of the three moments at which a client can get in or stay in:
//!
//! | moment | by |
//! |---|---|
//! | a full handshake | [`AuthorizingClientVerifier`], in the `ServerConfig`; outside of the cache of chains, so that no verdict of an earlier policy is used |
//! | a resumption | [`ChainJudge::authorize`](crate::resume::ChainJudge::authorize) with [`Callers::may_call`] |
//! | a connection that is up | [`Callers::admit`]: whoever may no longer call is told to go when the policy is [replaced](Callers::replace) |
//!
//! # Cost
//! A decision looks up the identity and each of its parents in one hash table: at most two look-ups more than the
//! path has segments, whatever the number of rules. It takes no lock and allocates nothing.

mod callers;
mod rules;
mod verifier;

pub use callers::{Admission, Callers, NotAllowed};
pub use rules::{Decision, Policy, PolicyBuilder, Rule};
pub use verifier::AuthorizingClientVerifier;
