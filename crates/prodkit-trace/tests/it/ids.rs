use prodkit_trace::{SpanId, TraceContext, TraceFlags, TraceId};
use proptest::prelude::*;
use std::collections::HashSet;

#[test]
fn zero_is_no_id() {
    assert_eq!(TraceId::from_u128(0), None);
    assert_eq!(SpanId::from_u64(0), None);
    assert_eq!(TraceId::from_hex(&[b'0'; 32]), None);
    assert_eq!(SpanId::from_hex(&[b'0'; 16]), None);
}

#[test]
fn a_context_is_two_words_and_a_half_and_none_costs_nothing() {
    assert_eq!(size_of::<TraceContext>(), 32);
    assert_eq!(size_of::<Option<TraceContext>>(), 32);
}

#[test]
fn random_ids_do_not_repeat_across_threads() {
    const PER_THREAD: usize = 2_000;
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                let ids = || (TraceId::random(), SpanId::random());
                (0..PER_THREAD).map(|_| ids()).collect::<Vec<_>>()
            })
        })
        .collect();
    let ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(ids.iter().map(|(trace, _)| trace).collect::<HashSet<_>>().len(), 8 * PER_THREAD);
    assert_eq!(ids.iter().map(|(_, span)| span).collect::<HashSet<_>>().len(), 8 * PER_THREAD);
}

/// Every bit is set about half the time: 20,000 draws, and a bound of ten standard deviations.
#[test]
fn every_bit_of_a_trace_id_is_random() {
    const DRAWS: u32 = 20_000;
    let mut set = [0_u32; 128];
    for _ in 0..DRAWS {
        let id = TraceId::random().to_u128();
        for (bit, count) in set.iter_mut().enumerate() {
            *count += (id >> bit & 1) as u32;
        }
    }
    for (bit, count) in set.into_iter().enumerate() {
        assert!(count.abs_diff(DRAWS / 2) < 710, "bit {bit} was set {count} times of {DRAWS}");
    }
}

#[test]
fn roots_are_flagged_random_and_sampled_as_told() {
    assert_eq!(TraceContext::root(true).flags(), TraceFlags::SAMPLED | TraceFlags::RANDOM);
    assert_eq!(TraceContext::root(false).flags(), TraceFlags::RANDOM);
    let mut asked = None;
    let root = TraceContext::root_with(|id| {
        asked = Some(id);
        true
    });
    assert_eq!(asked, Some(root.trace_id()));
    assert!(root.is_sampled());
}

#[test]
fn a_child_keeps_the_trace_and_its_flags() {
    for flags in
        [TraceFlags::NONE, TraceFlags::SAMPLED, TraceFlags::RANDOM, TraceFlags::SAMPLED | TraceFlags::RANDOM]
    {
        let parent = TraceContext::new(TraceId::random(), SpanId::random(), flags);
        let child = parent.child();
        assert_eq!((child.trace_id(), child.flags()), (parent.trace_id(), flags));
        assert_ne!(child.span_id(), parent.span_id());
        for sampled in [true, false] {
            assert_eq!(parent.with_sampled(sampled).is_sampled(), sampled);
            assert_eq!(parent.with_sampled(sampled).flags().is_random(), flags.is_random());
        }
    }
}

#[test]
fn flags_of_the_future_are_cleared() {
    for byte in 0..=u8::MAX {
        let flags = TraceFlags::from_u8(byte);
        assert_eq!(flags.to_u8(), byte & 0x03);
        assert_eq!(flags.hex().as_slice(), format!("{:02x}", byte & 0x03).as_bytes());
        assert_eq!(flags.to_string().as_bytes(), flags.hex());
    }
}

proptest! {
    #[test]
    fn ids_survive_their_text(trace in 1..=u128::MAX, span in 1..=u64::MAX) {
        let (trace, span) = (TraceId::from_u128(trace).unwrap(), SpanId::from_u64(span).unwrap());
        prop_assert_eq!(TraceId::from_hex(&trace.hex()), Some(trace));
        prop_assert_eq!(SpanId::from_hex(&span.hex()), Some(span));
        prop_assert_eq!(trace.to_string().into_bytes(), trace.hex());
        prop_assert_eq!(span.to_string().into_bytes(), span.hex());
    }

    #[test]
    fn any_bytes_are_an_id_or_none(bytes: Vec<u8>) {
        prop_assert!(TraceId::from_hex(&bytes).is_none_or(|id| id.hex().as_slice() == bytes));
        prop_assert!(SpanId::from_hex(&bytes).is_none_or(|id| id.hex().as_slice() == bytes));
    }
}
