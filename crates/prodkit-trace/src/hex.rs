//! Lowercase hexadecimal, as the trace headers write it.

/// The eight lowercase digits of a number.
///
/// All eight at once: the nibbles are spread over the bytes of a `u64` and turned into ASCII by arithmetic on the whole
/// word, since every log line of a request pays for this.
pub(crate) fn encode_u32(value: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut nibbles = u64::from(value);
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte above nine: those become letters, which lie further on in ASCII than the digits
    let letters = ((nibbles + 6 * ONES) >> 4) & ONES;
    (nibbles + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// The sixteen lowercase digits of a number.
pub(crate) fn encode_u64(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&encode_u32((value >> 32) as u32));
    digits[8..].copy_from_slice(&encode_u32(value as u32));
    digits
}

/// The thirty-two lowercase digits of a number.
pub(crate) fn encode_u128(value: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    digits[..16].copy_from_slice(&encode_u64((value >> 64) as u64));
    digits[16..].copy_from_slice(&encode_u64(value as u64));
    digits
}

/// The number written by at most 32 lowercase digits; `None` for any other byte, upper case included (the headers
/// forbid it).
pub(crate) fn decode(digits: &[u8]) -> Option<u128> {
    debug_assert!(digits.len() <= 32, "more digits than a u128 holds");
    let (mut value, mut invalid) = (0, 0);
    for &digit in digits {
        let nibble = NIBBLES[usize::from(digit)];
        // checked once at the end: valid input never branches
        invalid |= nibble;
        value = value << 4 | u128::from(nibble & 0x0f);
    }
    (invalid & INVALID == 0).then_some(value)
}

const INVALID: u8 = 0xf0;

const NIBBLES: [u8; 256] = {
    let mut table = [INVALID; 256];
    let mut nibble = 0;
    while nibble < 16 {
        table[b"0123456789abcdef"[nibble] as usize] = nibble as u8;
        nibble += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encodes_as_the_standard_formatter_does(value: u128) {
            prop_assert_eq!(encode_u128(value).to_vec(), format!("{value:032x}").into_bytes());
            prop_assert_eq!(encode_u64(value as u64).to_vec(), format!("{:016x}", value as u64).into_bytes());
            prop_assert_eq!(decode(&encode_u128(value)), Some(value));
        }
    }

    #[test]
    fn decodes_lowercase_digits_only() {
        for byte in 0..=u8::MAX {
            let expected =
                char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase()).map(u128::from);
            assert_eq!(decode(&[byte]), expected, "byte {byte:#04x}");
            assert_eq!(
                decode(&[b'1', byte, b'2']),
                expected.map(|digit| 0x102 | digit << 4),
                "byte {byte:#04x}"
            );
        }
    }
}
