//! What is known to be a secret only once a type has read it, wherever else it is written.

use crate::source::{File, Span};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Single values that are not printed, by where they were written.
///
/// An alias and its anchor are one value: what is a secret in one place is one in all of them, read before or after.
#[derive(Default)]
pub(crate) struct Veil {
    places: HashSet<(usize, u32)>,
    spans: Vec<Span>,
}

impl Veil {
    /// Covers these, and every place that says the same by an alias.
    pub(crate) fn over(spans: Vec<Span>) -> Self {
        let mut files: HashMap<usize, (Arc<File>, HashSet<u32>)> = HashMap::new();
        for Span { file, start, .. } in &spans {
            files.entry(file.order).or_insert_with(|| (Arc::clone(file), HashSet::new())).1.insert(*start);
        }
        let echoes = files.into_values().flat_map(|(file, hidden)| {
            let echoes = file.echoes(&hidden).into_iter();
            echoes.map(move |at| Span { file: Arc::clone(&file), start: at.start, end: at.end })
        });
        let spans: Vec<Span> = spans.into_iter().chain(echoes).collect();
        Self { places: spans.iter().map(place).collect(), spans }
    }

    pub(crate) fn covers(&self, span: &Span) -> bool {
        self.places.contains(&place(span))
    }

    /// Whether it covers nothing that the other does not.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.places.is_subset(&other.places)
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }
}

/// Files of one tree differ in their order.
fn place(span: &Span) -> (usize, u32) {
    (span.file.order, span.start)
}
