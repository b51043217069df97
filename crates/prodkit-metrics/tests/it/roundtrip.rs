//! Whatever text goes in as a label or a description comes out again, in both formats.

use crate::parser::{self, Block};
use crate::{recorder, scrape};
use prodkit_metrics::Format::{self, OpenMetrics100, Text004};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn blocks(recorder: &prodkit_metrics::Recorder, format: Format) -> BTreeMap<String, Block> {
    parser::parse(&scrape(recorder, format), format).unwrap()
}

proptest! {
    #[test]
    fn label_values_and_help_round_trip(
        labels in btree_map("[a-z][a-z0-9]{0,6}", any::<String>(), 0..5),
        help in any::<String>(),
        value in any::<f64>(),
    ) {
        let recorder = recorder();
        let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        recorder.describe("m", None, &help);
        recorder.gauge("m", &pairs).set(value);
        let expect: Vec<_> = labels.clone().into_iter().filter(|label| !label.1.is_empty()).collect();
        for format in [Text004, OpenMetrics100] {
            let blocks = blocks(&recorder, format);
            prop_assert_eq!(blocks["m"].help.clone().unwrap_or_default(), help.clone());
            let [sample] = &blocks["m"].samples[..] else { return Err(TestCaseError::fail("one sample")) };
            prop_assert_eq!(&sample.labels, &expect);
            prop_assert!(sample.value == value || (sample.value.is_nan() && value.is_nan()));
        }
    }

    /// Names of any kind, in any number, of any metric kind, described or not: always valid.
    #[test]
    fn any_program_encodes_to_valid_text(program in vec(
        (0..4_u8, prop_oneof!["[ab._:9é]{0,3}(_total|_count|_bucket|_seconds)?", any::<String>()],
         vec((prop_oneof!["[ab._9é]{0,3}", Just("le".to_owned()), Just("__name__".to_owned()), any::<String>()], any::<String>()), 0..4),
         any::<f64>()),
        0..24,
    )) {
        let recorder = recorder();
        for (kind, name, labels, value) in &program {
            let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            match kind {
                0 => recorder.counter(name, &labels).increment(value.to_bits() >> 20),
                1 => recorder.gauge(name, &labels).set(*value),
                2 => recorder.histogram(name, &labels).record(*value),
                _ => recorder.describe(name, Some(metrics::Unit::Seconds), "Text."),
            }
        }
        // The helper parses what it gets; both formats show the same samples.
        let samples = |format| -> Vec<String> {
            blocks(&recorder, format)
                .into_values()
                .flat_map(|block| block.samples)
                .map(|sample| format!("{} {:?} {}", sample.name, sample.labels, sample.value))
                .collect()
        };
        let (mut text, mut open) = (samples(Text004), samples(OpenMetrics100));
        text.sort();
        open.sort();
        prop_assert_eq!(text, open);
    }
}
