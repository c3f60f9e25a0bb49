//! Key exchange: the client's share, the server's answer, the client's completion.

use rustls::Error;
use rustls::crypto::CryptoProvider;

use super::{Algorithm, Operation, absent};
use crate::backend::Parts;

pub(super) fn operations(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<Vec<Operation>, Error> {
    let name = algorithm.named_group().ok_or_else(absent)?;
    let group = provider.group(name).ok_or_else(absent)?;
    Ok(vec![Operation::new("key exchange, both sides", None, move || {
        let client = group.start()?;
        let server = group.start_and_complete(client.pub_key())?;
        let secret = client.complete(&server.pub_key)?;
        match secret.secret_bytes() == server.secret.secret_bytes() {
            true => Ok(()),
            false => Err(Error::General("the two sides disagree on the shared secret".into())),
        }
    })])
}
