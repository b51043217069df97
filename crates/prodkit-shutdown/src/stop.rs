use crate::Cause;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;
use tokio::sync::Notify;

/// The two ends of one order to stop: who gives it, and who obeys.
///
/// Both are cheap to clone, and both may be cloned at any time, also after the order was given.
pub fn channel() -> (Trigger, Stop) {
    let trigger = Trigger { order: Arc::default() };
    let stop = trigger.stop();
    (trigger, stop)
}

/// Gives the order to stop.
///
/// Dropping every `Trigger` gives no order: nobody asked, so nobody stops.
#[derive(Clone)]
pub struct Trigger {
    order: Arc<Order>,
}

impl Trigger {
    /// Gives the order, and passes it on to every [child](Stop::child).
    ///
    /// Returns whether this call was the first. The first cause wins; later calls change nothing.
    pub fn fire(&self, cause: Cause) -> bool {
        self.order.give(cause)
    }

    /// A receiver of this order.
    pub fn stop(&self) -> Stop {
        Stop { order: self.order.clone() }
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger").field("fired", &self.order.cause.get()).finish()
    }
}

/// Says when to stop, and why.
///
/// ```
/// # use prodkit_shutdown::Stop;
/// # async fn next_job() -> u32 { 1 }
/// async fn relay(stop: Stop) {
///     // A job that was taken is finished; after the order no new one is taken.
///     while let Some(job) = stop.run_until_stopped(next_job()).await {
///         println!("{job}");
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Stop {
    order: Arc<Order>,
}

impl Stop {
    /// A `Stop` that never comes, for tests and for code that runs outside of a service.
    pub fn never() -> Self {
        Self { order: Arc::default() }
    }

    /// Waits for the order. Returns at once when it was already given.
    ///
    /// Never resolves when every [`Trigger`] was dropped without firing.
    ///
    /// Cancel safe: nothing is lost when the future is dropped, and the next one sees the same order.
    pub async fn stopped(&self) {
        // Made before looking: it hears of every order given from here on, also before its first poll.
        let notified = self.order.given.notified();
        if !self.is_stopped() {
            notified.await;
        }
    }

    /// Whether the order was given. One atomic load: fit for a hot path.
    pub fn is_stopped(&self) -> bool {
        self.order.cause.get().is_some()
    }

    /// Why, once the order was given.
    pub fn cause(&self) -> Option<&Cause> {
        self.order.cause.get()
    }

    /// Runs `future` until it is done or the order comes, whichever is first; `None` means the order came.
    ///
    /// Work is not begun after the order: `future` is then dropped without being polled. Work that is done is not
    /// thrown away: when both are ready at once the result wins. So a loop around a queue that is never empty still
    /// ends, and no item it took is lost.
    ///
    /// As cancel safe as `future` is; on `None` it was dropped where it stood.
    pub async fn run_until_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        if self.is_stopped() {
            return None;
        }
        let mut future = pin!(future);
        let mut stopped = pin!(self.stopped());
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            stopped.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// An order below this one: it is given when this one is (with the same cause), and can be given on its own
    /// without touching this one.
    ///
    /// That is how a part of a service is stopped alone, and how parts are stopped one after the other: give each a
    /// child of [`Stop::never`].
    pub fn child(&self) -> (Trigger, Self) {
        let (trigger, stop) = channel();
        let mut children = self.order.children();
        if let Some(cause) = self.cause() {
            drop(children);
            trigger.fire(cause.clone());
            return (trigger, stop);
        }
        // Sweeping only when the list would grow keeps a long life with many short-lived children bounded, at a
        // constant cost per child.
        if children.len() == children.capacity() {
            children.retain(|child| child.strong_count() > 0);
        }
        children.push(Arc::downgrade(&stop.order));
        drop(children);
        (trigger, stop)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("cause", &self.cause()).finish()
    }
}

#[derive(Default)]
struct Order {
    cause: OnceLock<Cause>,
    given: Notify,
    children: Mutex<Vec<Weak<Order>>>,
}

impl Order {
    fn give(&self, cause: Cause) -> bool {
        let Some(mut children) = self.give_here(cause) else { return false };
        // A list, not recursion: the depth of the tree is the caller's business.
        while let Some(child) = children.pop() {
            if let Some((child, cause)) = child.upgrade().zip(self.cause.get()) {
                children.extend(child.give_here(cause.clone()).unwrap_or_default());
            }
        }
        true
    }

    /// Gives this order alone; its children are left to the caller. `None` when it was given before.
    fn give_here(&self, cause: Cause) -> Option<Vec<Weak<Self>>> {
        let children = {
            // Under the lock, so that a child made at this moment either is in the list or sees the cause.
            let mut children = self.children();
            self.cause.set(cause).ok()?;
            std::mem::take(&mut *children)
        };
        self.given.notify_waiters();
        Some(children)
    }

    fn children(&self) -> MutexGuard<'_, Vec<Weak<Self>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
