//! Text to value, at the leaf that knows its type.

/// How a scalar was written, which decides what it may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A YAML scalar without quotes: the type of the field decides, and without a type the YAML 1.2 core schema.
    Plain,
    /// From the environment or `--set`: the type of the field decides, and without a type it is text.
    Bare,
    /// Certainly text: quoted in YAML, a string in TOML and JSON.
    Text,
    Null,
    Bool,
    Int,
    Float,
}

/// A whole number, wide enough for every integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) negative: bool,
    pub(crate) magnitude: u128,
}

/// Why a text is not the number asked for, when there is something helpful to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    NotANumber,
    LeadingZero,
    Underscore,
    TooLarge,
}

/// `-12`, `0x1f`, `0o17`, `0b101`: YAML 1.2 core schema, section 10.3.2, and TOML's binary form.
pub(crate) fn whole(text: &str) -> Result<Whole, Why> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let signed = digits.len() != text.len();
    let (radix, digits) = match digits.get(..2) {
        Some("0x") if !signed => (16, digits.get(2..).unwrap_or_default()),
        Some("0o") if !signed => (8, digits.get(2..).unwrap_or_default()),
        Some("0b") if !signed => (2, digits.get(2..).unwrap_or_default()),
        _ => (10, digits),
    };
    let number = |c: char| c.is_digit(radix);
    if digits.starts_with(number) && digits.contains('_') && digits.chars().all(|c| number(c) || c == '_') {
        return Err(Why::Underscore);
    }
    if digits.is_empty() || !digits.chars().all(number) {
        return Err(Why::NotANumber);
    }
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        return Err(Why::LeadingZero);
    }
    let magnitude = u128::from_str_radix(digits, radix).map_err(|_| Why::TooLarge)?;
    Ok(Whole { negative: negative && magnitude != 0, magnitude })
}

impl Whole {
    pub(crate) fn to_i128(self) -> Option<i128> {
        if self.negative {
            0i128.checked_sub_unsigned(self.magnitude)
        } else {
            i128::try_from(self.magnitude).ok()
        }
    }

    pub(crate) fn to_u128(self) -> Option<u128> {
        (!self.negative).then_some(self.magnitude)
    }
}

/// `1.5`, `1e3`, `.inf`, `.nan`: YAML 1.2 core schema, section 10.3.2. A number too large for an `f64` is refused.
pub(crate) fn float(text: &str) -> Result<f64, Why> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Ok(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Ok(f64::NAN);
    }
    match whole(text) {
        Err(why @ (Why::LeadingZero | Why::Underscore)) => return Err(why),
        Ok(Whole { magnitude, negative }) if !unsigned.bytes().all(|b| b.is_ascii_digit()) => {
            let magnitude = magnitude as f64;
            return Ok(if negative { -magnitude } else { magnitude });
        }
        Ok(_) | Err(Why::NotANumber | Why::TooLarge) => {}
    }
    // Rust also parses `inf`, `nan` and `infinity`, which are words here.
    let numeric =
        unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !numeric || !unsigned.contains(|c: char| c.is_ascii_digit()) {
        return Err(Why::NotANumber);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(Why::TooLarge),
        Err(_) => Err(Why::NotANumber),
    }
}

pub(crate) fn boolean(text: &str, form: Form) -> Option<bool> {
    match (text, form) {
        ("true" | "True" | "TRUE", _) => Some(true),
        ("false" | "False" | "FALSE", _) => Some(false),
        (other, Form::Bare) if other.eq_ignore_ascii_case("true") => Some(true),
        (other, Form::Bare) if other.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// What YAML 1.1 read as a boolean, and people still write.
pub(crate) fn looked_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "1" => Some(true),
        "no" | "off" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// What a plain YAML scalar is when no type asks for anything: the YAML 1.2 core schema, except that a number with
/// leading zeros stays text (`010` is a file mode, a postcode or a phone number, never ten).
pub(crate) fn core_schema(text: &str) -> Form {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Form::Null
    } else if boolean(text, Form::Plain).is_some() {
        Form::Bool
    } else if text.starts_with("0b") {
        Form::Text
    } else if matches!(whole(text), Ok(_) | Err(Why::TooLarge)) {
        Form::Int
    } else if matches!(float(text), Ok(_) | Err(Why::TooLarge)) {
        Form::Float
    } else {
        Form::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        let ok = |negative, magnitude| Ok(Whole { negative, magnitude });
        for (text, expected) in [
            ("0", ok(false, 0)),
            ("-0", ok(false, 0)),
            ("+12", ok(false, 12)),
            ("18446744073709551615", ok(false, u128::from(u64::MAX))),
            ("-9223372036854775808", ok(true, 1 << 63)),
            ("340282366920938463463374607431768211455", ok(false, u128::MAX)),
            ("340282366920938463463374607431768211456", Err(Why::TooLarge)),
            ("0x1F", ok(false, 31)),
            ("0o17", ok(false, 15)),
            ("0b101", ok(false, 5)),
            ("010", Err(Why::LeadingZero)),
            ("00", Err(Why::LeadingZero)),
            ("1_000", Err(Why::Underscore)),
            ("-0x1", Err(Why::NotANumber)),
            ("1.0", Err(Why::NotANumber)),
            ("1e3", Err(Why::NotANumber)),
            ("", Err(Why::NotANumber)),
            ("-", Err(Why::NotANumber)),
            ("0x", Err(Why::NotANumber)),
            (" 1", Err(Why::NotANumber)),
            ("٣", Err(Why::NotANumber)),
        ] {
            assert_eq!(whole(text), expected, "{text:?}");
        }
        assert_eq!(Whole { negative: true, magnitude: 1 << 127 }.to_i128(), Some(i128::MIN));
        assert_eq!(Whole { negative: true, magnitude: (1 << 127) + 1 }.to_i128(), None);
    }

    #[test]
    fn floats() {
        for (text, expected) in [
            ("1.5", Ok(1.5)),
            ("-.5", Ok(-0.5)),
            ("1.", Ok(1.0)),
            ("1e3", Ok(1000.0)),
            ("7", Ok(7.0)),
            ("0x10", Ok(16.0)),
            (".inf", Ok(f64::INFINITY)),
            ("-.inf", Ok(f64::NEG_INFINITY)),
            ("1e400", Err(Why::TooLarge)),
            ("inf", Err(Why::NotANumber)),
            ("nan", Err(Why::NotANumber)),
            ("e", Err(Why::NotANumber)),
            (".", Err(Why::NotANumber)),
            ("010", Err(Why::LeadingZero)),
            ("1_0", Err(Why::Underscore)),
        ] {
            assert_eq!(float(text), expected, "{text:?}");
        }
        assert!(float(".nan").is_ok_and(f64::is_nan));
    }

    #[test]
    fn untyped_yaml() {
        for (text, expected) in [
            ("", Form::Null),
            ("~", Form::Null),
            ("null", Form::Null),
            ("true", Form::Bool),
            ("FALSE", Form::Bool),
            ("no", Form::Text),
            ("on", Form::Text),
            ("yes", Form::Text),
            ("010", Form::Text),
            ("10", Form::Int),
            ("0o10", Form::Int),
            ("0b1", Form::Text),
            ("1_000", Form::Text),
            ("12:30:45", Form::Text),
            ("1.10", Form::Float),
            ("1e400", Form::Float),
            ("2025-10-17", Form::Text),
        ] {
            assert_eq!(core_schema(text), expected, "{text:?}");
        }
    }
}
