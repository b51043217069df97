//! The cell behind a `Live`: what readers see, what a change has staged, and how it follows from other cells.

use crate::{
    graph::{self, Id, Nodes},
    rejected::{Origin, Rejected},
    slot::{Borrowed, Slot},
    sync::{Mutex, lock},
    version::Version,
};
use std::{
    any::Any,
    error::Error,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Poll, Waker},
};

/// A value, and how it follows from others.
pub(crate) struct Cell<T> {
    id: Id,
    slot: Slot<T>,
    version: Arc<Version>,
    /// What the change that has claimed this cell would make of it. Nobody else looks here.
    staged: Mutex<Option<Arc<T>>>,
    rule: Rule<T>,
}

/// How a cell gets its value. The closures hold the cells they derive from, so a chain lives as long as its end.
pub(crate) enum Rule<T> {
    /// It is given one.
    Given,
    /// Computed at once: `map` and `zip`.
    Computed {
        inputs: Vec<Arc<dyn Node>>,
        origin: Origin,
        compute: Box<dyn Fn(View) -> Arc<T> + Send + Sync>,
    },
    /// Built and verified, which takes time and may fail: `try_map`.
    Built { inputs: Vec<Arc<dyn Node>>, origin: Origin, build: Box<dyn Fn() -> Building<T> + Send + Sync> },
}

/// A value on its way; see [`Rule::Built`].
pub(crate) type Building<T> =
    Pin<Box<dyn Future<Output = Result<Arc<T>, Box<dyn Error + Send + Sync>>> + Send>>;

/// Which value of its inputs a rule is applied to.
#[derive(Clone, Copy)]
pub(crate) enum View {
    /// What readers see.
    Current,
    /// What readers would see after the change that is being prepared.
    Staged,
}

/// A cell's value on its way to being staged.
pub(crate) type Staging = Pin<Box<dyn Future<Output = Result<(), Rejected>> + Send>>;

/// What remains to be done to have a cell's value staged.
pub(crate) enum Step {
    Done(Result<(), Rejected>),
    Later(Staging),
}

/// What a cell leaves behind when it moves: to be woken, and then to be dropped, under no lock.
pub(crate) struct Moved {
    pub(crate) wakers: Vec<Waker>,
    pub(crate) old: Arc<dyn Any + Send + Sync>,
}

/// A cell of any type.
pub(crate) trait Node: Send + Sync {
    fn id(&self) -> Id;

    fn inputs(&self) -> &[Arc<dyn Node>];

    fn generation(&self) -> u64;

    /// Where this cell was derived, if its value takes time to build.
    fn built(&self) -> Option<Origin>;

    /// Stages what follows from what is staged above.
    fn derive(self: Arc<Self>) -> Step;

    /// Shows what is staged. Only under the lock of the graph.
    fn publish(&self) -> Option<Moved>;

    /// Forgets what is staged.
    fn discard(&self);

    /// Shows what follows from what is current above, and adds the cells that follow in turn to `below`.
    fn refresh(&self, below: &mut Nodes) -> Option<Moved>;

    #[cfg(feature = "serde")]
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// A change that gives this cell the value of `newer`, or the types of the two if they differ.
    #[cfg(feature = "serde")]
    fn adopt(self: Arc<Self>, newer: Arc<dyn Node>) -> Result<crate::Change, (&'static str, &'static str)>;

    #[cfg(feature = "serde")]
    fn type_name(&self) -> &'static str;

    /// The type of the value.
    #[cfg(feature = "serde")]
    fn value_type(&self) -> std::any::TypeId;
}

impl<T> Cell<T> {
    pub(crate) fn new(value: Arc<T>, rule: Rule<T>) -> Arc<Self> {
        Arc::new(Self {
            id: Id::next(),
            slot: Slot::new(value),
            version: Version::new(),
            staged: Mutex::new(None),
            rule,
        })
    }

    #[inline]
    pub(crate) fn borrow(&self) -> Borrowed<T> {
        self.slot.borrow()
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.slot.load()
    }

    pub(crate) fn version(&self) -> &Arc<Version> {
        &self.version
    }

    pub(crate) fn see(&self, view: View) -> Arc<T> {
        match view {
            View::Current => self.load(),
            View::Staged => self.staged().unwrap_or_else(|| self.load()),
        }
    }

    pub(crate) fn stage(&self, value: Arc<T>) {
        let replaced = lock(&self.staged).replace(value);
        drop(replaced);
    }

    fn staged(&self) -> Option<Arc<T>> {
        lock(&self.staged).clone()
    }

    fn take_staged(&self) -> Option<Arc<T>> {
        lock(&self.staged).take()
    }
}

impl<T: Send + Sync + 'static> Cell<T> {
    /// The value first, then the version: whoever sees the version sees the value.
    fn show(&self, value: Arc<T>) -> Moved {
        let old = self.slot.swap(value);
        Moved { wakers: self.version.advance(), old }
    }
}

impl<T: Send + Sync + 'static> Node for Cell<T> {
    fn id(&self) -> Id {
        self.id
    }

    fn inputs(&self) -> &[Arc<dyn Node>] {
        match &self.rule {
            Rule::Given => &[],
            Rule::Computed { inputs, .. } | Rule::Built { inputs, .. } => inputs,
        }
    }

    fn generation(&self) -> u64 {
        self.version.current()
    }

    fn built(&self) -> Option<Origin> {
        match &self.rule {
            Rule::Given | Rule::Computed { .. } => None,
            Rule::Built { origin, .. } => Some(*origin),
        }
    }

    fn derive(self: Arc<Self>) -> Step {
        match &self.rule {
            Rule::Given => Step::Done(Ok(())),
            Rule::Computed { origin, compute, .. } => {
                Step::Done(guarded(*origin, || compute(View::Staged)).map(|value| self.stage(value)))
            }
            Rule::Built { origin, build, .. } => {
                let origin = *origin;
                let mut building = match guarded(origin, build) {
                    Ok(building) => building,
                    Err(rejected) => return Step::Done(Err(rejected)),
                };
                Step::Later(Box::pin(poll_fn(move |cx| {
                    let built = match guarded(origin, || building.as_mut().poll(cx)) {
                        Ok(Poll::Pending) => return Poll::Pending,
                        Ok(Poll::Ready(built)) => built.map_err(|reason| Rejected::refused(origin, reason)),
                        Err(rejected) => Err(rejected),
                    };
                    Poll::Ready(built.map(|value| self.stage(value)))
                })))
            }
        }
    }

    fn publish(&self) -> Option<Moved> {
        self.take_staged().map(|value| self.show(value))
    }

    fn discard(&self) {
        let staged = self.take_staged();
        drop(staged);
    }

    fn refresh(&self, below: &mut Nodes) -> Option<Moved> {
        let Rule::Computed { inputs, origin, compute } = &self.rule else { return None };
        // Versions only grow, so an equal sum means that no input has moved.
        let generation = || inputs.iter().map(|input| input.generation()).sum::<u64>();
        let before = generation();
        let value = guarded(*origin, || compute(View::Current)).ok()?;
        let graph = graph::lock();
        if generation() != before {
            // Whoever moved the input refreshes what is below it. The value must not be dropped under the lock.
            drop(graph);
            return None;
        }
        let moved = self.show(value);
        graph.children(self.id, below);
        Some(moved)
    }

    #[cfg(feature = "serde")]
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    #[cfg(feature = "serde")]
    fn adopt(self: Arc<Self>, newer: Arc<dyn Node>) -> Result<crate::Change, (&'static str, &'static str)> {
        let newer_type = newer.type_name();
        match newer.into_any().downcast::<Self>() {
            Ok(newer) => Ok(crate::Change::new(self, newer.load())),
            Err(_) => Err((std::any::type_name::<T>(), newer_type)),
        }
    }

    #[cfg(feature = "serde")]
    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    #[cfg(feature = "serde")]
    fn value_type(&self) -> std::any::TypeId {
        std::any::TypeId::of::<T>()
    }
}

impl<T> Drop for Cell<T> {
    fn drop(&mut self) {
        graph::lock().detach(self.id);
    }
}

/// Runs a piece of the user's code; a panic in it is a refusal.
fn guarded<R>(origin: Origin, f: impl FnOnce() -> R) -> Result<R, Rejected> {
    // Nothing of ours is touched while it runs, and what it returns is thrown away if it panics.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Rejected::panicked(origin, &*payload))
}
