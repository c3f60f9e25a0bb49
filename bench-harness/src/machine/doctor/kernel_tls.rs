//! Kernel TLS, tried rather than looked up: two loopback sockets, a key, one record.
//!
//! A sandbox may accept the socket options and send plaintext all the same, so the bytes that
//! arrive decide, not the return codes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{TcpTlsTx, TcpUlp, TlsCryptoInfo};

use super::kernel_module::KernelModule;
use super::{Check, Finding, Host};
use crate::machine::Root;

const MODULE: KernelModule = KernelModule { name: "tls", option: "CONFIG_TLS" };

/// First bytes of a TLS 1.3 record that carries application data (RFC 8446, section 5.2).
const APPLICATION_DATA: [u8; 3] = [23, 3, 3];

/// Whether the kernel encrypts records.
pub(super) struct KernelTls;

impl Check for KernelTls {
    fn name(&self) -> &'static str {
        "kernel-tls"
    }

    fn probe(&self, host: &Host) -> Finding {
        finding(&host.root)
    }
}

/// The same, of the machine whose files lie below `root`.
pub(crate) fn finding(root: &Root) -> Finding {
    match encrypting_socket() {
        Ok(_) if root.exists("/proc/net/tls_stat") => {
            Finding::available("encrypts records; counters in /proc/net/tls_stat")
        }
        Ok(_) => Finding::available("encrypts records; no counters in /proc/net/tls_stat"),
        Err(Failure::Absent) => MODULE.missing(root),
        Err(failure) => Finding::missing(failure.to_string(), failure.fix()),
    }
}

/// Whether a connection can follow a TLS 1.3 KeyUpdate (RFC 8446, section 4.6.3).
pub(super) struct Rekey;

impl Check for Rekey {
    fn name(&self) -> &'static str {
        "kernel-tls-rekey"
    }

    fn probe(&self, _host: &Host) -> Finding {
        const FIX: &str = "boot Linux 6.14 or later (Debian 13: `apt install -t trixie-backports \
                           linux-image-cloud-$(dpkg --print-architecture)`)";
        let outcome = encrypting_socket().map(|socket| set_key(&socket, 2));
        match outcome {
            Ok(Ok(())) => Finding::available("a second key is accepted"),
            Ok(Err(errno)) => Finding::missing(
                format!(
                    "the kernel refuses a second key ({errno}), so a KeyUpdate ends a connection"
                ),
                FIX,
            ),
            Err(_) => Finding::missing("no kernel TLS to give a second key to", FIX),
        }
    }
}

/// Why no record could be encrypted.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the kernel has no TLS")]
    Absent,
    #[error("the kernel refuses TLS on a socket: {0}")]
    Refused(Errno),
    #[error("the kernel has TLS but no AES-128-GCM for it: {0}")]
    Cipher(Errno),
    #[error("the kernel accepts keys and sends plaintext all the same, as sandboxes do")]
    Plaintext,
    #[error("the loopback can't be used: {0}")]
    Loopback(#[from] io::Error),
}

impl Failure {
    fn fix(&self) -> &'static str {
        match self {
            Self::Absent => "modprobe tls",
            Self::Refused(_) => "allow setsockopt TCP_ULP in the seccomp profile",
            Self::Cipher(_) => "modprobe gcm",
            Self::Plaintext => "run outside the sandbox (gVisor: use another runtime class)",
            Self::Loopback(_) => "ip link set lo up",
        }
    }
}

/// A connected socket on which the kernel encrypts, proven by one record.
fn encrypting_socket() -> Result<TcpStream, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut socket = TcpStream::connect(listener.local_addr()?)?;
    let (mut peer, _) = listener.accept()?;
    setsockopt(&socket, TcpUlp::default(), b"tls").map_err(|errno| match errno {
        Errno::ENOENT | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP => Failure::Absent,
        errno => Failure::Refused(errno),
    })?;
    set_key(&socket, 1).map_err(Failure::Cipher)?;
    socket.write_all(b"plaintext")?;
    peer.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut received = [0; APPLICATION_DATA.len()];
    peer.read_exact(&mut received)?;
    if received == APPLICATION_DATA { Ok(socket) } else { Err(Failure::Plaintext) }
}

/// Gives the kernel a sending key made of `byte`; nothing secret is ever sent with it.
fn set_key(socket: &TcpStream, byte: u8) -> Result<(), Errno> {
    let key = libc::tls12_crypto_info_aes_gcm_128 {
        info: libc::tls_crypto_info {
            version: libc::TLS_1_3_VERSION,
            cipher_type: libc::TLS_CIPHER_AES_GCM_128,
        },
        iv: [byte; libc::TLS_CIPHER_AES_GCM_128_IV_SIZE],
        key: [byte; libc::TLS_CIPHER_AES_GCM_128_KEY_SIZE],
        salt: [byte; libc::TLS_CIPHER_AES_GCM_128_SALT_SIZE],
        rec_seq: [0; libc::TLS_CIPHER_AES_GCM_128_REC_SEQ_SIZE],
    };
    setsockopt(socket, TcpTlsTx, &TlsCryptoInfo::Aes128Gcm(key))
}

#[cfg(test)]
mod tests {
    use rustls_offload::cpu::Cpu;
    use rustls_offload::plan::Plan;

    use super::super::kernel_module::Presence;
    use super::*;

    #[test]
    fn the_findings_agree_with_what_the_kernel_lists() {
        let host = Host::new(Plan::for_cpu(&Cpu::detect().unwrap()));
        let works = matches!(KernelTls.probe(&host), Finding::Available { .. });
        let rekeys = matches!(Rekey.probe(&host), Finding::Available { .. });
        let ulps = host.root.text("/proc/sys/net/ipv4/tcp_available_ulp").unwrap_or_default();
        let listed = ulps.split(' ').any(|ulp| ulp == "tls");
        assert!(listed || !works, "records are encrypted, but the kernel lists only: {ulps}");
        assert!(works || !rekeys, "a second key is accepted where the first one is not");
        if MODULE.presence(&host.root) == Presence::NotBuilt {
            assert!(!works, "records are encrypted by a kernel built without TLS");
        }
    }

    #[test]
    fn every_failure_says_what_to_do() {
        for failure in [
            Failure::Absent,
            Failure::Refused(Errno::EPERM),
            Failure::Cipher(Errno::ENOENT),
            Failure::Plaintext,
            Failure::Loopback(io::Error::from(io::ErrorKind::AddrNotAvailable)),
        ] {
            assert!(!failure.fix().is_empty(), "{failure}");
        }
    }
}
