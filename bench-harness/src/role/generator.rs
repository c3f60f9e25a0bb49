//! The load generator role: carries out the command's orders with the engine of [`crate::load`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;

use super::protocol::{Command, Fault, GeneratorSpec, Reply, Service};
use super::service::App;
use super::{Control, pin_to};
use crate::Error;
use crate::load::sink::{self, Memory};
use crate::load::transport::Tcp;
use crate::load::worker::Worker;
use crate::load::{Client, measure};
use crate::measure::{CpuWatch, Watched};
use crate::sources::Sources;
use crate::tls::{Acceptor, Dialer};

/// The generator's own name among the watched roles.
pub const NAME: &str = "generator";

/// Works until the parent goes away.
pub(super) fn run(spec: GeneratorSpec, control: &mut Control) -> Result<(), Error> {
    pin_to(&spec.cpus)?;
    let generator = Generator::new(spec)?;
    control.send(&Reply::Ready { address: None, watched: None })?;
    while let Some(command) = control.read::<Command>()? {
        let reply = generator
            .carry_out(command)
            .unwrap_or_else(|error| Reply::Failed { message: error.to_string() });
        control.send(&reply)?;
    }
    Ok(())
}

struct Generator {
    spec: GeneratorSpec,
    dialer: Arc<Dialer>,
    workers: Vec<Worker>,
    sources: Arc<Sources>,
    watch: CpuWatch,
}

impl Generator {
    fn new(spec: GeneratorSpec) -> Result<Self, Error> {
        let dialer = Arc::new(dialer(&spec)?);
        let sources = Arc::new(Sources::to(spec.target));
        let workers = (0..spec.cpus.len().max(1))
            .map(|_| {
                let (spec, dialer) = (spec.clone(), dialer.clone());
                let transport = Tcp(sources.clone());
                Worker::start(move || client(&spec, transport, dialer))
            })
            .collect::<Result<_, _>>()?;
        let mut watched: BTreeMap<String, Watched> = spec.watch.clone();
        let own = nix::unistd::getpid().as_raw();
        watched.insert(NAME.to_owned(), Watched::Process(own));
        let watch = CpuWatch::new(&watched, &spec.watch_cpus)?;
        Ok(Self { watch, spec, dialer, workers, sources })
    }

    fn carry_out(&self, command: Command) -> Result<Reply, Error> {
        match command {
            Command::Observe => {
                Ok(Reply::Observed(self.dialer.observer().map(|o| o.take()).unwrap_or_default()))
            }
            Command::Priming(on) => {
                self.dialer.set_priming(on);
                Ok(Reply::Done)
            }
            Command::Supply { connections } => {
                self.dialer.supply(connections)?;
                Ok(Reply::Done)
            }
            Command::Calibrate { seconds } => {
                let one = self.ceiling(Duration::from_secs_f64(seconds))?;
                Ok(Reply::Calibrated { ceiling: one * self.workers.len() as f64 })
            }
            Command::Prime { operations } => {
                self.each_worker(operations as usize, |w, share| w.prime(share as u64))
            }
            Command::Hold { connections } => self.each_worker(connections, Worker::hold),
            Command::Load(order) => {
                self.sources.take_used();
                let mut window = measure(&self.workers, &order, &self.watch)?;
                window.source_addresses = Some(self.sources.take_used());
                Ok(Reply::Measured(Box::new(window)))
            }
        }
    }

    fn each_worker(
        &self,
        total: usize,
        act: impl Fn(&Worker, usize) -> Result<(), Error>,
    ) -> Result<Reply, Error> {
        let workers = self.workers.len();
        for (index, worker) in self.workers.iter().enumerate() {
            act(worker, total / workers + usize::from(index < total % workers))?;
        }
        Ok(Reply::Done)
    }

    fn ceiling(&self, length: Duration) -> Result<f64, Error> {
        let service = Service::for_workload(self.spec.workload, self.spec.response_bytes);
        let peer = Memory::new(
            Acceptor::new(self.spec.sink.as_ref())?,
            App::new(service, Fault::default()),
        );
        // A dialer of its own: calibration handshakes must not be counted with the measured ones. One
        // identity, for who calls makes no difference to the caller.
        let mut spec = self.spec.clone();
        spec.tls = spec.tls.map(|end| end.with_one_identity());
        sink::ceiling(client(&spec, peer, Arc::new(dialer(&spec)?)), length)
    }
}

fn dialer(spec: &GeneratorSpec) -> Result<Dialer, Error> {
    let mix = match spec.workload {
        crate::settings::Workload::Handshake(mix) => mix,
        _ => crate::settings::HandshakeMix::Full,
    };
    Dialer::new(spec.tls.as_ref(), mix)
}

fn client<T>(spec: &GeneratorSpec, transport: T, dialer: Arc<Dialer>) -> Client<T> {
    Client {
        transport,
        dialer,
        workload: spec.workload,
        request_body: Bytes::from(vec![b'x'; spec.request_bytes]),
        response_bytes: spec.response_bytes,
    }
}
