//! Writes a throwaway root, an intermediate and two leaves, `server` and `client`, for the other
//! examples. The keys of root and intermediate are not kept: nothing more can be issued.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Parser;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls_offload_services::AnyError;
use time::{Duration, OffsetDateTime};

/// Validity of root and intermediate.
const AUTHORITY_DAYS: i64 = 365;
/// Validity of the leaves. A real service has hours; these are to try things out with.
const LEAF_DAYS: i64 = 30;

#[derive(Parser)]
struct Args {
    /// Folder for root.pem, server.pem, server.key, client.pem and client.key.
    folder: PathBuf,
}

fn main() -> Result<(), AnyError> {
    let Args { folder } = Args::parse();
    fs::create_dir_all(&folder)?;
    let root = CertifiedIssuer::self_signed(authority("root", 1), KeyPair::generate()?)?;
    let intermediate =
        CertifiedIssuer::signed_by(authority("intermediate", 0), KeyPair::generate()?, &root)?;
    fs::write(folder.join("root.pem"), root.as_ref().pem())?;
    for role in ["server", "client"] {
        let key = KeyPair::generate()?;
        let leaf = leaf(role)?.signed_by(&key, &intermediate)?;
        let chain = format!("{}{}", leaf.pem(), intermediate.as_ref().pem());
        fs::write(folder.join(format!("{role}.pem")), chain)?;
        write_secret(&folder.join(format!("{role}.key")), &key.serialize_pem())?;
    }
    Ok(())
}

fn authority(name: &str, intermediates_below: u8) -> CertificateParams {
    let mut authority = valid_for(CertificateParams::default(), AUTHORITY_DAYS);
    // With equal names, a chain of another call would fail as forged and not as unknown.
    let name = format!("example {name} {}", OffsetDateTime::now_utc().unix_timestamp_nanos());
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(intermediates_below));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
}

fn leaf(role: &str) -> Result<CertificateParams, AnyError> {
    let mut leaf = valid_for(CertificateParams::new(vec!["localhost".to_owned()])?, LEAF_DAYS);
    leaf.distinguished_name.push(DnType::CommonName, format!("example {role}"));
    let id = Ia5String::try_from(format!("spiffe://example.org/{role}"))?;
    leaf.subject_alt_names.push(SanType::URI(id));
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    Ok(leaf)
}

/// From an hour ago, for clocks are never all alike.
fn valid_for(mut certificate: CertificateParams, days: i64) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    certificate.not_before = now - Duration::HOUR;
    certificate.not_after = now + Duration::days(days);
    certificate
}

/// Writes a file that only its owner can read, from its first byte on.
fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    // An old file would keep its permissions, and whoever has it open could read on.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())
}
