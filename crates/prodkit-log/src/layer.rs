use std::sync::Arc;

use prodkit_trace::{SpanIds, TraceContext};
use tracing_core::{Dispatch, Event, Interest, Level, LevelFilter, Metadata, Subscriber, span};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::draft::{Draft, Origin};
use crate::fields::{SpanFields, write_event};
use crate::limit::Verdict;
use crate::log::Core;
use crate::sites::{self, Site};
use crate::stack;

/// The `tracing` layer that writes a line per event.
///
/// It is also the filter of the whole subscriber it is part of: events that its [`Filter`](crate::Filter) disables
/// reach no other layer either, which is what makes them cost next to nothing. Spans up to `INFO` always pass, because
/// at level `warn` a line still wants its request's fields, and other layers their spans; more verbose ones pass where
/// the filter's level for their target allows. One is enough per subscriber, below or above the layer of
/// `prodkit-trace`.
#[derive(Debug)]
pub struct Layer {
    pub(crate) core: Arc<Core>,
}

/// The spans that pass whatever the filter says.
const SPANS: LevelFilter = LevelFilter::INFO;

/// What of a raised trace passes.
const RAISED: LevelFilter = LevelFilter::DEBUG;

impl Layer {
    fn passes(&self, metadata: &Metadata<'_>) -> bool {
        let level = *metadata.level();
        (metadata.is_span() && level <= SPANS)
            || self.core.switch.with(|filter| filter.enabled(metadata.target(), level))
    }

    /// Whether it passes in a raised trace only.
    fn may_pass(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= RAISED && self.core.switch.any_raised()
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.core.switch.serves(dispatch);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.passes(metadata) {
            Interest::always()
        } else if self.may_pass(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.passes(metadata) || (self.may_pass(metadata) && self.core.switch.is_raised())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let least = if self.core.switch.any_raised() { RAISED } else { SPANS };
        Some(self.core.switch.with(|filter| filter.max_level().max(least)))
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        // written before the span's extensions are locked: a value's `Debug` may log, inside this very span
        let fields = SpanFields::of_span(&self.core.shape, attributes);
        if let Some(span) = cx.span(id).filter(|_| !fields.is_empty()) {
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        let fields = SpanFields::of_record(&self.core.shape, values);
        let Some(span) = cx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<SpanFields>() {
            Some(known) => known.replaced_by(&self.core.shape, &fields),
            None => {
                extensions.replace(fields);
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == FROM_LOG && event.is_log() {
            let real = event.normalized_metadata();
            let real = real.as_ref().unwrap_or(metadata);
            self.write(event, Source::Log(real), &cx);
        } else {
            self.write(event, Source::Site(self.core.sites.of(&self.core.shape, event)), &cx);
        }
    }
}

/// The target of the call sites through which the `log` crate's records come.
const FROM_LOG: &str = "log";

#[derive(Clone, Copy)]
enum Source<'a> {
    /// The `log` crate, with what it really says about the record.
    Log(&'a Metadata<'a>),
    /// A macro, with what is known of its call site.
    Site(Option<&'a Site>),
}

impl Layer {
    fn write<S>(&self, event: &Event<'_>, source: Source<'_>, cx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Core { shape, writer, limit, constants, stacktrace, .. } = &*self.core;
        let at = clock::now();
        let number = || match source {
            Source::Log(real) => number_of(real),
            Source::Site(_) => sites::number(event.metadata()),
        };
        let suppressed = match limit.as_ref().map(|limit| limit.ask(number(), at)) {
            Some(Verdict::Suppress) => return,
            Some(Verdict::Write(before)) => before,
            None => 0,
        };
        let mut draft = Draft::new(shape);
        draft.head(*event.metadata().level(), at);
        let planned = match source {
            Source::Log(real) => {
                draft.origin(&Origin::of(real));
                &[]
            }
            Source::Site(Some(site)) => {
                draft.known_origin(&site.origin);
                &*site.fields
            }
            Source::Site(None) => {
                draft.origin(&Origin::of(event.metadata()));
                &[]
            }
        };
        let from_log = matches!(source, Source::Log(_));
        write_event(&mut draft, event, planned, from_log, context(event, cx), suppressed);
        for span in cx.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                fields.append_to(&mut draft);
            }
        }
        constants.append_to(&mut draft);
        if *event.metadata().level() == Level::ERROR
            && let Some(stack) = stack::of_event(*stacktrace)
        {
            return stack::finish(draft, &stack, shape, writer);
        }
        writer.push(draft.finish());
    }
}

/// The trace the event belongs to: that of the span it names as its parent, else that of the running work.
fn context<S>(event: &Event<'_>, cx: &Context<'_, S>) -> Option<TraceContext>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if event.is_contextual() {
        return prodkit_trace::current();
    }
    let span = cx.span(event.parent()?)?;
    let ids = span.extensions().get::<SpanIds>().copied();
    ids.map(|ids| ids.context())
}

/// A call site of the `log` crate, whose records all come through the same metadata: a hash (FNV-1a) of file and line.
fn number_of(real: &Metadata<'_>) -> usize {
    let place = real.file().unwrap_or(real.target()).bytes().chain(real.line().unwrap_or(0).to_le_bytes());
    let hash = place.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // odd, as no address of metadata is
    hash as usize | 1
}
