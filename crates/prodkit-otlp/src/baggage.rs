//! The `key=value,key=value` syntax that the specification borrows from [W3C Baggage](https://www.w3.org/TR/baggage/)
//! for headers and resource attributes: percent-encoded UTF-8 values, no properties (`;` is part of the value).

/// What a list cannot contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The pairs of `list`, empty ones left out, white space around keys and values removed.
pub(crate) fn pairs(list: &str) -> impl Iterator<Item = Result<(&str, String), Malformed>> {
    list.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').ok_or(Malformed)?;
        let key = key.trim();
        if key.is_empty() {
            return Err(Malformed);
        }
        Ok((key, decode(value.trim())?))
    })
}

/// Decodes `%41` to `A`.
pub(crate) fn decode(text: &str) -> Result<String, Malformed> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (digits, tail) = tail.split_at_checked(2).ok_or(Malformed)?;
            bytes.push(hex(digits[0])? << 4 | hex(digits[1])?);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| Malformed)
}

fn hex(digit: u8) -> Result<u8, Malformed> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_trims_and_decodes() {
        let parse = |list| pairs(list).collect::<Result<Vec<_>, _>>();
        assert_eq!(parse("a=1, b = x=y;z ,"), Ok(vec![("a", "1".into()), ("b", "x=y;z".into())]));
        assert_eq!(parse("a=%E2%82%AC%2c"), Ok(vec![("a", "€,".into())]));
        assert_eq!(parse(" "), Ok(vec![]));
        for malformed in ["a", "=1", "a=%", "a=%4", "a=%+1", "a=%ff"] {
            assert_eq!(parse(malformed), Err(Malformed), "{malformed}");
        }
    }
}
