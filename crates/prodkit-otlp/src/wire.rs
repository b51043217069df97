//! Protobuf's wire format, written straight into a buffer: no message types in between, and nothing allocated twice.

/// A field that holds a varint, in a tag.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// Appends a number as a varint.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes a varint of this value takes.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    // 7 bits a byte: (bits * 9 + 64) / 64 is ceil(bits / 7) for 1 to 64 bits
    ((64 - (value | 1).leading_zeros() as usize) * 9 + 64) / 64
}

#[inline]
fn tag(out: &mut Vec<u8>, field: u32, kind: u32) {
    varint(out, u64::from(field << 3 | kind));
}

/// A number, unless it is 0, which is what is not there.
#[inline]
pub(crate) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        tag(out, field, VARINT);
        varint(out, value);
    }
}

#[inline]
pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        tag(out, field, FIXED64);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

#[inline]
pub(crate) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    if value != 0 {
        tag(out, field, FIXED32);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// A 64-bit number that is there even where it is 0, as those of a `oneof` and optional ones are: its bits.
#[inline]
pub(crate) fn present64(out: &mut Vec<u8>, field: u32, bits: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&bits.to_le_bytes());
}

/// A `sint32`, unless it is 0.
#[inline]
pub(crate) fn sint(out: &mut Vec<u8>, field: u32, value: i32) {
    uint(out, field, u64::from((value << 1 ^ value >> 31).cast_unsigned()));
}

/// Numbers of 64 bits each, by their bits, in one field; none without any.
pub(crate) fn packed64(out: &mut Vec<u8>, field: u32, values: impl ExactSizeIterator<Item = u64>) {
    if values.len() > 0 {
        head(out, field, values.len() * 8);
        values.for_each(|bits| out.extend_from_slice(&bits.to_le_bytes()));
    }
}

/// Text or bytes, unless empty.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        head(out, field, value.len());
        out.extend_from_slice(value);
    }
}

/// The beginning of a field of this length.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, field: u32, len: usize) {
    tag(out, field, LENGTH);
    varint(out, len as u64);
}

/// How long a field of this length is with its beginning.
pub(crate) const fn framed(field: u32, len: usize) -> usize {
    varint_len((field << 3) as u64) + varint_len(len as u64) + len
}

/// A message whose length is known only once it is written: one byte is kept for it, and made room for where it takes
/// more.
#[inline]
pub(crate) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH);
    let at = out.len();
    out.push(0);
    write(out);
    let len = out.len() - at - 1;
    if len < 0x80 {
        out[at] = len as u8;
    } else {
        lengthen(out, at, len);
    }
}

#[cold]
fn lengthen(out: &mut Vec<u8>, at: usize, len: usize) {
    let more = varint_len(len as u64) - 1;
    out.resize(out.len() + more, 0);
    out.copy_within(at + 1..at + 1 + len, at + 1 + more);
    let mut rest = len;
    for byte in &mut out[at..at + more] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[at + more] = rest as u8;
}

/// `AnyValue`, the value of an attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Any<'a> {
    Bool(bool),
    F64(f64),
    I64(i64),
    Str(&'a str),
    List(&'a [crate::Value]),
}

impl<'a> From<&'a crate::Value> for Any<'a> {
    fn from(value: &'a crate::Value) -> Self {
        match value {
            crate::Value::Bool(value) => Self::Bool(*value),
            crate::Value::F64(value) => Self::F64(*value),
            crate::Value::I64(value) => Self::I64(*value),
            crate::Value::List(values) => Self::List(values),
            crate::Value::Str(text) => Self::Str(text),
        }
    }
}

/// A `KeyValue`; text is cut after `longest` characters.
#[inline]
pub(crate) fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: Any<'_>, longest: Option<usize>) {
    if let Any::Str(text) = value {
        // by far the most common: all lengths are known
        let text = clip(text, longest);
        let any = framed(1, text.len());
        head(out, field, framed(1, key.len()) + framed(2, any));
        head(out, 1, key.len());
        out.extend_from_slice(key.as_bytes());
        head(out, 2, any);
        head(out, 1, text.len());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    message(out, field, |out| {
        bytes(out, 1, key.as_bytes());
        message(out, 2, |out| any_value(out, value, longest));
    });
}

/// The fields of an `AnyValue`. Those of a `oneof` are there even where they are 0.
pub(crate) fn any_value(out: &mut Vec<u8>, value: Any<'_>, longest: Option<usize>) {
    match value {
        Any::Str(text) => {
            let text = clip(text, longest);
            head(out, 1, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        Any::Bool(value) => {
            tag(out, 2, VARINT);
            out.push(u8::from(value));
        }
        Any::I64(value) => {
            tag(out, 3, VARINT);
            varint(out, value.cast_unsigned());
        }
        Any::F64(value) => {
            tag(out, 4, FIXED64);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Any::List(values) => message(out, 5, |out| {
            for value in values {
                message(out, 1, |out| any_value(out, value.into(), longest));
            }
        }),
    }
}

/// The first `longest` characters.
#[inline]
fn clip(text: &str, longest: Option<usize>) -> &str {
    match longest {
        Some(longest) if text.len() > longest => {
            text.char_indices().nth(longest).map_or(text, |(end, _)| &text[..end])
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prost_writes_them() {
        for shift in 0..64 {
            for value in [(1_u64 << shift) - 1, 1 << shift, u64::MAX - (1 << shift)] {
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                varint(&mut ours, value);
                prost::encoding::encode_varint(value, &mut theirs);
                assert_eq!((&ours, ours.len()), (&theirs, varint_len(value)), "{value}");
            }
        }
    }

    #[test]
    fn a_message_has_its_length_whatever_it_takes() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut out = vec![7];
            message(&mut out, 3, |out| out.resize(out.len() + len, 9));
            let mut expected = vec![7, 3 << 3 | 2];
            varint(&mut expected, len as u64);
            expected.resize(expected.len() + len, 9);
            assert_eq!(out, expected, "{len}");
            assert_eq!(out.len() - 1, framed(3, len));
        }
    }

    #[test]
    fn text_is_cut_at_a_character() {
        for (longest, expected) in
            [(None, "aé€b"), (Some(0), ""), (Some(2), "aé"), (Some(3), "aé€"), (Some(4), "aé€b")]
        {
            assert_eq!(clip("aé€b", longest), expected);
        }
    }
}
