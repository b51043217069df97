//! What lines have in common, written once: where a call site is, and the names of fields.

use std::sync::OnceLock;

use tracing_core::{Event, Metadata};

use crate::draft::{Draft, Origin, Planned, Shape};

/// Call sites that are remembered; those beyond are written anew each time. A power of two.
const SLOTS: usize = 1024;
/// How far a call site is looked for.
const PROBES: usize = 16;

#[derive(Debug)]
pub(crate) struct Sites {
    slots: Box<[OnceLock<Site>]>,
}

#[derive(Debug)]
pub(crate) struct Site {
    number: usize,
    /// What [`Draft::origin`] writes.
    pub(crate) origin: Box<[u8]>,
    /// By the fields' indices.
    pub(crate) fields: Box<[Option<Planned>]>,
}

impl Sites {
    pub(crate) fn new() -> Self {
        Self { slots: std::iter::repeat_with(OnceLock::new).take(SLOTS).collect() }
    }

    pub(crate) fn of(&self, shape: &Shape, event: &Event<'_>) -> Option<&Site> {
        let metadata = event.metadata();
        let number = number(metadata);
        let start = spread(number);
        (0..PROBES)
            .map(|step| self.slots[(start + step) % SLOTS].get_or_init(|| Site::new(shape, metadata)))
            .find(|site| site.number == number)
    }
}

impl Site {
    fn new(shape: &Shape, metadata: &'static Metadata<'static>) -> Self {
        let mut draft = Draft::new(shape);
        draft.origin(&Origin::of(metadata));
        let origin = draft.fields().0.into();
        let fields = metadata.fields().iter().map(|field| Planned::new(shape, field.name())).collect();
        Self { number: number(metadata), origin, fields }
    }
}

/// The names of the fields of preformatted lines.
#[derive(Debug)]
pub(crate) struct Names {
    slots: Box<[OnceLock<Name>]>,
}

#[derive(Debug)]
struct Name {
    name: &'static str,
    planned: Option<Planned>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self { slots: std::iter::repeat_with(OnceLock::new).take(SLOTS).collect() }
    }

    pub(crate) fn of(&self, shape: &Shape, name: &'static str) -> Option<&Planned> {
        // found by where it lies, which is quicker to compare than what it says; the same name may be there twice
        let start = spread(name.as_ptr().addr() ^ name.len().rotate_right(8));
        (0..PROBES)
            .map(|step| {
                self.slots[(start + step) % SLOTS]
                    .get_or_init(|| Name { name, planned: Planned::new(shape, name) })
            })
            .find(|known| std::ptr::eq(known.name, name))
            .and_then(|known| known.planned.as_ref())
    }
}

/// A call site of a macro, as a number that is not 0: where its metadata lies.
pub(crate) fn number(metadata: &Metadata<'_>) -> usize {
    std::ptr::from_ref(metadata).addr()
}

/// Where to begin to look for a number. Addresses differ little (Fibonacci hashing).
pub(crate) fn spread(number: usize) -> usize {
    ((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}
