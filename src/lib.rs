//! A rustls crypto provider that picks the fastest implementation for the CPU it runs on.
//!
//! rustls has several backends, and none is the fastest at everything on every CPU. This crate
//! takes each algorithm from the one that is, on the CPU at hand, and hands rustls 0.23 an ordinary
//! [`CryptoProvider`] made of the backends' own parts. Three more things make mutual TLS cheap, each
//! of use without the others:
//!
//! - a [pool](#handshakes-in-a-pool) in which the public-key operations of different handshakes are
//!   computed eight at a time, on CPUs with AVX-512 IFMA;
//! - tables for the ECDSA P-256 keys of peers that come again, on any CPU, at work in every provider;
//! - [verifiers](verify) that remember which certificate chains they have verified.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let roots = rustls::RootCertStore::empty();
//! let provider = std::sync::Arc::new(rustls_offload::default_provider());
//! let config = rustls::ClientConfig::builder_with_provider(provider)
//!     .with_safe_default_protocol_versions()?
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
//! # Ok(()) }
//! ```
//!
//! # Choosing
//! The choice is a [`Plan`](plan::Plan): made from measurements that come with the crate, or
//! [measured here](plan::calibrate) in under a second, and open to overrides.
//!
//! ```
//! use rustls_offload::Offload;
//! use rustls_offload::cpu::Cpu;
//! use rustls_offload::plan::{Algorithm, Backend, Plan};
//!
//! # fn main() -> Result<(), rustls_offload::Error> {
//! let cpu = Cpu::detect()?;
//! let backend = Backend::available(&cpu)[0];
//! let offload = Offload::builder()
//!     .plan(Plan::for_cpu(&cpu)) // or calibrate(&cpu)?, or Plan::load("plan.json", &cpu)?
//!     .choose(Algorithm::P256, backend)
//!     .build()?;
//! println!("{}", offload.plan());
//! # Ok(()) }
//! ```
//!
//! Everything is settled when the provider is made. Records, hashes and whatever has no lanes or
//! tables run the backends' own code as under the backends' own providers: no lock, allocation or
//! feature test is added.
//!
//! `RUSTLS_OFFLOAD_CPU=-vaes,-avx512ifma` hides CPU features from the choice, to try what another
//! machine would do. It does not reach into the backends, which detect the CPU for themselves.
//!
//! # Handshakes in a pool
//! With the cargo feature `pool`, a `HandshakePool` or `LocalPool` runs handshakes so that their
//! ECDSA P-256 signatures and verifications, X25519 and P-256 key exchanges meet in batches, which
//! the crate's own [`multibuffer`] code computes. Outside a pool, and whenever an operation finds no
//! company, the backend of the plan computes it. CPUs without AVX-512 IFMA have no lanes; there a
//! pool changes nothing.
//!
//! # What is in the provider
//! Every suite, group and signature algorithm of rustls's aws-lc-rs provider, in its order; where
//! the CPU lacks AES or carry-less multiplication, ChaCha20-Poly1305 comes before AES-GCM. Every
//! TLS 1.3 suite has QUIC keys and every suite gives up its secrets for kernel TLS, whichever
//! backend protects its records. Without the feature `aws-lc-rs`, it is what the other backends
//! have together; Graviola alone has no QUIC, and no Ed25519 in TLS 1.2. Randomness and session tickets
//! ([`Offload::ticketer`]) come from the most preferred backend.
//!
//! # Verifying peers
//! [`verify`] wraps rustls's certificate verifiers, or any others, so that a peer's chain is verified
//! once and not in every handshake; [`verify::spiffe`] has some for peers that are known by their SPIFFE ID. They
//! work with every provider.
//!
//! # Resuming sessions
//! [`resume`] judges every session before it resumes, as a full handshake would at that moment. With Graviola alone
//! it has nothing to seal tickets with, and says so.
//!
//! # Who this workload is
//! [`identity`] presents certificates that rotate, follows the authorities that are trusted, and puts
//! configurations together; [`verify::policy`] says who may call.
//!
//! # Cargo features
//! - `aws-lc-rs` (default): the complete backend, and the default for every algorithm.
//! - `ring`, `graviola`: further backends to choose from. Graviola is chosen only on CPUs with the
//!   features that it takes for granted.
//! - RustCrypto's SHA-2 and HMAC are always there, as candidates for the transcript hash and the key
//!   schedule.
//! - `prefer-post-quantum` (default): X25519MLKEM768 first among the groups. As in rustls, it turns
//!   `aws-lc-rs` on.
//! - `pool`: the module `pool`, handshakes side by side. Not a default, for it brings Tokio, and stack
//!   switching, which not every platform has.
//! - `tpm`: the module `tpm`, private keys in a TPM. Not a default, for it links libtss2 and brings Tokio.
//! - `ktls`: the module `ktls`, records in the kernel, on Linux. Not a default, for it brings Tokio.
//! - `workload-api`: certificates from the SPIFFE Workload API. Not a default, for it brings Tokio and gRPC.
//! - `fips`: the AWS-LC FIPS module alone. The provider is rustls's own
//!   (`rustls::crypto::default_fips_provider`), `fips()` is true, and nothing is composed: our own
//!   cryptography is left out, pools compute no batches, and other backends are left out even if
//!   their features are on, because some other crate wants them.
//!
//! # Beside other providers
//! Nothing is ever installed by itself, and nothing that is installed is replaced:
//! [`CryptoProvider::install_default`] is the application's to call.
//!
//! Cargo, however, builds rustls once for the whole program, with the features that *anyone* asks
//! for. Our features `aws-lc-rs` and `ring` turn on rustls's `aws_lc_rs` and `ring`. If no default
//! has been installed, rustls guesses from its features in `ClientConfig::builder()`,
//! `ServerConfig::builder()` and the `builder()` of the webpki verifiers:
//!
//! | rustls's features in the whole program | what `ClientConfig::builder()` does |
//! |---|---|
//! | `aws_lc_rs` alone | takes rustls's aws-lc-rs provider, and installs it as the default |
//! | `ring` alone | takes rustls's *ring* provider, and installs it as the default |
//! | both, or neither (Graviola alone) | panics |
//! | `custom-provider`, with any of them | panics |
//!
//! So adding this crate to a program that so far had only `ring` makes a bare `builder()` panic,
//! unless this crate's default features are off. It never makes rustls take *our* provider. The
//! remedy is what rustls recommends anyway: pass the provider to `builder_with_provider`, as above,
//! or call `install_default` first thing in `main`:
//!
//! ```
//! rustls_offload::default_provider().install_default().expect("no provider installed before");
//! ```

pub mod cpu;
pub mod identity;
pub mod plan;
pub mod resume;
pub mod verify;

#[cfg(all(feature = "ktls", target_os = "linux"))]
pub mod ktls;
#[cfg(feature = "pool")]
pub mod pool;

#[cfg(feature = "tpm")]
pub mod tpm;

mod backend;
#[cfg(feature = "pool")]
mod batch;
#[cfg(not(feature = "fips"))]
mod compose;
mod error;
#[cfg(not(feature = "fips"))]
mod intern;
mod named;
mod offload;
#[cfg(not(feature = "fips"))]
mod parts;

pub use error::Error;
pub use offload::{Builder, Offload};
use rustls::crypto::CryptoProvider;
#[cfg(not(feature = "fips"))]
#[doc(inline)]
pub use rustls_offload_multibuffer as multibuffer;

/// The provider for the CPU at hand, by the committed measurements: `Offload::new()?.provider()`.
///
/// # Panics
/// If the environment variable `RUSTLS_OFFLOAD_CPU` is malformed, or if none of the backends
/// compiled in runs on this CPU (impossible with the feature `aws-lc-rs` or `ring`). Use
/// [`Offload::new`] to get these as errors.
pub fn default_provider() -> CryptoProvider {
    match Offload::new() {
        Ok(offload) => offload.provider(),
        Err(error) => panic!("rustls-offload: {error}"),
    }
}
