//! The filter while the process runs: set by a reload, overridden for a while by an operator.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use prodkit_trace::TraceId;
use tracing_core::callsite;
use tracing_core::dispatcher::{self, Dispatch, WeakDispatch};
use tracing_core::subscriber::NoSubscriber;

use crate::Filter;

#[derive(Debug)]
pub(crate) struct Switch {
    effective: ArcSwap<Filter>,
    /// Changes whenever `effective` does, so that an answer can be remembered.
    generation: AtomicU64,
    state: Mutex<State>,
    /// Traces that are written up to `DEBUG`.
    raised: ArcSwap<Vec<TraceId>>,
    /// Whether there are any: all that is looked at where there are none.
    any_raised: AtomicBool,
    /// The subscriber whose call sites are to follow.
    dispatch: OnceLock<WeakDispatch>,
}

/// Rebuilding is for the whole process, and one that began before another's change must not end after it.
static REBUILDING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct State {
    base: Filter,
    over: Option<(Filter, Instant)>,
}

impl Switch {
    pub(crate) fn new(base: Filter) -> Self {
        Self {
            effective: ArcSwap::from_pointee(base.clone()),
            generation: AtomicU64::new(0),
            state: Mutex::new(State { base, over: None }),
            raised: ArcSwap::default(),
            any_raised: AtomicBool::new(false),
            dispatch: OnceLock::new(),
        }
    }

    /// Told once the layer is part of a subscriber.
    pub(crate) fn serves(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    pub(crate) fn effective(&self) -> Arc<Filter> {
        self.effective.load_full()
    }

    pub(crate) fn with<R>(&self, ask: impl FnOnce(&Filter) -> R) -> R {
        ask(&self.effective.load())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn base(&self) -> Filter {
        self.lock().base.clone()
    }

    /// What holds when there is no override, or once it ends.
    pub(crate) fn set(&self, base: Filter) {
        self.change(|state| state.base = base);
    }

    pub(crate) fn override_until(&self, filter: Filter, until: Instant) {
        self.change(|state| state.over = Some((filter, until)));
    }

    pub(crate) fn end_override(&self) {
        self.change(|state| state.over = None);
    }

    pub(crate) fn overridden(&self) -> Option<(Filter, Instant)> {
        self.lock().over.clone()
    }

    /// Ends the override if its time is over; else says when it will be.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let until = self.lock().over.as_ref().map(|(_, until)| *until)?;
        if until > now {
            return Some(until);
        }
        // looked at again under the lock: it may have been prolonged in between
        self.change(|state| state.over = state.over.take_if(|(_, until)| *until > now));
        self.lock().over.as_ref().map(|(_, until)| *until)
    }

    pub(crate) fn raise(&self, trace: TraceId) {
        self.change_raised(|raised| {
            if !raised.contains(&trace) {
                raised.push(trace);
            }
        });
    }

    pub(crate) fn lower(&self, trace: TraceId) {
        self.change_raised(|raised| raised.retain(|one| *one != trace));
    }

    /// Whether a trace is raised. Relaxed: whoever raises one rebuilds before it goes on.
    pub(crate) fn any_raised(&self) -> bool {
        self.any_raised.load(Ordering::Relaxed)
    }

    /// Whether the running trace is raised.
    pub(crate) fn is_raised(&self) -> bool {
        self.any_raised()
            && prodkit_trace::current()
                .is_some_and(|running| self.raised.load().contains(&running.trace_id()))
    }

    fn change_raised(&self, change: impl FnOnce(&mut Vec<TraceId>)) {
        {
            let _one = self.lock();
            let mut raised = Vec::clone(&self.raised.load());
            change(&mut raised);
            let any = !raised.is_empty();
            self.raised.store(Arc::new(raised));
            if self.any_raised.swap(any, Ordering::Relaxed) == any {
                return;
            }
        }
        // the level of everything is lifted, or falls back
        self.rebuild();
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        {
            let mut state = self.lock();
            change(&mut state);
            let effective = state.over.as_ref().map_or(&state.base, |(filter, _)| filter);
            if *effective == **self.effective.load() {
                return;
            }
            self.effective.store(Arc::new(effective.clone()));
            self.generation.fetch_add(1, Ordering::Release);
        }
        // outside the lock: every layer is asked about every call site
        self.rebuild();
    }

    /// Has all call sites ask again whether they are enabled.
    ///
    /// Where there is but one subscriber in the process, `tracing` takes that of the thread which rebuilds for it: in a
    /// thread without one everything would be disabled, so it is lent ours.
    fn rebuild(&self) {
        let _one = REBUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        match self.dispatch.get().map(WeakDispatch::upgrade) {
            Some(Some(dispatch)) => dispatcher::with_default(&dispatch, callsite::rebuild_interest_cache),
            // it is gone, and nobody asks its filter any longer
            Some(None) => {}
            // it was never told of one, perhaps by a wrapper that tells nothing on
            None if dispatcher::get_default(|dispatch| !dispatch.is::<NoSubscriber>()) => {
                callsite::rebuild_interest_cache();
            }
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_override_ends_and_what_was_set_meanwhile_holds() {
        let filter = |text: &str| text.parse::<Filter>().expect(text);
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let switch = Switch::new(filter("info"));
        assert_eq!(switch.expire(start), None);

        switch.override_until(filter("debug"), start + 10 * second);
        assert_eq!(switch.expire(start), Some(start + 10 * second));
        assert_eq!(*switch.effective(), filter("debug"));

        switch.set(filter("warn"));
        assert_eq!(*switch.effective(), filter("debug"), "a reload does not end an override");

        switch.override_until(filter("trace"), start + 20 * second);
        assert_eq!(switch.expire(start + 10 * second), Some(start + 20 * second), "it was prolonged");
        assert_eq!(switch.expire(start + 20 * second), None);
        assert_eq!(*switch.effective(), filter("warn"));

        switch.override_until(filter("off"), start + 30 * second);
        let generation = switch.generation();
        switch.end_override();
        assert_eq!(*switch.effective(), filter("warn"));
        assert_ne!(switch.generation(), generation);
    }
}
