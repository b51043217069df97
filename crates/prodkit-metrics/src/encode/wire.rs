//! The few things of protobuf's wire format that [`super::protobuf`] needs.
//!
//! Source: "Encoding" of the Protocol Buffers documentation. What has its default value is written all the same: in
//! Prometheus' messages, which are of version 2 of the language, absent and zero are two things.

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key(field: u32, kind: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | kind), out);
}

pub(super) fn uint(field: u32, value: u64, out: &mut Vec<u8>) {
    key(field, VARINT, out);
    varint(value, out);
}

/// `sint32` and `sint64`, which are the same on the wire.
pub(super) fn sint(field: u32, value: i64, out: &mut Vec<u8>) {
    uint(field, ((value << 1) ^ (value >> 63)) as u64, out);
}

/// `int64`.
pub(super) fn int(field: u32, value: i64, out: &mut Vec<u8>) {
    uint(field, value as u64, out);
}

pub(super) fn double(field: u32, value: f64, out: &mut Vec<u8>) {
    key(field, FIXED64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn string(field: u32, value: &str, out: &mut Vec<u8>) {
    key(field, LENGTH, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value.as_bytes());
}

/// A message inside a message. Its length stands in front of it and is known only afterwards.
pub(super) fn message(field: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    key(field, LENGTH, out);
    delimited(out, write);
}

/// A message behind its length.
pub(super) fn delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let before = out.len();
    // Room for the usual length of a length.
    out.push(0);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    if let Ok(short) = u8::try_from(length)
        && short < 0x80
    {
        out[before] = short;
        return;
    }
    let mut head = Vec::with_capacity(10);
    varint(length as u64, &mut head);
    out.splice(before..start, head);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_documentation() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out
        };
        assert_eq!(written(&|out| uint(1, 150, out)), [0x08, 0x96, 0x01]);
        assert_eq!(written(&|out| string(2, "testing", out)), b"\x12\x07testing");
        assert_eq!(written(&|out| message(3, out, |out| uint(1, 150, out))), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(written(&|out| double(1, 1.0, out)), [9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        for (value, expect) in
            [(0, 0), (-1, 1), (1, 2), (-2, 3), (0x7fff_ffff, 0xffff_fffe), (-0x8000_0000, 0xffff_ffff)]
        {
            let mut varint_of = vec![8];
            varint(expect, &mut varint_of);
            assert_eq!(written(&|out| sint(1, value, out)), varint_of, "{value}");
        }
        assert_eq!(written(&|out| int(1, -1, out)).len(), 11);
    }

    #[test]
    fn a_long_message_has_a_long_length() {
        for length in [0, 127, 128, 20_000] {
            let mut out = vec![7];
            delimited(&mut out, |out| out.extend(std::iter::repeat_n(5, length)));
            let mut expect = vec![7];
            varint(length as u64, &mut expect);
            expect.extend(std::iter::repeat_n(5, length));
            assert_eq!(out, expect);
        }
    }
}
