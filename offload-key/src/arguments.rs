//! What can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rustls_offload::tpm::KeyType;

/// Keys in this machine's TPM, and secrets sealed by it
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The TPM, and who may use what is made in it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The TPM: device:/dev/tpmrm0, tabrmd:, swtpm:host=127.0.0.1,port=2321
    #[arg(long, env = "TPM2TOOLS_TCTI", default_value = "device:/dev/tpmrm0")]
    pub(crate) tpm: String,
    /// The passphrase, in a file whose first line it is; there is none without
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Where what is made goes.
#[derive(Debug, Args)]
pub(crate) struct Making {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The parent: a persistent key (0x81000001), or the owner hierarchy (0x40000001)
    #[arg(long, value_parser = handle, default_value = "0x40000001", value_name = "HANDLE")]
    pub(crate) parent: u32,
    /// The key file to write, which must not exist yet
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a key that never leaves the TPM
    Create {
        #[command(flatten)]
        making: Making,
        /// What kind of key
        #[arg(long = "type", value_enum, default_value_t = Type::P256)]
        kind: Type,
        /// It signs only while these PCRs are as they are now: 7 for the state of Secure Boot
        #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
        pcrs: Vec<u8>,
    },
    /// Brings a private key in, which others may have as well
    Import {
        #[command(flatten)]
        making: Making,
        /// The private key in PEM (PKCS#8, SEC 1 or PKCS#1)
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Prints a request for a certificate (PKCS#10), signed by a key in the TPM
    Csr {
        #[command(flatten)]
        place: Place,
        /// The key file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The subject's common name
        #[arg(long, value_name = "NAME")]
        common_name: Option<String>,
        /// A DNS name, an IP address or a URI (spiffe://example.org/orders); may be repeated
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
    },
    /// Seals a private key or other secret, which comes out only on this machine
    Seal {
        #[command(flatten)]
        making: Making,
        /// A private key in PEM (ECDSA), or a file of at most 128 bytes
        #[arg(long, value_name = "FILE", required_unless_present = "random_seed")]
        input: Option<PathBuf>,
        /// A new seed of ticket keys, 32 random bytes that nobody has seen
        #[arg(long, conflicts_with = "input")]
        random_seed: bool,
        /// Only while these PCRs are as they are now: 7 for the state of Secure Boot
        #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
        pcrs: Vec<u8>,
    },
    /// Prints what a key file says, without a TPM
    Inspect {
        /// The key file
        key: PathBuf,
    },
}

/// Kinds of key, as they are called here.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Type {
    /// ECDSA on P-256
    P256,
    /// ECDSA on P-384
    P384,
    /// RSA with 2,048 bits
    Rsa2048,
}

impl From<Type> for KeyType {
    fn from(kind: Type) -> Self {
        match kind {
            Type::P256 => Self::P256,
            Type::P384 => Self::P384,
            Type::Rsa2048 => Self::Rsa2048,
        }
    }
}

fn handle(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").ok_or("write it in hexadecimal: 0x81000001")?;
    u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
}
