//! Prices, which the user brings in a file: they differ by region, contract and day.
//!
//! ```toml
//! currency = "USD"
//!
//! [instances."c7i.large"]
//! per_hour = 0.08925
//! note = "on demand, us-east-1, 2026-11-01"
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// What instances cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The currency of all prices.
    #[serde(default = "dollar")]
    currency: String,
    instances: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    per_hour: f64,
    note: String,
}

/// The price of one instance.
#[derive(Clone, Copy, Debug)]
pub struct Price<'a> {
    /// For an hour, above zero.
    pub per_hour: f64,
    currency: &'a str,
    note: &'a str,
}

impl Prices {
    /// Reads a price file.
    ///
    /// # Errors
    /// When it can't be read, is no price file, or holds a price that is none.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Unreadable { path: file.to_owned(), reason };
        let text = fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
        Self::parse(&text).map_err(refuse)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let prices: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let no_price = |price: f64| !price.is_finite() || price <= 0.0;
        match prices.instances.iter().find(|(_, entry)| no_price(entry.per_hour)) {
            Some((name, entry)) => Err(format!(
                "{} an hour for `{name}` is no price; give one above 0",
                entry.per_hour
            )),
            None => Ok(prices),
        }
    }

    /// The price of the instance of this name.
    pub fn of(&self, instance: &str) -> Option<Price<'_>> {
        let Entry { per_hour, note } = self.instances.get(instance)?;
        Some(Price { per_hour: *per_hour, currency: &self.currency, note })
    }

    /// The currency of all prices.
    pub fn currency(&self) -> &str {
        &self.currency
    }
}

impl fmt::Display for Price<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} an hour ({})", self.per_hour, self.currency, self.note)
    }
}

fn dollar() -> String {
    "USD".to_owned()
}
