//! `runtime.*` and `metrics.*`.

use crate::rig::with;

pub(crate) fn workers() {
    for workers in [1, 3] {
        let rig = with("runtime.workers", &workers.to_string());
        assert_eq!(rig.metric("prodkit_runtime_workers"), Some(f64::from(workers)));
    }
}

pub(crate) fn max_series() {
    for (limit, alone, together) in [("2", 2, Some(2.0)), ("3", 3, Some(1.0)), ("10", 4, None)] {
        let rig = with("metrics.max_series", limit);
        for n in 0..4 {
            assert_eq!(rig.status(&format!("/count/{n}")), 200);
        }
        let own = (0..4).filter(|n| rig.metric(&format!("counted_total{{n=\"{n}\"}}")).is_some()).count();
        let overflow = rig.metric("counted_total{otel_metric_overflow=\"true\"}");
        assert_eq!((own, overflow), (alone, together), "{limit}");
    }
}
