use crate::context;
use prodkit_trace::{
    FutureExt as _, Layer, Scope, SpanIds, TraceContext, TraceId, TraceState, current, current_state,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use tokio::task::{JoinSet, spawn_blocking, yield_now};
use tracing::instrument::{Instrument as _, WithSubscriber as _};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Level, Span, info_span, trace_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{Layer as _, reload};

fn install(layer: Layer) -> DefaultGuard {
    set_default(tracing_subscriber::registry().with(layer))
}

/// What another layer would read.
fn ids(span: &Span) -> Option<SpanIds> {
    span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>().expect("a registry underneath");
        registry.span(id).expect("open").extensions().get::<SpanIds>().copied()
    })
    .flatten()
}

fn ctx(span: &Span) -> TraceContext {
    ids(span).expect("the span has ids").context()
}

fn state() -> Arc<TraceState> {
    Arc::new(TraceState::parse([b"a=1".as_slice()]).unwrap())
}

#[test]
fn a_span_is_a_child_of_the_current_context() {
    let _default = install(Layer::new());
    let request = TraceContext::root(true);
    let _request = request.enter();
    let span = info_span!("a");
    let ids = ids(&span).unwrap();
    assert_eq!(ids.parent(), Some(request.span_id()));
    assert_eq!((ids.context().trace_id(), ids.context().flags()), (request.trace_id(), request.flags()));
    assert_ne!(ids.context().span_id(), request.span_id());

    assert_eq!(current(), Some(request));
    span.in_scope(|| {
        assert_eq!(current(), Some(ids.context()));
        let below = info_span!("b");
        assert_eq!(self::ids(&below).unwrap().parent(), Some(ids.context().span_id()));
        below.in_scope(|| assert_eq!(current(), Some(ctx(&below))));
        // a context entered below the span counts for more than the span
        let _elsewhere = context(7).enter();
        assert_eq!(ctx(&info_span!("c")).trace_id(), context(7).trace_id());
    });
    assert_eq!(current(), Some(request));
}

#[test]
fn an_explicit_parent_is_followed_whatever_is_current() {
    let _default = install(Layer::new());
    let parent = context(1).enter();
    let a = info_span!("a");
    drop(parent);
    let _elsewhere = context(2).enter();
    let child = info_span!(parent: &a, "child");
    assert_eq!(ids(&child).unwrap().parent(), Some(ctx(&a).span_id()));
    assert_eq!(ctx(&child).trace_id(), context(1).trace_id());
}

#[test]
fn a_root_span_begins_a_trace() {
    let _default = install(Layer::new());
    let _request = context(1).enter();
    let root = info_span!(parent: None, "root");
    assert_eq!(ids(&root).unwrap().parent(), None);
    assert_ne!(ctx(&root).trace_id(), context(1).trace_id());
    assert!(ctx(&root).flags().is_random());
}

#[test]
fn outside_any_trace_the_layer_does_as_told() {
    {
        let _default = install(Layer::new());
        let span = info_span!("a");
        assert!(ctx(&span).flags().is_random() && !ctx(&span).is_sampled());
        let below = span.in_scope(|| info_span!("b"));
        assert_eq!(ctx(&below).trace_id(), ctx(&span).trace_id());
    }
    {
        let asked = Arc::new(Mutex::new(Vec::<TraceId>::new()));
        let _default = install(Layer::new().sample_roots({
            let asked = asked.clone();
            move |id| {
                asked.lock().unwrap().push(id);
                true
            }
        }));
        let span = info_span!("a");
        span.in_scope(|| assert!(ctx(&info_span!("b")).is_sampled()));
        // the request's own decision is not asked about
        let _request = context(1).enter();
        assert!(!ctx(&info_span!("c")).is_sampled());
        assert_eq!(*asked.lock().unwrap(), [ctx(&span).trace_id()]);
    }
    {
        let _default = install(Layer::new().ignore_roots());
        let span = info_span!("a");
        assert_eq!(ids(&span), None);
        span.in_scope(|| {
            assert_eq!(current(), None);
            assert_eq!(ids(&info_span!("b")), None);
        });
        assert_eq!(ids(&info_span!(parent: &span, "c")), None);
        let _request = context(1).enter();
        assert!(ids(&info_span!("d")).is_some());
    }
}

#[test]
fn entering_a_span_again_is_undone_step_by_step() {
    let _default = install(Layer::new());
    let _request = context(1).enter();
    let (a, b) = (info_span!("a"), info_span!("b"));
    let (first, second) = (a.enter(), b.enter());
    let third = a.enter();
    assert_eq!(current(), Some(ctx(&a)));
    drop(third);
    assert_eq!(current(), Some(ctx(&b)));
    drop(second);
    assert_eq!(current(), Some(ctx(&a)));
    drop(first);
    assert_eq!(current(), Some(context(1)));
}

#[test]
fn spans_left_in_any_order_leave_the_others_current() {
    const ORDERS: [[usize; 4]; 6] =
        [[0, 1, 2, 3], [0, 2, 1, 3], [1, 0, 3, 2], [1, 3, 0, 2], [2, 0, 1, 3], [3, 0, 2, 1]];
    let _default = install(Layer::new());
    for order in ORDERS {
        let _request = context(1).enter_with(&state());
        let spans: Vec<_> = (0..4).map(|_| info_span!("a")).collect();
        let mut open: Vec<_> = spans.iter().map(|span| (ctx(span), Some(span.enter()))).collect();
        for left in order {
            open[left].1 = None;
            let newest = open.iter().rev().find(|(_, entered)| entered.is_some());
            let expected = newest.map_or(context(1), |(context, _)| *context);
            assert_eq!(current(), Some(expected), "{order:?} after {left}");
            assert_eq!(current_state(), Some(state()), "{order:?} after {left}");
        }
    }
    assert_eq!((current(), current_state()), (None, None));
}

#[test]
fn a_span_left_out_of_order_under_a_scope_leaves_nothing_behind() {
    let _default = install(Layer::new());
    let request = context(1).enter();
    let a = info_span!("a").entered();
    let scope = context(2).enter();
    let b = info_span!("b").entered();
    drop(a);
    assert_eq!(current(), Some(context(1)));
    drop((b, scope));
    assert_eq!(current(), Some(context(1)));
    drop(request);
    assert_eq!(current(), None);
}

#[test]
fn a_panic_inside_a_span_restores() {
    let _default = install(Layer::new());
    let _request = context(1).enter();
    let panicked = catch_unwind(AssertUnwindSafe(|| info_span!("a").in_scope(|| panic!("on purpose"))));
    assert!(panicked.is_err());
    assert_eq!(current(), Some(context(1)));
}

#[test]
fn a_clone_is_the_same_span_on_another_thread_and_may_close_there() {
    let _default = install(Layer::new());
    let scope = context(1).enter_with(&state());
    let span = info_span!("a");
    let expected = ctx(&span);
    drop(scope);
    let (tx, rx) = mpsc::channel();
    let clone = span.clone();
    let thread = std::thread::spawn(move || {
        clone.in_scope(|| tx.send((current(), current_state())).unwrap());
        // the last handle: the span closes here
        rx_done(clone);
        current()
    });
    drop(span);
    assert_eq!(rx.recv(), Ok((Some(expected), Some(state()))));
    assert_eq!(thread.join().unwrap(), None);

    fn rx_done(span: Span) {
        drop(span);
    }
}

#[test]
fn two_subscribers_on_one_thread_do_not_take_each_others_spans() {
    let first = Dispatch::new(tracing_subscriber::registry().with(Layer::new()));
    let second = Dispatch::new(tracing_subscriber::registry().with(Layer::new()));
    let make = |dispatch: &Dispatch| tracing::dispatcher::with_default(dispatch, || info_span!("a"));
    let (a, b) = (make(&first), make(&second));
    assert_eq!(a.id().map(|id| id.into_u64()), b.id().map(|id| id.into_u64()), "the ids collide");
    let (of_a, of_b) = (ctx(&a), ctx(&b));
    let (entered_a, entered_b) = (a.enter(), b.enter());
    drop(entered_a);
    assert_eq!(current(), Some(of_b));
    drop(entered_b);
    assert_eq!(current(), None);
    assert_ne!(of_a, of_b);
}

/// A layer outside sees the ids in every callback, as the log and export layers must.
#[test]
fn layers_outside_see_the_ids_from_the_start_to_the_close() {
    struct Seen(mpsc::Sender<(&'static str, Option<SpanIds>)>);
    impl Seen {
        fn send<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(
            &self,
            what: &'static str,
            id: &tracing::span::Id,
            cx: &Context<'_, S>,
        ) {
            let ids = cx.span(id).expect("open").extensions().get::<SpanIds>().copied();
            self.0.send((what, ids)).unwrap();
        }
    }
    impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Seen {
        fn on_new_span(&self, _: &tracing::span::Attributes<'_>, id: &tracing::span::Id, cx: Context<'_, S>) {
            self.send("new", id, &cx);
        }
        fn on_enter(&self, id: &tracing::span::Id, cx: Context<'_, S>) {
            assert_eq!(current(), cx.span(id).unwrap().extensions().get::<SpanIds>().map(SpanIds::context));
            self.send("enter", id, &cx);
        }
        fn on_close(&self, id: tracing::span::Id, cx: Context<'_, S>) {
            self.send("close", &id, &cx);
        }
    }
    let (tx, rx) = mpsc::channel();
    let _default = set_default(tracing_subscriber::registry().with(Layer::new()).with(Seen(tx)));
    let span = info_span!("a");
    let expected = ids(&span);
    span.in_scope(|| ());
    drop(span);
    assert_eq!(
        rx.try_iter().collect::<Vec<_>>(),
        [("new", expected), ("enter", expected), ("close", expected)]
    );
}

#[test]
fn below_a_filtered_span_the_next_one_above_is_the_parent() {
    let _default =
        set_default(tracing_subscriber::registry().with(Layer::new().with_filter(LevelFilter::INFO)));
    let a = info_span!("a");
    let hidden = a.in_scope(|| trace_span!("hidden"));
    assert_eq!(hidden.metadata().map(|of| *of.level()).unwrap_or(Level::TRACE), Level::TRACE);
    let b = a.in_scope(|| hidden.in_scope(|| info_span!("b")));
    assert_eq!(ids(&b).unwrap().parent(), Some(ctx(&a).span_id()));
}

#[test]
fn it_works_behind_a_reload_handle() {
    let (layer, handle) = reload::Layer::new(Layer::new().ignore_roots());
    let _default = set_default(tracing_subscriber::registry().with(layer));
    let before = info_span!("a").entered();
    handle.modify(|layer| *layer = Layer::new()).unwrap();
    let after = info_span!("b").entered();
    assert_eq!((ids(&before), current()), (None, Some(ctx(&after))));
    drop(before);
    drop(after);
    assert_eq!(current(), None);
}

#[test]
fn the_end_of_a_thread_inside_a_span_does_not_panic() {
    thread_local!(static HELD: std::cell::RefCell<Vec<tracing::span::EnteredSpan>> = const { std::cell::RefCell::new(Vec::new()) });
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(Layer::new()));
    for early in [true, false] {
        let dispatch = dispatch.clone();
        let thread = std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                if early {
                    HELD.with_borrow_mut(|_| ());
                }
                let span = info_span!("a").entered();
                HELD.with_borrow_mut(|held| held.push(span));
            });
        });
        assert!(thread.join().is_ok(), "early: {early}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instrumented_tasks_and_blocking_work_keep_the_trace() {
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(Layer::new()));
    let mut tasks = JoinSet::new();
    for number in 1..=20 {
        let work = async move {
            let request = context(number);
            let query = info_span!("query");
            let expected = ctx(&query);
            assert_eq!(expected.trace_id(), request.trace_id());
            let mut child = JoinSet::new();
            child.spawn(
                async move {
                    for _ in 0..5 {
                        assert_eq!(current(), Some(expected));
                        yield_now().await;
                    }
                }
                .instrument(query.clone())
                .with_current_subscriber(),
            );
            child.join_next().await.unwrap().unwrap();
            let there = spawn_blocking(move || query.in_scope(current)).await.unwrap();
            assert_eq!(there, Some(expected));
            // an async block entered in the span, and the request's own context after it
            async { assert_ne!(current(), Some(request)) }.instrument(info_span!("last")).await;
            assert_eq!(current(), Some(request));
        };
        tasks.spawn(work.in_trace(context(number)).with_subscriber(subscriber.clone()));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[test]
fn the_state_follows_the_spans_of_its_trace() {
    let _default = install(Layer::new());
    let (child, grandchild, root) = {
        let _request = context(1).enter_with(&state());
        let child = info_span!("a");
        let grandchild = info_span!(parent: &child, "b");
        (child, grandchild, info_span!(parent: None, "root"))
    };
    assert_eq!(current_state(), None);
    child.in_scope(|| assert_eq!(current_state(), Some(state())));
    grandchild.in_scope(|| assert_eq!(current_state(), Some(state())));
    root.in_scope(|| assert_eq!(current_state(), None));
    child.in_scope(|| root.in_scope(|| assert_eq!(current_state(), None)));
}

#[test]
fn the_state_stays_while_any_span_of_its_trace_is_entered() {
    let _default = install(Layer::new());
    let (a, b) = {
        let _request = context(1).enter_with(&state());
        (info_span!("a"), info_span!("b"))
    };
    let (entered_a, entered_b) = (a.enter(), b.enter());
    drop(entered_a);
    assert_eq!((current(), current_state()), (Some(ctx(&b)), Some(state())));
    drop(entered_b);
    assert_eq!((current(), current_state()), (None, None));
    // nothing is kept for later either
    let _again = context(1).enter();
    assert_eq!(current_state(), None);
}

/// A span opened in a scope that has ended since.
fn opened_in(scope: Scope) -> Span {
    let span = info_span!("a");
    drop(scope);
    span
}

#[test]
fn leaving_a_span_early_takes_no_state_from_others() {
    let _default = install(Layer::new());
    let other = Arc::new(TraceState::parse([b"b=2".as_slice()]).unwrap());
    let a = opened_in(context(1).enter_with(&state()));
    let b = opened_in(context(2).enter());
    let c = opened_in(context(3).enter_with(&other));
    let (entered_a, entered_b, entered_c) = (a.enter(), b.enter(), c.enter());
    drop(entered_a);
    assert_eq!(current_state(), Some(other.clone()));
    drop(entered_c);
    assert_eq!((current(), current_state()), (Some(ctx(&b)), None));
    drop(entered_b);
    assert_eq!((current(), current_state()), (None, None));
}
