//! Files of ticket keys in HAProxy's format.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::{Keys, NAME, SECRET, check};
use crate::resume::Error;

/// The longest file that is read: some 35 keys.
const LONGEST: u64 = 4096;

/// The last three keys in the file.
pub(super) fn read(path: &Path, period: u64) -> Result<Keys, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let malformed = |problem| Error::Format { path: path.to_owned(), problem };
    if fs::metadata(path).map_err(failed)?.len() > LONGEST {
        return Err(malformed(format!("it is longer than {LONGEST} bytes")));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    let lines: Vec<_> =
        text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()).collect();
    let Some(last) = lines.len().checked_sub(3).map(|first| &lines[first..]) else {
        return Err(malformed(format!("it has {} of three keys", lines.len())));
    };
    let mut last = last.iter();
    Keys::fill(period, |_, name, secret| {
        let Some((number, line)) = last.next() else { return Ok(()) };
        let mut buffer = Zeroizing::new([0; 80]);
        let key = Base64::decode(line, &mut *buffer)
            .ok()
            .filter(|key| matches!(key.len(), 48 | 80))
            .ok_or_else(|| malformed(format!("line {} is no key", number + 1)))?;
        check("a ticket key in the file", &key[NAME..])?;
        name.copy_from_slice(&key[..NAME]);
        // of the longer ones the first half is HAProxy's key for authentication, as random as the other
        secret.copy_from_slice(&key[NAME..NAME + SECRET]);
        Ok(())
    })
}
