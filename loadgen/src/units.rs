//! Quantities with their units, as people write them in files and flags, and read them.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, Unexpected, Visitor};

/// A quantity without a unit, or with one that is not known.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct UnitError {
    text: String,
    expected: &'static str,
}

const DURATION: &str =
    "a duration with its unit (us, ms, s or m), such as \"250ms\", \"5s\" or \"2m\"";
const RATE: &str = "a rate with its unit (/s or /m), such as \"500/s\"";

/// Parses `250ms`, `5s`, `2m`, `100us`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let error = || UnitError {
        text: text.to_owned(),
        expected: DURATION,
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(error)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| error())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        _ => return Err(error()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Parses `500/s` or `30000/m` to requests per second.
pub fn parse_rate(text: &str) -> Result<f64, UnitError> {
    let error = || UnitError {
        text: text.to_owned(),
        expected: RATE,
    };
    let (number, unit) = text.split_once('/').ok_or_else(error)?;
    let number: f64 = number.trim().parse().map_err(|_| error())?;
    let rate = match unit.trim() {
        "s" => number,
        "m" => number / 60.0,
        _ => return Err(error()),
    };
    if rate.is_finite() && rate > 0.0 {
        Ok(rate)
    } else {
        Err(error())
    }
}

/// The same, and `0/s`, which is a pause.
pub(crate) fn parse_stage_rate(text: &str) -> Result<f64, UnitError> {
    match text {
        "0/s" | "0/m" => Ok(0.0),
        other => parse_rate(other),
    }
}

/// A duration with the unit that fits its size, to three digits: `87 µs`, `1.24 ms`, `2.05 s`.
#[expect(clippy::cast_precision_loss, reason = "three digits are printed")]
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.decimals$} {unit}")
}

/// Bytes with the unit that fits their number: `812 B`, `45.1 kB`, `31.2 MB`.
#[expect(clippy::cast_precision_loss, reason = "one decimal is printed")]
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A duration in a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DurationText(pub(crate) Duration);

/// A rate in a file, requests per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateText(pub(crate) f64);

/// The rate of a stage in a file, where 0 is a pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StageRateText(pub(crate) f64);

impl<'de> Deserialize<'de> for StageRateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(TextVisitor {
                expected: RATE,
                parse: parse_stage_rate,
            })
            .map(Self)
    }
}

/// A count in a file. Serde's own message for a number names the Rust type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeNumber(pub(crate) u64);

impl WholeNumber {
    /// As a size; what does not fit is above every limit that a size has here.
    pub(crate) fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = WholeNumber;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a whole number without quotes, such as 30")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<WholeNumber, E> {
        u64::try_from(number)
            .map(WholeNumber)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(NumberVisitor)
    }
}

struct TextVisitor<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, UnitError>,
}

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        Err(E::invalid_type(Unexpected::Signed(number), &self))
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(TextVisitor {
                expected: DURATION,
                parse: parse_duration,
            })
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for RateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rate = deserializer.deserialize_str(TextVisitor {
            expected: RATE,
            parse: parse_rate,
        })?;
        if rate > 1e6 {
            Err(D::Error::custom("a rate above 1000000/s is a mistake"))
        } else {
            Ok(Self(rate))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_read_with_its_unit_only() {
        let good = [
            ("100us", 100),
            ("250ms", 250_000),
            ("5s", 5_000_000),
            ("1.5s", 1_500_000),
            ("2m", 120_000_000),
        ];
        for (text, us) in good {
            assert_eq!(
                parse_duration(text).expect(text),
                Duration::from_micros(us),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5sec",
            "1e3s",
            "1..2s",
            "99999999999999999999m",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?} is no duration");
        }
        assert!((parse_rate("500/s").expect("a rate") - 500.0).abs() < 1e-9);
        assert!((parse_rate("30000/m").expect("a rate") - 500.0).abs() < 1e-9);
        for text in ["500", "0/s", "-1/s", "x/s", "5/h", "inf/s", "NaN/s"] {
            assert!(parse_rate(text).is_err(), "{text:?} is no rate");
        }
    }

    #[test]
    fn a_duration_has_three_digits_and_its_unit() {
        let table = [
            (7, "7 ns"),
            (1_234, "1.23 µs"),
            (87_600, "87.6 µs"),
            (654_321, "654 µs"),
            (1_240_000, "1.24 ms"),
            (2_050_000_000, "2.05 s"),
        ];
        for (ns, text) in table {
            assert_eq!(duration(ns), text);
        }
    }
}
