//! JSON numbers, read exactly: binary floating point knows neither 0.1 nor where 1e400 went.

use std::fmt;

/// More significant digits than any field here accepts; what is longer is out of range anyway.
const MAX_DIGITS: usize = 30;

/// The value `digits × 10^-scale`, with no trailing zero behind the point: `1.50` is 15 × 10⁻¹.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: u128,
    scale: u32,
}

/// Why a text is no usable number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotUsable {
    NotANumber,
    OutOfRange,
}

impl Decimal {
    /// Reads the JSON text of a number (RFC 8259 section 6), with fraction and exponent.
    pub(crate) fn parse(json: &str) -> Result<Self, NotUsable> {
        let (negative, unsigned) = match json.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, json),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix('+').unwrap_or(exponent)),
            None => (unsigned, "0"),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let exponent_digits = exponent.strip_prefix('-').unwrap_or(exponent);
        if whole.is_empty()
            || exponent_digits.is_empty()
            || ![whole, fraction, exponent_digits].into_iter().all(is_digits)
        {
            return Err(NotUsable::NotANumber);
        }
        // What does not fit 32 bits is far out of range in either direction.
        let exponent: i32 = exponent.parse().map_err(|_| NotUsable::OutOfRange)?;

        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let kept = significant.trim_end_matches('0');
        if kept.is_empty() {
            return Ok(Self { negative: false, digits: 0, scale: 0 });
        }
        if kept.len() > MAX_DIGITS {
            return Err(NotUsable::OutOfRange);
        }
        let digits: u128 = kept.parse().map_err(|_| NotUsable::OutOfRange)?;
        // value = kept × 10^(dropped zeros − fraction digits + exponent)
        let power = i64::from(exponent) - fraction.len() as i64 + (significant.len() - kept.len()) as i64;
        match u32::try_from(-power) {
            Ok(scale) => Ok(Self { negative, digits, scale }),
            Err(_) => {
                let factor = u32::try_from(power).ok().and_then(|power| 10u128.checked_pow(power));
                let digits =
                    factor.and_then(|factor| digits.checked_mul(factor)).ok_or(NotUsable::OutOfRange)?;
                Ok(Self { negative, digits, scale: 0 })
            }
        }
    }

    pub(crate) const fn is_negative(&self) -> bool {
        self.negative
    }

    /// The value times `10^places`, where that is a whole number and not negative.
    pub(crate) fn scaled(&self, places: u32) -> Option<u128> {
        let missing = places.checked_sub(self.scale)?;
        if self.negative { None } else { self.digits.checked_mul(10u128.checked_pow(missing)?) }
    }
}

/// An amount of money in whole cents. Shown as JSON shows numbers: `199.98`, `20.00`.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cents(pub(crate) i64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl serde::Serialize for Cents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As its own text: a detour over f64 would lose cents from 2^53 on.
        let text =
            serde_json::value::RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(text: &str) -> Option<u128> {
        Decimal::parse(text).unwrap().scaled(2)
    }

    #[test]
    fn values_are_exact_however_they_are_written() {
        for text in ["99.99", "99.990", "9999e-2", "0.9999e2", "9.999E+1"] {
            assert_eq!(cents(text), Some(9999), "{text}");
        }
        assert_eq!(cents("0"), Some(0));
        assert_eq!(cents("-0"), Some(0));
        assert_eq!(cents("0e9"), Some(0));
        assert_eq!(cents("1e3"), Some(100_000));
        assert_eq!(cents("0.1"), Some(10));
    }

    #[test]
    fn a_third_decimal_is_not_rounded_away() {
        for text in ["0.001", "1.999", "1e-3", "123456789.123"] {
            assert_eq!(cents(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("1.5").unwrap().scaled(0), None);
        assert_eq!(Decimal::parse("2.0").unwrap().scaled(0), Some(2));
    }

    #[test]
    fn what_no_integer_holds_is_out_of_range() {
        for text in ["1e400", "1e99999999999", "1234567890123456789012345678901234567890"] {
            assert_eq!(Decimal::parse(text), Err(NotUsable::OutOfRange), "{text}");
        }
        assert!(Decimal::parse("-1").unwrap().is_negative());
        assert_eq!(cents("1e-400"), None);
    }

    #[test]
    fn other_json_is_not_a_number() {
        for text in ["\"1\"", "null", "true", "[]", "", ".5", "-", "1.2.3", "NaN"] {
            assert_eq!(Decimal::parse(text), Err(NotUsable::NotANumber), "{text}");
        }
    }

    #[test]
    fn cents_print_two_places() {
        let text = |cents| serde_json::to_string(&Cents(cents)).unwrap();
        assert_eq!(text(19_998), "199.98");
        assert_eq!(text(2_000), "20.00");
        assert_eq!(text(5), "0.05");
        assert_eq!(text(9_007_199_254_740_993), "90071992547409.93");
    }
}
