//! Numbers on the command line, with bounds that keep nonsense out of a run.

use crate::settings::{HandshakeMix, MOST_IN_FLIGHT};

/// A rate, from one in a thousand seconds to a billion a second.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.001..=1e9).contains(&number) {
        Ok(number)
    } else {
        Err("must be from 0.001 to 1e9".to_owned())
    }
}

/// A length of time, a day at most.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let number = positive(text)?;
    if number <= 86400.0 { Ok(number) } else { Err("must be a day at most".to_owned()) }
}

/// A period of rotations: what starts in the 100 ms after one is told apart, so it is longer than that.
pub(super) fn rotation(text: &str) -> Result<f64, String> {
    let number = seconds(text)?;
    if number >= 0.2 { Ok(number) } else { Err("must be 0.2 at least".to_owned()) }
}

/// A share of handshakes that resume.
pub(super) fn percent(text: &str) -> Result<HandshakeMix, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    match number {
        0.0 => Ok(HandshakeMix::Full),
        100.0 => Ok(HandshakeMix::Resumed),
        _ if (0.0..100.0).contains(&number) => Ok(HandshakeMix::Mix(number / 100.0)),
        _ => Err("must be from 0 to 100".to_owned()),
    }
}

/// A fraction of the saturation rate.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    let number = positive(text)?;
    if number < 1.0 {
        Ok(number)
    } else {
        Err("must be below 1: at saturation no latency is finite".to_owned())
    }
}

/// A count that is not zero.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number above zero".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// A number of connections or handshakes in flight.
pub(super) fn in_flight(text: &str) -> Result<usize, String> {
    let number = at_least_one(text)?;
    if number <= MOST_IN_FLIGHT {
        Ok(number)
    } else {
        Err(format!("must be {MOST_IN_FLIGHT} at most"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        for text in ["0", "-1", "NaN", "inf", "1e300", "1e-30", "", "x"] {
            assert!(positive(text).is_err(), "{text}");
            assert!(seconds(text).is_err(), "{text}");
            assert!(fraction(text).is_err(), "{text}");
            assert!(at_least_one(text).is_err(), "{text}");
        }
        for text in ["-1", "100.1", "NaN", "inf", "", "x"] {
            assert!(percent(text).is_err(), "{text}");
        }
        assert!(rotation("0.1").is_err());
        assert!(seconds("1e6").is_err());
        assert!(fraction("1").is_err());
        assert!(in_flight("8193").is_err());
    }

    #[test]
    fn sense_is_taken() {
        assert_eq!(positive("1e3"), Ok(1000.0));
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert_eq!(rotation("0.2"), Ok(0.2));
        assert_eq!(percent("0"), Ok(HandshakeMix::Full));
        assert_eq!(percent("90"), Ok(HandshakeMix::Mix(0.9)));
        assert_eq!(percent("100"), Ok(HandshakeMix::Resumed));
        assert_eq!(fraction("0.99"), Ok(0.99));
        assert_eq!(in_flight("8192"), Ok(8192));
    }
}
