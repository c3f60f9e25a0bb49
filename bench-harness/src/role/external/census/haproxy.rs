//! HAProxy's handshakes, counted in a stick table by what they came to.
//!
//! Its configuration tracks each connection under the key `protocol|suite|resumed|peer`, the peer as
//! the SHA-256 of its certificate; HAProxy's own counters tell none of these.

use std::io;

use super::super::admin;
use super::super::recipe::HaproxyTable;
use super::Counts;

/// Where the table is.
pub(super) struct Table(HaproxyTable);

impl Table {
    pub(super) fn new(table: HaproxyTable) -> Self {
        Self(table)
    }

    pub(super) fn read(&self) -> io::Result<Counts> {
        let answer = admin::ask(&self.0.socket, &format!("show table {}", self.0.table))?;
        if !answer.starts_with("# table:") {
            return Err(io::Error::other(format!("HAProxy answered `{}`", answer.trim())));
        }
        Ok(counts(&answer, &self.0))
    }
}

fn counts(answer: &str, names: &HaproxyTable) -> Counts {
    let mut counts = Counts::default();
    let (mut protocol, mut suite) = (0, 0);
    for line in answer.lines() {
        let Some((key, count)) = row(line) else { continue };
        let mut parts = key.split('|');
        let mut part = || parts.next().unwrap_or_default();
        let (version, cipher, resumed, peer) = (part(), part(), part(), part());
        if !peer.eq_ignore_ascii_case(&names.peer) {
            *counts.failures.entry("haproxy: unexpected certificate".to_owned()).or_default() +=
                count;
            continue;
        }
        if resumed == "1" {
            counts.resumed += count;
        } else {
            counts.full += count;
        }
        protocol += if version == "TLSv1.3" { count } else { 0 };
        suite += if cipher == names.suite { count } else { 0 };
    }
    // A client with another certificate is turned away, and is among the failures.
    let peer = Some(counts.full + counts.resumed);
    Counts { protocol: Some(protocol), suite: Some(suite), peer, ..counts }
}

fn row(line: &str) -> Option<(&str, u64)> {
    let field = |name| line.split_whitespace().find_map(|word| word.strip_prefix(name));
    Some((field("key=")?, field("conn_cnt=")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_summed_up() {
        let answer = "# table: handshakes, type: string, size:1024, used:4\n\
            0x1: key=TLSv1.3|TLS_AES_128_GCM_SHA256|0|AB use=0 exp=0 conn_cnt=1\n\
            0x2: key=TLSv1.3|TLS_AES_128_GCM_SHA256|1|AB use=0 exp=0 shard=0 conn_cnt=4\n\
            0x3: key=TLSv1.3|TLS_AES_256_GCM_SHA384|0|AB use=1 exp=0 conn_cnt=2\n\
            0x4: key=TLSv1.3|TLS_AES_128_GCM_SHA256|0|CD use=0 exp=0 conn_cnt=3\n\n";
        let names = HaproxyTable {
            socket: String::new(),
            table: "handshakes".to_owned(),
            suite: "TLS_AES_128_GCM_SHA256".to_owned(),
            peer: "ab".to_owned(),
        };
        let expected = Counts {
            full: 3,
            resumed: 4,
            protocol: Some(7),
            suite: Some(5),
            group: None,
            peer: Some(7),
            failures: [("haproxy: unexpected certificate".to_owned(), 3)].into(),
        };
        assert_eq!(counts(answer, &names), expected);
    }
}
