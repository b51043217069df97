//! Numbers as Prometheus and OpenMetrics spell them.

/// The largest whole number of which every smaller one is exact in an `f64`, and short enough to print in full.
const WHOLE: f64 = 1e15;

pub(crate) fn float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value.trunc() == value && value.abs() < WHOLE {
        let whole = value as i64;
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
}

pub(crate) fn whole(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_right() {
        for (value, expect) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-5.0, "-5"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (1.5, "1.5"),
            (5000.0, "5000"),
            (1e15, "1000000000000000.0"),
            (1e300, "1e300"),
            (1e-7, "1e-7"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut out = Vec::new();
            float(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        }
    }
}
