//! Writes a throwaway root and two leaves, `server` and `client`, for the other examples.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls_offload_services::AnyError;

#[derive(Parser)]
struct Args {
    /// Folder for root.pem, server.pem, server.key, client.pem and client.key.
    folder: PathBuf,
}

fn main() -> Result<(), AnyError> {
    let Args { folder } = Args::parse();
    fs::create_dir_all(&folder)?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    fs::write(folder.join("root.pem"), root.as_ref().pem())?;
    for role in ["server", "client"] {
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
        let id = Ia5String::try_from(format!("spiffe://example.org/{role}"))?;
        leaf.subject_alt_names.push(SanType::URI(id));
        fs::write(folder.join(format!("{role}.pem")), leaf.signed_by(&key, &root)?.pem())?;
        fs::write(folder.join(format!("{role}.key")), key.serialize_pem())?;
    }
    Ok(())
}
