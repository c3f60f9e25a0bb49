//! Policies over PCRs: what must hold before the TPM gives something out.
//!
//! One step for each PCR, not one for all of them: the TPM refuses the step whose PCR has changed, so that it can be
//! named. Programs that follow the format run the steps one after the other, however many there are.

use std::fmt;

use sha2::{Digest as _, Sha256};
use tss_esapi::constants::CommandCode;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{Digest, PcrSelectionList, PcrSelectionListBuilder, PcrSlot};

use super::device::Connection;
use super::fault::Fault;
use super::{PolicyStep, TpmError};

const PCR: &str = "TPM2_PolicyPCR";
const AUTH_VALUE: &str = "TPM2_PolicyAuthValue";

/// TPM_CC_PolicyPCR, TPM_CC_PolicyAuthValue.
const CC_PCR: u32 = 0x17F;
const CC_AUTH_VALUE: u32 = 0x16B;

/// TPM_ALG_SHA256.
const SHA256: [u8; 2] = [0x00, 0x0B];

/// Platform Configuration Registers of the SHA-256 bank: hashes of what was started on this machine, in its order.
///
/// 0 to 3 hold the firmware and its parts, 4 and 5 the boot loader, 7 the Secure Boot state (TCG PC Client Platform
/// Firmware Profile, 2.3.4). A policy over 7 survives updates of firmware and kernel; one over 0 to 7 does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pcrs(Vec<u8>);

impl Pcrs {
    /// Those of these numbers, 0 to 23.
    ///
    /// # Errors
    /// [`TpmError::Policy`] for a number above 23.
    pub fn new(numbers: impl IntoIterator<Item = u8>) -> Result<Self, TpmError> {
        let mut numbers: Vec<u8> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        match numbers.iter().find(|&&number| number > 23) {
            Some(number) => Err(TpmError::Policy {
                what: format!("there is no PCR {number}; they are 0 to 23"),
            }),
            None => Ok(Self(numbers)),
        }
    }
}

impl fmt::Display for Pcrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u8::to_string).collect();
        write!(f, "PCR {}", numbers.join(", "))
    }
}

impl PolicyStep {
    /// What it demands, in words.
    pub fn describe(&self) -> String {
        let list = split(&self.parameters).and_then(|(_, list)| selected(list));
        match (self.command, list) {
            (CC_PCR, Some(pcrs)) => format!("{pcrs} (SHA-256) as then"),
            (CC_AUTH_VALUE, _) => "the passphrase".to_owned(),
            (command, _) => format!("command {command:#x}, which this program does not know"),
        }
    }
}

/// The steps for `pcrs` as they are now, and for a passphrase if one is to be asked for; and what an object must have in
/// its public area so that they open it. Without PCRs there is neither.
pub(super) fn now(
    connection: &mut Connection,
    pcrs: &Pcrs,
    passphrase: bool,
) -> Result<(Vec<PolicyStep>, Option<Digest>), Fault> {
    let mut steps = Vec::new();
    for &number in &pcrs.0 {
        let value = read(connection, number)?;
        let digest = Sha256::digest(value);
        let mut parameters = vec![0, 32];
        parameters.extend(digest);
        parameters.extend(selection(number));
        steps.push(PolicyStep { command: CC_PCR, parameters });
    }
    if steps.is_empty() {
        return Ok((steps, None));
    }
    if passphrase {
        steps.push(PolicyStep { command: CC_AUTH_VALUE, parameters: Vec::new() });
    }
    let digest = digest(&steps).map_err(|error| Fault::new(PCR, error))?;
    Ok((steps, Some(digest)))
}

/// TPM 2.0 Library, Part 3, 23.7 and 23.17.
fn digest(steps: &[PolicyStep]) -> Result<Digest, tss_esapi::Error> {
    let mut digest = [0; 32];
    for step in steps {
        let mut hash = Sha256::new();
        hash.update(digest);
        hash.update(step.command.to_be_bytes());
        // the selection comes before the digest here, and after it in the command
        if let Some((pcrs, selection)) = split(&step.parameters) {
            hash.update(selection);
            hash.update(pcrs);
        }
        digest = hash.finalize().into();
    }
    Digest::try_from(&digest[..])
}

/// A TPML_PCR_SELECTION of one PCR.
fn selection(number: u8) -> Vec<u8> {
    let mut bits = [0_u8; 3];
    bits[usize::from(number / 8)] = 1 << (number % 8);
    [&1_u32.to_be_bytes()[..], &SHA256, &[3], &bits].concat()
}

/// The digest of the PCRs and their selection, in the parameters of TPM2_PolicyPCR.
fn split(parameters: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = parameters.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*size).into())
}

/// The PCRs in a TPML_PCR_SELECTION, if all are of the SHA-256 bank.
fn selected(mut selection: &[u8]) -> Option<Pcrs> {
    let mut take = |length: usize| {
        let (taken, rest) = selection.split_at_checked(length)?;
        selection = rest;
        Some(taken)
    };
    let count = u32::from_be_bytes(take(4)?.try_into().ok()?);
    let mut numbers = Vec::new();
    for _ in 0..count.min(16) {
        if take(2)? != SHA256 {
            return None;
        }
        let size = take(1)?[0];
        for (place, &bits) in take(size.into())?.iter().enumerate() {
            let set = (0..8_u8).filter(|bit| bits >> bit & 1 == 1);
            numbers.extend(set.filter_map(|bit| Some(u8::try_from(place).ok()? * 8 + bit)));
        }
    }
    Pcrs::new(numbers).ok()
}

fn list(pcrs: &Pcrs) -> Result<PcrSelectionList, Fault> {
    let slots: Result<Vec<_>, _> =
        pcrs.0.iter().map(|&number| PcrSlot::try_from(1_u32 << number)).collect();
    let list = slots.and_then(|slots| {
        PcrSelectionListBuilder::new().with_selection(HashingAlgorithm::Sha256, &slots).build()
    });
    list.map_err(|error| Fault::new(PCR, error))
}

fn read(connection: &mut Connection, number: u8) -> Result<Vec<u8>, Fault> {
    let list = list(&Pcrs(vec![number]))?;
    let read = connection.context.execute_without_session(|context| context.pcr_read(list));
    let (_, _, values) = read.map_err(|error| Fault::new("TPM2_PCR_Read", error))?;
    let value = values.value().first().map(|value| value.value().to_vec());
    value.ok_or_else(|| {
        let what =
            format!("this TPM has no SHA-256 bank with PCR {number}; enable it in the firmware");
        TpmError::Policy { what }.into()
    })
}

/// Has `session` go through the steps; who fails is named.
pub(super) fn run(
    connection: &mut Connection,
    session: PolicySession,
    steps: &[PolicyStep],
) -> Result<(), Fault> {
    for step in steps {
        match step.command {
            CC_PCR => pcr(connection, session, &step.parameters)?,
            CC_AUTH_VALUE => {
                let run = connection
                    .context
                    .execute_without_session(|context| context.policy_auth_value(session));
                run.map_err(|error| Fault::new(AUTH_VALUE, error))?;
            }
            other => {
                let known = CommandCode::try_from(other);
                let name = known.map_or_else(|_| format!("{other:#x}"), |code| format!("{code:?}"));
                let what = format!(
                    "it has a step that this program does not know ({name}); it knows PolicyPCR and PolicyAuthValue"
                );
                return Err(TpmError::Policy { what }.into());
            }
        }
    }
    Ok(())
}

fn pcr(
    connection: &mut Connection,
    session: PolicySession,
    parameters: &[u8],
) -> Result<(), Fault> {
    let split = split(parameters);
    let found = split.and_then(|(digest, list)| Some((digest, selected(list)?)));
    let (digest, pcrs) = found.ok_or_else(|| {
        let problem = "a step of its policy is not over PCRs of the SHA-256 bank".to_owned();
        Fault::from(TpmError::KeyFile { problem })
    })?;
    let list = list(&pcrs)?;
    let digest = Digest::try_from(digest).map_err(|error| Fault::new(PCR, error))?;
    let run = connection
        .context
        .execute_without_session(|context| context.policy_pcr(session, digest, list));
    run.map_err(|error| {
        let fault = Fault::new(PCR, error);
        // TPM_RC_VALUE of the first parameter: the digest is not the one of the PCRs
        match fault.code() {
            Some(0x1C4) => {
                let what = format!(
                    "{pcrs} is not what it was then: what was started on this machine, or in which order, has changed; \
                     seal anew if that was meant"
                );
                TpmError::Policy { what }.into()
            }
            _ => fault,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read_as_they_are_written() {
        for number in 0..24 {
            assert_eq!(selected(&selection(number)), Some(Pcrs(vec![number])));
        }
        // SHA-1, and one that ends too early
        assert_eq!(selected(&[0, 0, 0, 1, 0, 4, 3, 1, 0, 0]), None);
        assert_eq!(selected(&[0, 0, 0, 1, 0, 11, 3, 1, 0]), None);
        assert!(Pcrs::new([24]).is_err());
        assert_eq!(Pcrs::new([7, 0, 7]).unwrap().to_string(), "PCR 0, 7");
    }
}
