//! What `tracing` hands over: the fields of events, and those that spans keep for the events inside them.

use std::error::Error;
use std::fmt;

use prodkit_trace::TraceContext;
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, span};

use crate::draft::{Draft, Key, Planned, Shape};

/// A span's fields as they will stand in a line.
#[derive(Debug, Default)]
pub(crate) struct SpanFields {
    buf: Vec<u8>,
    keys: Vec<Key>,
    truncated: bool,
}

impl SpanFields {
    pub(crate) fn new(shape: &Shape, write: impl FnOnce(&mut Draft<'_>)) -> Self {
        let mut draft = Draft::new(shape);
        write(&mut draft);
        let (buf, keys, truncated) = draft.fields();
        Self { buf: buf.to_vec(), keys: keys.to_vec(), truncated }
    }

    pub(crate) fn of_span(shape: &Shape, attributes: &span::Attributes<'_>) -> Self {
        Self::new(shape, |draft| attributes.record(&mut Fields { draft }))
    }

    pub(crate) fn of_record(shape: &Shape, values: &span::Record<'_>) -> Self {
        Self::new(shape, |draft| values.record(&mut Fields { draft }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.truncated
    }

    /// The fields of both, the later ones where both have one; so a span never grows beyond its distinct fields, each
    /// as large as a line.
    pub(crate) fn replaced_by(&mut self, shape: &Shape, later: &Self) {
        let merged = Self::new(shape, |draft| {
            later.append_to(draft);
            self.append_to(draft);
        });
        *self = merged;
    }

    pub(crate) fn append_to(&self, draft: &mut Draft<'_>) {
        let Self { buf, keys, truncated } = self;
        draft.splice(buf, keys);
        if *truncated {
            draft.mark_truncated();
        }
    }
}

/// Where an event of the `log` crate really came from, and that its own fields about it are not to be repeated.
const FROM_LOG: &str = "log.";

/// Writes message, ids and fields of `event`, in this order.
pub(crate) fn write_event(
    draft: &mut Draft<'_>,
    event: &Event<'_>,
    planned: &[Option<Planned>],
    from_log: bool,
    context: Option<TraceContext>,
    suppressed: u64,
) {
    let message = |name: &str| name == "message";
    let message_first = event.metadata().fields().iter().next().is_some_and(|field| message(field.name()));
    let mut visitor = EventFields {
        draft,
        planned,
        from_log,
        context,
        suppressed,
        message_only: !message_first,
        message_done: false,
    };
    if !message_first {
        // it stands further back, or nowhere: one more visit for it alone
        event.record(&mut visitor);
        visitor.end_message();
        visitor.message_only = false;
    }
    event.record(&mut visitor);
    visitor.end_message();
}

struct EventFields<'d, 's> {
    draft: &'d mut Draft<'s>,
    /// By the fields' indices, as far as it is known.
    planned: &'d [Option<Planned>],
    from_log: bool,
    context: Option<TraceContext>,
    suppressed: u64,
    /// Other fields are not for now.
    message_only: bool,
    /// The message is written, and what follows it.
    message_done: bool,
}

impl EventFields<'_, '_> {
    fn message(&mut self, write: impl FnOnce(&mut Draft<'_>)) {
        if !self.message_done {
            self.message_done = true;
            self.draft.message(write);
            self.draft.ids(self.context);
            self.draft.suppressed(self.suppressed);
        }
    }

    /// An event without a message has an empty one.
    fn end_message(&mut self) {
        self.message(|_| {});
    }

    /// Whether the field is one to be written now; if it is the message it is written here.
    fn admits(&mut self, field: &Field, shown: impl FnOnce(&mut Draft<'_>)) -> bool {
        let name = field.name();
        if name == "message" {
            self.message(shown);
            return false;
        }
        if self.message_only || (self.from_log && name.starts_with(FROM_LOG)) {
            return false;
        }
        self.end_message();
        true
    }

    fn record(
        &mut self,
        field: &Field,
        shown: impl FnOnce(&mut Draft<'_>),
        write: impl FnOnce(&mut Draft<'_>),
    ) {
        if !self.admits(field, shown) {
            return;
        }
        let open = match self.planned.get(field.index()) {
            Some(Some(planned)) => self.draft.open_planned(planned),
            _ => self.draft.open(field.name(), ""),
        };
        if open {
            write(self.draft);
        }
    }
}

impl Visit for EventFields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, |draft| draft.write(format_args!("{value:?}")), |draft| draft.put_debug(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, |draft| draft.plain(value), |draft| draft.put_str(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, |draft| draft.write(format_args!("{value}")), |draft| draft.put_f64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, |draft| draft.write(format_args!("{value}")), |draft| draft.put_i64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, |draft| draft.write(format_args!("{value}")), |draft| draft.put_u64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.record(field, |draft| draft.write(format_args!("{value}")), |draft| draft.put_i128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.record(field, |draft| draft.write(format_args!("{value}")), |draft| draft.put_u128(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, |draft| draft.write(format_args!("{value}")), |draft| draft.put_bool(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if self.admits(field, |draft| draft.write(format_args!("{value}"))) {
            self.draft.error(field.name(), value);
        }
    }
}

/// All fields alike: in a span, `message` is a name as any other.
struct Fields<'d, 's> {
    draft: &'d mut Draft<'s>,
}

impl Fields<'_, '_> {
    fn record(&mut self, field: &Field, write: impl FnOnce(&mut Draft<'_>)) {
        if self.draft.open(field.name(), "") {
            write(self.draft);
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, |draft| draft.put_debug(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, |draft| draft.put_str(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, |draft| draft.put_f64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, |draft| draft.put_i64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, |draft| draft.put_u64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.record(field, |draft| draft.put_i128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.record(field, |draft| draft.put_u128(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, |draft| draft.put_bool(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.draft.error(field.name(), value);
    }
}
