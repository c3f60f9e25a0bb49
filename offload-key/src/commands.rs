//! What is done for each command.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls_offload::tpm::{KeyFile, Passphrase, Pcrs, Tpm, TpmError};
use zeroize::Zeroizing;

use crate::arguments::{Arguments, Command, Making, Place};

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Tpm(#[from] TpmError),
    #[error("can't read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("can't write {}: {source}; name a file that does not exist yet", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} holds no private key in PEM that this program reads", path.display())]
    NoKey { path: PathBuf },
    #[error("the system gave no random bytes")]
    Random,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Error> {
    match arguments.command {
        Command::Create { making, kind, pcrs } => {
            let pcrs = Pcrs::new(pcrs)?;
            make(&making, |tpm, passphrase| Ok(tpm.create_under(kind.into(), &pcrs, passphrase)?))
        }
        Command::Import { making, key } => {
            let key = private_key(&key)?.ok_or(Error::NoKey { path: key })?;
            make(&making, |tpm, passphrase| Ok(tpm.import(&key, passphrase)?))
        }
        Command::Csr { place, key, common_name, names } => {
            csr(&place, &key, common_name.as_deref(), &names)
        }
        Command::Seal { making, input, random_seed: _, pcrs } => seal(&making, input, pcrs),
        Command::Inspect { key } => inspect(&key),
    }
}

/// Writes what `work` makes.
fn make(
    making: &Making,
    work: impl FnOnce(&Tpm, &Passphrase) -> Result<KeyFile, Error>,
) -> Result<(), Error> {
    let passphrase = passphrase(&making.place)?;
    let tpm = Tpm::builder(&making.place.tpm).parent(making.parent).open()?;
    let made = work(&tpm, &passphrase);
    tpm.close();
    let pem = made?.to_pem()?;
    // what is there may be the only copy of a key
    let written = OpenOptions::new().write(true).create_new(true).open(&making.out);
    let written = written.and_then(|mut file| file.write_all(pem.as_bytes()));
    written.map_err(|source| Error::Write { path: making.out.clone(), source })
}

fn seal(making: &Making, input: Option<PathBuf>, pcrs: Vec<u8>) -> Result<(), Error> {
    let pcrs = Pcrs::new(pcrs)?;
    let Some(input) = input else {
        let mut seed = Zeroizing::new(vec![0; 32]);
        let filled = rustls_offload::default_provider().secure_random.fill(&mut seed);
        filled.map_err(|_| Error::Random)?;
        return make(making, |tpm, passphrase| Ok(tpm.seal(seed, &pcrs, passphrase)?));
    };
    match private_key(&input)? {
        Some(key) => make(making, |tpm, passphrase| Ok(tpm.seal_key(&key, &pcrs, passphrase)?)),
        None => {
            let secret = Zeroizing::new(read(&input)?);
            make(making, |tpm, passphrase| Ok(tpm.seal(secret, &pcrs, passphrase)?))
        }
    }
}

fn csr(
    place: &Place,
    key: &Path,
    common_name: Option<&str>,
    names: &[String],
) -> Result<(), Error> {
    let file = KeyFile::from_pem(&read(key)?)?;
    let passphrase = passphrase(place)?;
    let tpm = Tpm::open(&place.tpm)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request =
        tpm.key(&file, &passphrase).and_then(|key| key.certificate_request(common_name, &names));
    tpm.close();
    print!("{}", pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", request?)));
    Ok(())
}

fn inspect(path: &Path) -> Result<(), Error> {
    let file = KeyFile::from_pem(&read(path)?)?;
    println!("holds: {:?}", file.kind);
    println!("parent: {:#010x}{}", file.parent, if file.rsa_parent { " (RSA)" } else { "" });
    println!("passphrase: {}", if file.empty_auth { "none" } else { "perhaps" });
    println!("made in the TPM, for that TPM only: {}", file.is_native()?);
    for step in &file.policy {
        println!("policy: {}", step.describe());
    }
    if file.signed_policies {
        println!("policy: signed alternatives, which this program does not follow");
    }
    if let Some(description) = &file.description {
        println!("description: {description:?}");
    }
    if let Some(key) = file.public_key()? {
        print!("{}", pem::encode(&pem::Pem::new("PUBLIC KEY", key.as_ref())));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// A private key, if the file is one in PEM.
fn private_key(path: &Path) -> Result<Option<Zeroizing<PrivateKeyDer<'static>>>, Error> {
    let text = Zeroizing::new(read(path)?);
    Ok(PrivateKeyDer::from_pem_slice(&text).ok().map(Zeroizing::new))
}

/// The first line.
fn passphrase(place: &Place) -> Result<Passphrase, Error> {
    let Some(path) = &place.passphrase_file else { return Ok(Passphrase::none()) };
    let text = Zeroizing::new(read(path)?);
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Ok(Passphrase::new(line.strip_suffix(b"\r").unwrap_or(line)))
}
