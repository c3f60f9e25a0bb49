//! What a response code means for who asked: tss-esapi tells layers and kinds apart only in its text.

use tss_esapi::Error;
use tss_esapi::constants::response_code::Tss2ResponseCode;

use super::TpmError;

/// A command that failed.
#[derive(Debug)]
pub(super) struct Fault {
    command: &'static str,
    /// The response code; none if the command was never sent.
    code: Option<u32>,
    text: String,
    /// What it comes to, if that is known already.
    known: Option<TpmError>,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The TPM is busy: again, a little later.
    Busy,
    /// It can't be talked to.
    Broken,
    /// What was loaded is no longer there: it was reset.
    Stale,
    /// Wrong passphrase. After a reset, a handle may be another key's: then it is as good as stale.
    Auth,
    /// Objects fill it.
    Memory,
    Lockout,
    /// What is to be loaded was not made by this parent.
    Foreign,
    Policy,
    Other,
}

impl Fault {
    pub(super) fn new(command: &'static str, error: Error) -> Self {
        let text = match error {
            Error::Tss2Error(Tss2ResponseCode::FormatZero(code)) => code.to_string(),
            Error::Tss2Error(Tss2ResponseCode::FormatOne(code)) => code.to_string(),
            other => other.to_string(),
        };
        let digits = text.rsplit_once("0x").map(|(_, digits)| digits);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        Self { command, code, text: error.to_string(), known: None }
    }

    /// A mistake in what was asked, found before it was sent.
    pub(super) fn local(command: &'static str, text: impl Into<String>) -> Self {
        Self { command, code: None, text: text.into(), known: None }
    }

    pub(super) fn code(&self) -> Option<u32> {
        self.code
    }

    pub(super) fn kind(&self) -> Kind {
        let Some(code) = self.code else { return Kind::Other };
        // who speaks: the TPM (0), a resource manager for itself (11) or for the TPM (12), or a part of libtss2
        match code >> 16 & 0xFF {
            0 | 11 | 12 => {}
            10 => return Kind::Broken,
            _ => return Kind::Other,
        }
        let code = code & 0xFFF;
        if code & 0x80 != 0 {
            return match code & 0x3F {
                0x0B | 0x04 if code & 0x40 == 0 => Kind::Stale,
                0x0E | 0x22 => Kind::Auth,
                0x1F => Kind::Foreign,
                0x1D => Kind::Policy,
                _ => Kind::Other,
            };
        }
        match code {
            0x908 | 0x90A | 0x922 => Kind::Busy,
            0x910..=0x91E | 0x100 => Kind::Stale,
            0x902..=0x906 => Kind::Memory,
            0x921 => Kind::Lockout,
            0x126..=0x128 => Kind::Policy,
            _ => Kind::Other,
        }
    }

    /// For the caller, about a key whose parent is `parent`.
    pub(super) fn explain(self, tcti: &str, parent: u32) -> TpmError {
        let kind = self.kind();
        let Self { command, code, text, known } = self;
        if let Some(known) = known {
            return known;
        }
        let code = code.map_or(text, |code| format!("{code:#x}"));
        match kind {
            Kind::Broken => TpmError::Unreachable { tcti: tcti.to_owned(), why: code },
            Kind::Auth if command == CREATE_PRIMARY => TpmError::Hierarchy { hierarchy: parent },
            Kind::Auth => TpmError::Passphrase { code },
            Kind::Memory => TpmError::Memory { code },
            Kind::Lockout => TpmError::Lockout,
            Kind::Foreign => TpmError::Foreign { parent },
            Kind::Stale if command == READ_PUBLIC => TpmError::Absent { handle: parent },
            Kind::Policy => TpmError::Policy { what: code },
            Kind::Busy | Kind::Stale | Kind::Other => TpmError::Refused { command, code },
        }
    }
}

impl From<TpmError> for Fault {
    fn from(known: TpmError) -> Self {
        Self { known: Some(known), ..Self::local("", "") }
    }
}

pub(super) const CREATE_PRIMARY: &str = "TPM2_CreatePrimary";
pub(super) const READ_PUBLIC: &str = "TPM2_ReadPublic";

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: u32) -> Kind {
        Fault { code: Some(code), ..Fault::local("", "") }.kind()
    }

    /// TPM 2.0 Library, Part 2, 6.6.3; TSS 2.0 Overview, 3.
    #[test]
    fn codes_mean_what_the_specification_says() {
        let codes = [
            (0x922, Kind::Busy),      // TPM_RC_RETRY
            (0x908, Kind::Busy),      // TPM_RC_YIELDED
            (0xA_000A, Kind::Broken), // TSS2_TCTI_RC_IO_ERROR
            (0xA_0008, Kind::Broken), // TSS2_TCTI_RC_TRY_AGAIN
            (0x7_000B, Kind::Other),  // TSS2_ESYS_RC_BAD_VALUE
            (0x910, Kind::Stale),     // TPM_RC_REFERENCE_H0
            (0x918, Kind::Stale),     // TPM_RC_REFERENCE_S0
            (0x18B, Kind::Stale),     // TPM_RC_HANDLE, handle 1
            (0x100, Kind::Stale),     // TPM_RC_INITIALIZE
            (0x98E, Kind::Auth),      // TPM_RC_AUTH_FAIL, session 1
            (0x9A2, Kind::Auth),      // TPM_RC_BAD_AUTH, session 1
            (0x902, Kind::Memory),    // TPM_RC_OBJECT_MEMORY
            (0xB_0902, Kind::Memory), // the same from a resource manager
            (0xC_0902, Kind::Memory),
            (0x921, Kind::Lockout), // TPM_RC_LOCKOUT
            (0x1DF, Kind::Foreign), // TPM_RC_INTEGRITY, parameter 1
            (0x99D, Kind::Policy),  // TPM_RC_POLICY_FAIL, session 1
            (0x128, Kind::Policy),  // TPM_RC_PCR_CHANGED
            (0x101, Kind::Other),   // TPM_RC_FAILURE
            (0x1D5, Kind::Other),   // TPM_RC_SIZE, parameter 1
            (0x1C4, Kind::Other),   // TPM_RC_VALUE, parameter 1
            (0x184, Kind::Stale),   // TPM_RC_VALUE, handle 1
        ];
        for (code, expected) in codes {
            assert_eq!(kind(code), expected, "{code:#x}");
        }
    }
}
