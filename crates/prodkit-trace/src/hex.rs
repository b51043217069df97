//! Lowercase hexadecimal, as the trace headers write it.
//!
//! Eight digits at a time: the nibbles of a number are spread over the bytes of a `u64` and turned into ASCII, or back,
//! by arithmetic on the whole word. Every request with a trace pays for this several times.

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// How much further on in ASCII than the digits the letters lie.
const LETTERS: u8 = b'a' - b'0' - 10;

/// The eight lowercase digits of a number, as a big-endian word.
const fn encode_word(value: u32) -> u64 {
    let mut nibbles = value as u64;
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & (0x0f * ONES);
    let letters = ((nibbles + 6 * ONES) >> 4) & ONES;
    nibbles + b'0' as u64 * ONES + letters * LETTERS as u64
}

/// The number that eight lowercase digits write. Of any other bytes it makes any number: the caller encodes it again
/// and compares.
const fn decode_word(digits: u64) -> u32 {
    let letters = (digits >> 6) & ONES;
    // no byte overflows into the next: the high nibbles are cleared before
    let mut nibbles = (digits & (0x0f * ONES)) + 9 * letters;
    nibbles &= 0x0f * ONES;
    nibbles = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles >> 8) & 0x0000_ffff_0000_ffff;
    (nibbles | nibbles >> 16) as u32
}

/// The two lowercase digits of a number.
pub(crate) const fn encode_u8(value: u8) -> [u8; 2] {
    (encode_word(value as u32) as u16).to_be_bytes()
}

/// The sixteen lowercase digits of a number.
pub(crate) const fn encode_u64(value: u64) -> [u8; 16] {
    let (high, low) = (encode_word((value >> 32) as u32), encode_word(value as u32));
    ((high as u128) << 64 | low as u128).to_be_bytes()
}

/// The thirty-two lowercase digits of a number.
pub(crate) fn encode_u128(value: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    encode_bytes(&value.to_be_bytes(), &mut digits);
    digits
}

/// Apart, and from memory to memory: so it becomes vector code, which takes a third less than four words.
#[inline(never)]
fn encode_bytes(bytes: &[u8; 16], digits: &mut [u8; 32]) {
    let digit = |nibble: u8| nibble + b'0' + if nibble > 9 { LETTERS } else { 0 };
    for (byte, pair) in bytes.iter().zip(digits.as_chunks_mut::<2>().0) {
        *pair = [byte >> 4, byte & 0x0f].map(digit);
    }
}

/// The number written by these digits; `None` for any other byte, upper case included: the headers forbid it.
pub(crate) fn decode_u8(digits: [u8; 2]) -> Option<u8> {
    let value = decode_word(u64::from(u16::from_be_bytes(digits))) as u8;
    (encode_u8(value) == digits).then_some(value)
}

/// As [`decode_u8`].
pub(crate) fn decode_u64(digits: [u8; 16]) -> Option<u64> {
    let text = u128::from_be_bytes(digits);
    let value = u64::from(decode_word((text >> 64) as u64)) << 32 | u64::from(decode_word(text as u64));
    (encode_u64(value) == digits).then_some(value)
}

/// As [`decode_u8`].
pub(crate) fn decode_u128(digits: [u8; 32]) -> Option<u128> {
    let (halves, _) = digits.as_chunks::<16>();
    Some(u128::from(decode_u64(halves[0])?) << 64 | u128::from(decode_u64(halves[1])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encodes_as_the_standard_formatter_does(value: u128) {
            prop_assert_eq!(encode_u128(value).to_vec(), format!("{value:032x}").into_bytes());
            prop_assert_eq!(encode_u64(value as u64).to_vec(), format!("{:016x}", value as u64).into_bytes());
            prop_assert_eq!(encode_u8(value as u8).to_vec(), format!("{:02x}", value as u8).into_bytes());
            prop_assert_eq!(decode_u128(encode_u128(value)), Some(value));
        }

        #[test]
        fn decodes_no_other_bytes(digits: [u8; 16], value: u64, at in 0..16_usize, byte: u8) {
            prop_assert!(decode_u64(digits).is_none_or(|value| encode_u64(value) == digits));
            let mut digits = encode_u64(value);
            digits[at] = byte;
            prop_assert_eq!(decode_u64(digits).is_some(), matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        }
    }

    #[test]
    fn decodes_each_pair_of_lowercase_digits_and_nothing_else() {
        for pair in 0..=u16::MAX {
            let digits = pair.to_be_bytes();
            let text = str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'));
            let expected = text.and_then(|text| u8::from_str_radix(text, 16).ok());
            let expected = expected.filter(|_| !digits.iter().any(u8::is_ascii_uppercase));
            assert_eq!(decode_u8(digits), expected, "{digits:?}");
        }
    }
}
