//! AWS-LC: every suite, group and signature scheme we serve, on any CPU, FIPS module included.

use rustls::crypto::aws_lc_rs;

use super::Adapter;

pub(super) static ADAPTER: Adapter = Adapter {
    requires: &[],
    serves: None,
    provider: aws_lc_rs::default_provider,
    ticketer: aws_lc_rs::Ticketer::new,
};
