//! The test PKI as the files that command-line tools want.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use crate::common::pair::Pki;

/// A folder with PEM files, gone when dropped.
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    /// Those of `pki`, and those of somebody whom another authority certified.
    pub(crate) fn new(pki: &Pki, elsewhere: &Pki) -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        files.write("root", &certificates(std::slice::from_ref(&pki.root)));
        let holders =
            [("server", &pki.server), ("client", &pki.client), ("stranger", &elsewhere.client)];
        for (holder, (chain, key)) in holders {
            files.write(&format!("{holder}-chain"), &certificates(chain));
            files.write(&format!("{holder}-leaf"), &certificates(&chain[..1]));
            files.write(&format!("{holder}-issuers"), &certificates(&chain[1..]));
            files.write(&format!("{holder}-key"), &private_key(key));
        }
        files
    }

    /// The path of the file `name`: `root`, or after `server-`, `client-` or `stranger-` one of
    /// `chain`, `leaf`, `issuers` (the chain without the leaf) and `key`. Any other name is a
    /// tool's to write to.
    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name).with_extension("pem");
        path.into_os_string().into_string().unwrap()
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.path(name), contents).unwrap();
    }
}

fn certificates(chain: &[CertificateDer<'_>]) -> String {
    let blocks: Vec<_> =
        chain.iter().map(|der| pem::Pem::new("CERTIFICATE", der.as_ref())).collect();
    pem::encode_many(&blocks)
}

fn private_key(key: &PrivateKeyDer<'_>) -> String {
    let der = key.secret_der();
    let der = ed25519_version_1(der).unwrap_or_else(|| der.to_vec());
    pem::encode(&pem::Pem::new("PRIVATE KEY", der))
}

/// An Ed25519 key without its public half: RFC 8410, section 7. The form with it is what is made
/// here, and neither tool reads that.
fn ed25519_version_1(der: &[u8]) -> Option<Vec<u8>> {
    const VERSION_2: [u8; 14] =
        [0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    const VERSION_1: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let secret = der.get(2..)?.strip_prefix(&VERSION_2)?.get(..32)?;
    Some([&VERSION_1, secret].concat())
}
