//! Sits between a TPM and its user, and delays, refuses, or swallows commands.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls_offload::tpm::{Builder, Tpm};

use crate::PATIENCE;
use crate::swtpm::Swtpm;

/// Takes any number of connections, whose commands go to the TPM one after the other.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) orders: Arc<Orders>,
}

/// What is to happen to commands.
#[derive(Default)]
pub(crate) struct Orders {
    /// Milliseconds before a command is answered.
    pub(crate) delay: AtomicU64,
    /// How many of the next commands of [`Self::only`] are answered with [`Self::code`].
    pub(crate) refuse: AtomicU32,
    pub(crate) code: AtomicU32,
    /// TPM_CC of the commands that are refused.
    pub(crate) only: AtomicU32,
    /// Whether commands get no answer.
    pub(crate) swallow: AtomicBool,
    /// Commands seen, all of them as they crossed the bus, answers too.
    pub(crate) seen: Mutex<Vec<u8>>,
    pub(crate) commands: AtomicU64,
}

/// TPM2_Sign.
pub(crate) const SIGN: u32 = 0x15D;

impl Proxy {
    pub(crate) fn start(swtpm: &Swtpm) -> Self {
        // the pair need not be free for long: nobody else is told of it
        let (data, control) = loop {
            let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = data.local_addr().unwrap().port();
            if let Some(next) = port.checked_add(1)
                && let Ok(control) = TcpListener::bind((Ipv4Addr::LOCALHOST, next))
            {
                break (data, control);
            }
        };
        let port = data.local_addr().unwrap().port();
        let orders = Arc::new(Orders::default());
        let behind = swtpm.port;
        let (told, turn) = (Arc::clone(&orders), Arc::new(Mutex::new(None::<TcpStream>)));
        thread::spawn(move || {
            for user in data.incoming().map_while(Result::ok) {
                let (told, turn) = (Arc::clone(&told), Arc::clone(&turn));
                thread::spawn(move || serve(user, behind, &told, &turn));
            }
        });
        thread::spawn(move || {
            for user in control.incoming().map_while(Result::ok) {
                thread::spawn(move || forward(&user, behind + 1));
            }
        });
        Self { port, orders }
    }

    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    pub(crate) fn builder(&self) -> Builder {
        Tpm::builder(&self.tcti()).deadline(PATIENCE)
    }
}

/// One user's commands, until either side closes.
fn serve(
    mut user: TcpStream,
    behind: u16,
    orders: &Orders,
    turn: &Mutex<Option<TcpStream>>,
) -> Option<()> {
    user.set_nodelay(true).ok()?;
    loop {
        let command = message(&mut user)?;
        orders.commands.fetch_add(1, SeqCst);
        let code = u32::from_be_bytes(command[6..10].try_into().unwrap());
        let refused = code == orders.only.load(SeqCst)
            && orders.refuse.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        let mut tpm = turn.lock().unwrap_or_else(PoisonError::into_inner);
        thread::sleep(Duration::from_millis(orders.delay.load(SeqCst)));
        while orders.swallow.load(SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let answer = if refused {
            let code = orders.code.load(SeqCst).to_be_bytes();
            [&[0x80, 0x01, 0, 0, 0, 10], &code[..]].concat()
        } else {
            let mut connection = match tpm.take() {
                Some(connection) => connection,
                None => TcpStream::connect((Ipv4Addr::LOCALHOST, behind)).ok()?,
            };
            connection.write_all(&command).ok()?;
            let answer = message(&mut connection)?;
            *tpm = Some(connection);
            answer
        };
        drop(tpm);
        let mut seen = orders.seen.lock().unwrap();
        seen.extend(&command);
        seen.extend(&answer);
        drop(seen);
        user.write_all(&answer).ok()?;
    }
}

/// A command or a response: tag, size, and the rest.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = vec![0; 6];
    stream.read_exact(&mut head).ok()?;
    let size = u32::from_be_bytes(head[2..6].try_into().unwrap()) as usize;
    head.resize(size, 0);
    stream.read_exact(&mut head[6..]).ok()?;
    Some(head)
}

fn forward(user: &TcpStream, behind: u16) {
    let Ok(tpm) = TcpStream::connect((Ipv4Addr::LOCALHOST, behind)) else { return };
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        })
    };
    let (there, back) = (copy(user, &tpm), copy(&tpm, user));
    let _ = (there.join(), back.join());
}
