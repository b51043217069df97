use super::*;
use proptest::prelude::*;

fn of(values: &[f64]) -> Exponential {
    let cell = Cell::default();
    values.iter().for_each(|value| cell.add(*value, 1));
    cell.read()
}

/// The lower end of a bucket.
fn end(bucket: i32, scale: i32) -> f64 {
    (f64::from(bucket) * 2_f64.powi(-scale)).exp2()
}

#[test]
fn the_lower_ends_are_the_eighth_roots() {
    for (step, lower) in LOWER.iter().enumerate() {
        assert!((lower - (step as f64 / 8.0).exp2()).abs() < 1e-15, "{step}");
    }
    assert_eq!(THRESHOLD, (-32_f64).exp2());
}

#[test]
fn powers_of_two_end_a_bucket() {
    for (value, bucket) in [
        (1.0, -1),
        (1.000_000_1, 0),
        (2.0, 7),
        (2.000_001, 8),
        (0.5, -9),
        (0.500_001, -8),
        (1.5, 4),
        (THRESHOLD * 1.000_001, LOWEST * 8),
        ((1_u64 << 63) as f64 * 2.0, 511),
    ] {
        let Exponential { positive, zero_count, scale, .. } = of(&[value]);
        assert_eq!(
            (positive.offset, &positive.counts[..], zero_count, scale),
            (bucket, &[1][..], 0, 3),
            "{value}"
        );
    }
}

#[test]
fn what_is_nearly_zero_and_what_is_beyond_measure_still_counts() {
    let read = of(&[0.0, -0.0, THRESHOLD, -THRESHOLD, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN]);
    assert_eq!((read.zero_count, read.count()), (6, 8));
    assert_eq!((read.positive.offset, read.negative.offset), (511, 511));
}

#[test]
fn no_more_than_160_buckets_are_shown_and_none_is_lost() {
    let values: Vec<f64> = (-31..64).map(|power| f64::from(power).exp2() * 1.2).collect();
    let read = of(&values);
    assert!(read.positive.counts.len() <= MOST_SHOWN, "{}", read.positive.counts.len());
    assert_eq!((read.count(), read.scale), (95, 0));
    assert!(of(&values[..20]).scale == 3);
}

fn value() -> impl Strategy<Value = f64> {
    (any::<bool>(), -31.9..63.9_f64)
        .prop_map(|(negative, power)| if negative { -power.exp2() } else { power.exp2() })
}

proptest! {
    #[test]
    fn every_value_is_in_the_bucket_that_holds_it(value in value()) {
        let read = of(&[value]);
        let side = if value > 0.0 { &read.positive } else { &read.negative };
        prop_assert_eq!(&side.counts, &[1]);
        // Both ends by another way to compute them, which is off by its last digits.
        let (low, high) = (end(side.offset, 3), end(side.offset + 1, 3));
        prop_assert!(low * (1.0 - 1e-13) < value.abs() && value.abs() <= high * (1.0 + 1e-13));
    }

    #[test]
    fn coarser_buckets_hold_what_the_finer_ones_held(
        values in proptest::collection::vec(value(), 0..200), scale in -3..3_i32
    ) {
        let cell = Cell::default();
        values.iter().for_each(|value| cell.add(*value, 1));
        let fine = Exponential {
            scale: SCALE,
            zero_threshold: THRESHOLD,
            zero_count: 0,
            positive: cell.positive.read(Vec::new()),
            negative: cell.negative.get().map(|pages| pages.read(Vec::new())).unwrap_or_default(),
        };
        let coarse = fine.clone().coarsened(scale);
        let expect = |side: &Side| {
            let mut all = std::collections::BTreeMap::new();
            for (bucket, count) in (side.offset..).zip(&side.counts).filter(|(_, count)| **count > 0) {
                *all.entry(bucket >> (SCALE - scale)).or_insert(0) += count;
            }
            all
        };
        let found = |side: &Side| -> std::collections::BTreeMap<i32, u64> {
            (side.offset..).zip(side.counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
        };
        prop_assert_eq!(expect(&fine.positive), found(&coarse.positive));
        prop_assert_eq!(expect(&fine.negative), found(&coarse.negative));
        prop_assert_eq!(coarse.count(), values.len() as u64);
    }

    #[test]
    fn what_two_counted_is_what_one_would_have(
        first in proptest::collection::vec(value(), 0..100), second in proptest::collection::vec(value(), 0..100)
    ) {
        let all: Vec<f64> = first.iter().chain(&second).copied().collect();
        let one = of(&all);
        let both = of(&first).plus(of(&second));
        prop_assert!(both.positive.counts.len().max(both.negative.counts.len()) <= MOST_SHOWN);
        // it may have become coarser on the way
        prop_assert_eq!(one.coarsened(both.scale), both);
    }
}
