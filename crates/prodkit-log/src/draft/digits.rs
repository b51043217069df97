//! The numbers below 1000, written beforehand: a status, a part of a second, the length of a short body.

/// With their zeros.
static THREE: [[u8; 3]; 1000] = {
    let mut three = [[0; 3]; 1000];
    let mut value = 0;
    while value < 1000 {
        three[value] = [digit(value / 100), digit(value / 10), digit(value)];
        value += 1;
    }
    three
};

/// Flush left, and how many digits they have.
static SMALL: [([u8; 3], u8); 1000] = {
    let mut small = [([0; 3], 1); 1000];
    let mut value = 0;
    while value < 1000 {
        let [hundreds, tens, ones] = THREE[value];
        small[value] = match value {
            ..10 => ([ones, 0, 0], 1),
            10..100 => ([tens, ones, 0], 2),
            _ => ([hundreds, tens, ones], 3),
        };
        value += 1;
    }
    small
};

const fn digit(value: usize) -> u8 {
    b'0' + (value % 10) as u8
}

/// The last three digits of a number.
#[inline]
pub(crate) fn three_digits(value: u32) -> [u8; 3] {
    THREE[value as usize % THREE.len()]
}

/// The digits of a number below 1000, and how many of the three bytes they are.
#[inline]
pub(super) fn small(value: u64) -> Option<&'static ([u8; 3], u8)> {
    SMALL.get(usize::try_from(value).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_those_that_the_standard_formatter_writes() {
        for value in 0..1000_u32 {
            assert_eq!(three_digits(value).to_vec(), format!("{value:03}").into_bytes());
            let (digits, length) = small(value.into()).expect("below 1000");
            assert_eq!(digits[..usize::from(*length)].to_vec(), value.to_string().into_bytes());
        }
        assert_eq!((three_digits(1007), small(1000), small(u64::MAX)), (*b"007", None, None));
    }
}
