//! Head sampling: whether a new trace is recorded.

use prodkit_trace::TraceId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How traces are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// The part of new traces that is recorded, from 0 to 1. Default: 0.1 (the specification's is 1).
    pub ratio: f64,
    /// Whether the caller's decision, where there is one, is followed. Default: `true`.
    pub parent_based: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { ratio: 0.1, parent_based: true }
    }
}

/// Decides which traces are recorded; the same trace gets the same answer in every process with the same ratio.
///
/// This is [`ParentBased`] over [`TraceIdRatioBased`], computed as the Go and Rust SDKs do it. Clones share one ratio.
///
/// [`ParentBased`]: https://opentelemetry.io/docs/specs/otel/trace/sdk/#parentbased
/// [`TraceIdRatioBased`]: https://opentelemetry.io/docs/specs/otel/trace/sdk/#traceidratiobased
#[derive(Clone)]
pub struct Sampler {
    shared: Arc<Shared>,
}

struct Shared {
    /// A trace is recorded when the 63 bits of its id that decide are below this.
    threshold: AtomicU64,
    parent_based: bool,
    /// Nothing is exported: new traces are not recorded, whatever the ratio.
    off: bool,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, off: bool) -> Self {
        let Sampling { ratio, parent_based } = sampling;
        let threshold = if off { 0 } else { threshold(ratio) };
        Self { shared: Arc::new(Shared { threshold: threshold.into(), parent_based, off }) }
    }

    /// Whether the trace is recorded. `parent_sampled` is the flag of the parent span, local or remote, if there is one.
    ///
    /// One atomic load, no lock. Where traces are not exported the answer is the parent's flag, so that it is handed on
    /// unchanged, and `false` without a parent.
    #[inline]
    #[must_use]
    pub fn sample(&self, trace: TraceId, parent_sampled: Option<bool>) -> bool {
        match parent_sampled {
            Some(sampled) if self.shared.parent_based || self.shared.off => sampled,
            _ => decisive(trace) < self.shared.threshold.load(Ordering::Relaxed),
        }
    }

    /// The part of new traces recorded now, from 0 to 1; 0 where traces are not exported.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the inverse of `threshold`, which starts from a float")]
    pub fn ratio(&self) -> f64 {
        self.shared.threshold.load(Ordering::Relaxed) as f64 / SCALE
    }

    /// Changes the ratio for traces that begin from now on. What is below 0 is 0, above 1 is 1, not a number is 0.
    /// Without effect where traces are not exported.
    pub fn set_ratio(&self, ratio: f64) {
        if !self.shared.off {
            self.shared.threshold.store(threshold(ratio), Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { parent_based, off, .. } = &*self.shared;
        f.debug_struct("Sampler")
            .field("ratio", &self.ratio())
            .field("parent_based", parent_based)
            .field("off", off)
            .finish()
    }
}

/// 2⁶³: one more than the largest value of [`decisive`].
const SCALE: f64 = (1u64 << 63) as f64;

/// The lower 8 bytes of the id without their last bit.
fn decisive(trace: TraceId) -> u64 {
    // truncation takes the lower half
    (trace.to_u128() as u64) >> 1
}

fn threshold(ratio: f64) -> u64 {
    // a cast turns NaN, which passes through `clamp`, into 0
    (ratio.clamp(0.0, 1.0) * SCALE) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::trace::SamplingDecision;
    use opentelemetry_sdk::trace::{Sampler as Sdk, ShouldSample};

    fn id(low: u64) -> TraceId {
        TraceId::from_u128(1 << 64 | u128::from(low)).unwrap()
    }

    fn sampler(ratio: f64) -> Sampler {
        Sampler::new(Sampling { ratio, parent_based: true }, false)
    }

    #[test]
    fn bounds_of_the_ratio() {
        for low in [0, 1, 2, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            for ratio in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
                assert!(!sampler(ratio).sample(id(low), None), "{ratio} {low}");
            }
            for ratio in [1.0, 1.5, f64::INFINITY] {
                assert!(sampler(ratio).sample(id(low), None), "{ratio} {low}");
            }
            assert_eq!(sampler(0.5).sample(id(low), None), low < 1 << 63, "{low}");
        }
    }

    #[test]
    fn the_parent_decides_where_there_is_one() {
        let low = id(0);
        for (parent_based, off, parent, expected) in [
            (true, false, None, true),
            (true, false, Some(true), true),
            (true, false, Some(false), false),
            (false, false, Some(false), true),
            (true, true, None, false),
            (false, true, None, false),
            (true, true, Some(true), true),
            (false, true, Some(true), true),
            (false, true, Some(false), false),
        ] {
            let sampler = Sampler::new(Sampling { ratio: 1.0, parent_based }, off);
            assert_eq!(sampler.sample(low, parent), expected, "{parent_based} {off} {parent:?}");
        }
    }

    #[test]
    fn the_same_traces_as_the_sdk_and_a_larger_ratio_never_loses_one() {
        let ids: Vec<_> = (0..2000).map(|_| TraceId::random()).collect();
        let mut before = 0;
        for ratio in [0.0, 0.001, 0.1, 0.3, 0.5, 0.9, 1.0] {
            let ours = sampler(ratio);
            let mut sampled = 0;
            for &id in &ids {
                let theirs = Sdk::TraceIdRatioBased(ratio).should_sample(
                    None,
                    opentelemetry::TraceId::from_bytes(id.to_u128().to_be_bytes()),
                    "",
                    &opentelemetry::trace::SpanKind::Internal,
                    &[],
                    &[],
                );
                let recorded = ours.sample(id, None);
                assert_eq!(recorded, theirs.decision == SamplingDecision::RecordAndSample, "{ratio} {id:?}");
                sampled += usize::from(recorded);
            }
            assert!(sampled >= before);
            before = sampled;
        }
        assert_eq!(before, ids.len());
    }

    #[test]
    fn the_ratio_is_live_and_shared() {
        let sampler = sampler(0.0);
        let clone = sampler.clone();
        clone.set_ratio(1.0);
        assert!(sampler.sample(id(u64::MAX), None));
        assert!((sampler.ratio() - 1.0).abs() < f64::EPSILON);

        let off = Sampler::new(Sampling::default(), true);
        off.set_ratio(1.0);
        assert!(!off.sample(id(0), None));
    }
}
