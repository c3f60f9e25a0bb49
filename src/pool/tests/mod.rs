//! The pool with real TLS connections over loopback and operations that tests can look into.

mod tls;
