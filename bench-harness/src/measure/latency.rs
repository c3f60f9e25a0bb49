//! Latency histograms: HdrHistogram, nanoseconds, three significant digits.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    Deserializer as HdrReader, Serializer as _, V2DeflateSerializer,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// The longest latency told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(60);

/// A histogram of durations from one nanosecond to a minute.
///
/// Serialised as base64 of the HdrHistogram V2 compressed encoding, which every HdrHistogram
/// implementation reads; histograms can be added without loss, percentiles can't be averaged.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        // The bounds are constants inside what the library accepts.
        match Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3) {
            Ok(histogram) => Self(histogram),
            Err(error) => unreachable!("constant histogram bounds: {error}"),
        }
    }
}

impl Latency {
    /// Records one duration; what is longer than a minute counts as a minute.
    pub fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all that another histogram holds.
    pub fn add(&mut self, other: &Self) {
        // Equal bounds, so every value of the other one fits.
        if let Err(error) = self.0.add(&other.0) {
            unreachable!("histograms of equal bounds: {error}");
        }
    }

    /// Durations recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that this fraction of all records does not exceed; none with fewer than ten
    /// records beyond it, for then it is one unlucky operation and not a property of the system.
    pub fn quantile(&self, fraction: f64) -> Option<Duration> {
        let beyond = self.0.len() as f64 * (1.0 - fraction);
        (beyond >= 9.999).then(|| Duration::from_nanos(self.0.value_at_quantile(fraction)))
    }

    /// The longest duration.
    pub fn max(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.max()))
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)?;
        let read: Histogram<u64> =
            HdrReader::new().deserialize(&mut bytes.as_slice()).map_err(de::Error::custom)?;
        let mut latency = Self::default();
        latency.0.add(&read).map_err(de::Error::custom)?;
        Ok(latency)
    }
}

impl JsonSchema for Latency {
    fn schema_name() -> Cow<'static, str> {
        "HdrHistogram".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "HdrHistogram V2 compressed encoding; values in nanoseconds"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_its_encoding() {
        let mut latency = Latency::default();
        for micros in 1..=1000 {
            latency.record(Duration::from_micros(micros));
        }
        let read: Latency =
            serde_json::from_str(&serde_json::to_string(&latency).unwrap()).unwrap();
        assert_eq!(read.0, latency.0);
    }

    #[test]
    fn percentiles_of_a_known_distribution() {
        let mut latency = Latency::default();
        for micros in 1..=1000 {
            latency.record(Duration::from_micros(micros));
        }
        let close = |fraction: f64, micros: f64| {
            let got = latency.quantile(fraction).unwrap().as_secs_f64() * 1e6;
            assert!((got / micros - 1.0).abs() < 0.002, "{fraction}: {got}");
        };
        close(0.5, 500.0);
        close(0.9, 900.0);
        close(0.99, 990.0);
        assert_eq!(latency.max().unwrap().as_micros(), 1000);
    }

    #[test]
    fn a_percentile_with_fewer_than_ten_records_beyond_it_is_not_told() {
        let mut latency = Latency::default();
        (0..1000).for_each(|_| latency.record(Duration::from_millis(1)));
        assert!(latency.quantile(0.99).is_some());
        assert!(latency.quantile(0.999).is_none());
        assert!(Latency::default().quantile(0.5).is_none());
    }

    #[test]
    fn longer_than_a_minute_is_a_minute_not_a_panic() {
        let mut latency = Latency::default();
        latency.record(Duration::from_secs(3600));
        assert_eq!(latency.max().unwrap().as_secs_f64().round(), 60.0);
    }
}
