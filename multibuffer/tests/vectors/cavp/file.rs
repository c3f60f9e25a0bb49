//! The format of response files: sections headed `[NAME]`, in them records of lines `name = value`, an
//! empty line after each.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

const FOLDER: &str = "/usr/lib/python3/dist-packages/cryptography_vectors/asymmetric";

/// A vector: values by their names.
#[derive(Debug)]
pub(super) struct Record(HashMap<String, String>);

/// The records under `[section]` in the file of that name, up to the next section with records.
pub(super) fn records(name: &str, section: &str) -> Vec<Record> {
    let path = Path::new(FOLDER).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; install python3-cryptography-vectors", path.display())
    });
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| *line != section);
    assert_eq!(lines.next(), Some(section), "no such section in {name}");
    let curve = |line: &str| line.starts_with("[P-") || line.starts_with("[E");
    let mut records = Vec::new();
    let mut record = HashMap::new();
    for line in lines.take_while(|line| !curve(line)).chain([""]) {
        if let Some((name, value)) = line.split_once(" = ") {
            record.insert(name.trim().to_owned(), value.to_owned());
        } else if line.is_empty() && !record.is_empty() {
            records.push(Record(std::mem::take(&mut record)));
        }
    }
    records
}

impl Record {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value's bytes.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let digits = self.text(name);
        // NIST leaves out a leading zero
        let digits = format!("{:0>1$}", digits, digits.len().next_multiple_of(2));
        let byte = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    /// The value as a number of 32 bytes; none if it does not fit in.
    pub(super) fn number(&self, name: &str) -> Option<[u8; 32]> {
        self.bytes(name).try_into().ok()
    }

    /// The point of two values: 4, x, y; none if a coordinate does not fit in.
    pub(super) fn point(&self, x: &str, y: &str) -> Option<[u8; 65]> {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&self.number(x)?);
        point[33..].copy_from_slice(&self.number(y)?);
        Some(point)
    }

    /// The reason for the vector's result, if it is one that must fail: `F (2 - R changed)`.
    pub(super) fn fails(&self) -> Option<&str> {
        let result = self.text("Result");
        match result.as_bytes()[0] {
            b'P' => None,
            b'F' => Some(result),
            _ => panic!("neither passes nor fails: {self:?}"),
        }
    }
}
