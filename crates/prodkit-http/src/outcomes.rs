//! A counter for each way in which something may end.

use metrics::{Counter, Key, Label, Level, Metadata, Recorder, Unit};
use std::sync::OnceLock;

/// Counters that differ in one label; nothing is counted before [`measure`](Self::measure).
#[derive(Debug)]
pub(crate) struct Outcomes<const N: usize>(OnceLock<[Counter; N]>);

impl<const N: usize> Outcomes<N> {
    /// From now on it is counted with `recorder`; done once.
    pub(crate) fn measure(
        &self,
        recorder: &dyn Recorder,
        name: &'static str,
        what: &'static str,
        label: &'static str,
        outcomes: [&'static str; N],
    ) {
        if self.0.get().is_some() {
            return;
        }
        recorder.describe_counter(name.into(), Some(Unit::Count), what.into());
        let metadata = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
        let counter = |outcome| {
            let key = Key::from_parts(name, vec![Label::from_static_parts(label, outcome)]);
            recorder.register_counter(&key, &metadata)
        };
        let _ = self.0.set(outcomes.map(counter));
    }

    /// One more of the outcome at this place.
    pub(crate) fn count(&self, outcome: Option<usize>) {
        if let Some(counter) = self.0.get().zip(outcome).and_then(|(counters, outcome)| counters.get(outcome))
        {
            counter.increment(1);
        }
    }
}

impl<const N: usize> Default for Outcomes<N> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}
