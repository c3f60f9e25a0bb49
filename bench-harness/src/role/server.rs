//! The server role: a [`service`](super::service) behind a listener, in plaintext or mutual TLS.

use std::sync::Arc;

use super::protocol::{Reply, ServerSpec};
use super::service::App;
use super::{Control, cores};
use crate::Error;
use crate::tls::Acceptor;

/// Serves until the parent goes away.
pub(super) fn run(spec: ServerSpec, control: &mut Control) -> Result<(), Error> {
    let acceptor = Acceptor::new(spec.tls.as_ref())?;
    let observer = acceptor.observer();
    let app = Arc::new(App::new(spec.service, spec.fault));
    let address = cores::serve("server", spec.listen, &spec.cpus, move |tcp| {
        let (acceptor, app) = (acceptor.clone(), app.clone());
        async move {
            // A failed handshake is counted by the observer; a broken connection is the client's to report.
            if let Ok(connection) = acceptor.accept(tcp).await {
                let _ = app.serve(connection).await;
            }
        }
    })?;
    control.send(&Reply::Ready { address: Some(address), watched: None })?;
    control.serve(observer.as_ref(), None)
}
