//! Handshakes counted by the lines that a proxy writes of them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};

use super::super::recipe::Lines;
use super::Counts;

/// A file that grows, read up to its last whole line.
pub(super) struct Tail {
    lines: Lines,
    read_to: u64,
    counts: Counts,
}

impl Tail {
    pub(super) fn new(lines: Lines) -> Self {
        let told = |text: &Option<String>| text.as_ref().map(|_| 0);
        let counts = Counts {
            protocol: told(&lines.protocol),
            suite: told(&lines.suite),
            group: told(&lines.group),
            peer: told(&lines.peer),
            ..Counts::default()
        };
        Self { lines, read_to: 0, counts }
    }

    pub(super) fn read(&mut self) -> io::Result<Counts> {
        let mut file = match File::open(&self.lines.file) {
            // Not written to before the first connection.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(self.counts.clone());
            }
            opened => opened?,
        };
        file.seek(SeekFrom::Start(self.read_to))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            self.read_to += line.len() as u64;
            self.count(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok(self.counts.clone())
    }

    fn count(&mut self, line: &str) {
        let (texts, counts) = (&self.lines, &mut self.counts);
        let has = |text: &str| u64::from(line.contains(text));
        counts.full += has(&texts.full);
        counts.resumed += has(&texts.resumed);
        for (text, count) in [
            (&texts.protocol, &mut counts.protocol),
            (&texts.suite, &mut counts.suite),
            (&texts.group, &mut counts.group),
            (&texts.peer, &mut counts.peer),
        ] {
            if let (Some(text), Some(count)) = (text, count) {
                *count += has(text);
            }
        }
        if texts.failed.as_deref().is_some_and(|text| line.contains(text)) {
            *counts.failures.entry("handshakes that the proxy refused".to_owned()).or_default() +=
                1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn whole_lines_are_counted_once_and_half_ones_later() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut tail = Tail::new(Lines {
            file: file.path().display().to_string(),
            full: "new session".to_owned(),
            resumed: "reused".to_owned(),
            failed: Some("refused".to_owned()),
            protocol: None,
            suite: Some("AES_128".to_owned()),
            group: None,
            peer: None,
        });
        assert_eq!(tail.read().unwrap().full, 0);
        file.write_all(b"start\nnew session\nAES_128\nreused AES_128\nrefu").unwrap();
        for _ in 0..2 {
            let counts = tail.read().unwrap();
            assert_eq!((counts.full, counts.resumed, counts.suite), (1, 1, Some(2)));
            assert_eq!((counts.protocol, counts.failures.len()), (None, 0));
        }
        file.write_all(b"sed\nnew session\n").unwrap();
        let counts = tail.read().unwrap();
        assert_eq!((counts.full, counts.failures.len()), (2, 1));
    }

    #[test]
    fn a_file_that_is_not_there_yet_has_no_lines() {
        let lines = Lines {
            file: "/nonexistent/log".to_owned(),
            full: "f".to_owned(),
            resumed: "r".to_owned(),
            failed: None,
            protocol: None,
            suite: None,
            group: None,
            peer: None,
        };
        assert_eq!(Tail::new(lines).read().unwrap(), Counts::default());
    }
}
