//! Ids for `tracing` spans.

use crate::carried::Carried;
use crate::{Companion, Scope, SpanId, TraceContext, TraceId, current, current_companion};
use std::cell::RefCell;
use std::fmt;
use tracing_core::{Subscriber, span};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// The place of one `tracing` span in its trace, kept by [`Layer`] in the span's extensions:
/// `span.extensions().get::<SpanIds>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    context: TraceContext,
    parent: Option<SpanId>,
}

impl SpanIds {
    /// The context of the span itself: what is current while it is entered.
    pub const fn context(&self) -> TraceContext {
        self.context
    }

    /// The span it was opened under, perhaps in another process; `None` where it begins its trace.
    pub const fn parent(&self) -> Option<SpanId> {
        self.parent
    }
}

/// Gives each `tracing` span its [`SpanIds`], and makes its context [`current()`] while it is entered.
///
/// A span's parent is the context current where it is opened: the request's, or that of the span entered last. A span
/// opened with an explicit `parent:` is under that span, and one with `parent: None` begins a trace of its own, as does
/// any span opened where there is no context: the work of background tasks is traced too. Whether such a trace is
/// sampled is never decided here: it is not, unless [`sample_roots`](Self::sample_roots) says otherwise.
///
/// Spans may be entered again while entered, left in any order, cloned, moved to other threads and closed there.
///
/// Add it nearest to the registry, below all layers that read [`SpanIds`]: layers see a new span from the registry
/// outwards. It follows every span the subscriber enables; with a filter of its own, the spans below one that is
/// filtered out hang under the next one above.
///
/// ```
/// use prodkit_trace::Layer;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let subscriber = tracing_subscriber::registry().with(Layer::new().sample_roots(|id| id.to_u128() % 10 == 0));
/// ```
#[derive(Default)]
pub struct Layer {
    roots: Roots,
}

#[derive(Default)]
enum Roots {
    #[default]
    Unsampled,
    Sampled(Box<dyn Fn(TraceId) -> bool + Send + Sync>),
    Ignored,
}

impl Layer {
    /// A layer under which spans outside any trace begin one that is not sampled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `sampled` decide for each trace that a span begins. It is called where the span is opened, so it must be
    /// quick and must not open spans itself.
    #[must_use = "returns the changed layer"]
    pub fn sample_roots(self, sampled: impl Fn(TraceId) -> bool + Send + Sync + 'static) -> Self {
        Self { roots: Roots::Sampled(Box::new(sampled)) }
    }

    /// Gives no ids to spans outside any trace.
    #[must_use = "returns the changed layer"]
    pub fn ignore_roots(self) -> Self {
        Self { roots: Roots::Ignored }
    }

    /// What tells this layer from any other that is alive: it never moves while a subscriber holds it.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn root(&self) -> Option<SpanIds> {
        let context = match &self.roots {
            Roots::Unsampled => TraceContext::root(false),
            Roots::Sampled(sampled) => TraceContext::root_with(sampled),
            Roots::Ignored => return None,
        };
        Some(SpanIds { context, parent: None })
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = match self.roots {
            Roots::Unsampled => "unsampled",
            Roots::Sampled(_) => "sampled by function",
            Roots::Ignored => "ignored",
        };
        f.debug_struct("Layer").field("roots", &roots).finish()
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let parent = if attrs.is_contextual() {
            current().map(|context| (context, current_companion()))
        } else {
            span.parent().and_then(|parent| read(&parent))
        };
        let (ids, companion) = match parent {
            Some((parent, companion)) => {
                (Some(SpanIds { context: parent.child(), parent: Some(parent.span_id()) }), companion)
            }
            None => (self.root(), None),
        };
        let mut extensions = span.extensions_mut();
        if let Some(ids) = ids {
            extensions.replace(ids);
        }
        if let Some(companion) = companion {
            extensions.replace(Along(companion));
        }
    }

    fn on_enter(&self, id: &span::Id, cx: Context<'_, S>) {
        let Some((context, companion)) = cx.span(id).and_then(|span| read(&span)) else { return };
        let scope = context.enter().with(Carried::enter(Some(context), companion.as_ref()));
        let entry = Entry { layer: self.address(), span: id.into_u64(), scope };
        // where the thread's list is gone nobody could end the scope: the entry is dropped unused and ends it at once
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(entry));
    }

    fn on_exit(&self, id: &span::Id, _: Context<'_, S>) {
        let _ = ENTERED.try_with(|entered| leave(&mut entered.borrow_mut(), self.address(), id.into_u64()));
    }
}

thread_local! {
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// A span entered on this thread.
struct Entry {
    /// Span ids are unique within one subscriber only, and several may be in use on a thread.
    layer: usize,
    span: u64,
    scope: Scope,
}

/// Ends the newest entry of this span. Spans entered after it and not left yet stay current.
fn leave(entered: &mut Vec<Entry>, layer: usize, span: u64) {
    let Some(at) = entered.iter().rposition(|entry| entry.layer == layer && entry.span == span) else {
        return;
    };
    let left = entered.remove(at);
    if let Some(newer) = entered.get_mut(at) {
        left.scope.end_below(&mut newer.scope);
    }
}

/// What the trace of a span has with it; few have anything, so it is kept apart from [`SpanIds`].
struct Along(Companion);

fn read<S>(span: &SpanRef<'_, S>) -> Option<(TraceContext, Option<Companion>)>
where
    S: for<'a> LookupSpan<'a>,
{
    let extensions = span.extensions();
    let ids = extensions.get::<SpanIds>()?;
    Some((ids.context, extensions.get::<Along>().map(|Along(companion)| companion.clone())))
}
