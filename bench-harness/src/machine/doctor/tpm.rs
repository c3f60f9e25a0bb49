//! TPM 2.0: the machine's own, or one in software.

use std::fs::OpenOptions;
use std::io::ErrorKind;

use super::program;
use super::{Check, Finding, Host};

/// The device with the kernel's resource manager in front.
const DEVICE: &str = "/dev/tpmrm0";

/// Whether this process can talk to a TPM.
pub(super) struct Tpm;

impl Check for Tpm {
    fn name(&self) -> &'static str {
        "tpm"
    }

    fn probe(&self, host: &Host) -> Finding {
        match OpenOptions::new().read(true).write(true).open(host.root.path(DEVICE)) {
            Ok(_) => Finding::available(DEVICE),
            Err(error) if error.kind() == ErrorKind::NotFound => Finding::missing(
                format!("no {DEVICE}"),
                "give the guest a virtual TPM (EC2: an AMI with NitroTPM; Compute Engine: \
                 `--shielded-vtpm`; Azure: `--enable-vtpm true`), or enable it in the firmware",
            ),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::missing(
                format!("{DEVICE} may not be opened by this user"),
                "usermod -aG tss \"$USER\", then log in again",
            ),
            Err(error) => Finding::missing(
                format!("{DEVICE} can't be opened: {error}"),
                "stop what holds it, then see `dmesg | grep -i tpm`",
            ),
        }
    }
}

/// A TPM in software, for tests.
pub(super) struct SoftwareTpm;

impl Check for SoftwareTpm {
    fn name(&self) -> &'static str {
        "swtpm"
    }

    fn probe(&self, _host: &Host) -> Finding {
        program::finding("swtpm", Some(&["--version"]), "apt install swtpm swtpm-tools")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    #[test]
    fn a_device_that_opens_is_a_tpm_and_an_absent_one_is_not() {
        let (_guard, host) = host_of(&[("/dev/tpmrm0", "")]);
        assert_eq!(Tpm.probe(&host), Finding::available(DEVICE));
        let (_guard, host) = host_of(&[]);
        assert!(matches!(Tpm.probe(&host), Finding::Missing { .. }));
    }
}
