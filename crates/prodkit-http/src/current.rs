//! What the code that polls a request tells the code that is polled, and back.
//!
//! The alternative is the request's extensions, which cost two allocations a request where the service needs none.

use crate::Route;
use std::cell::Cell;
use std::net::SocketAddr;
use tokio::time::Instant;

thread_local! {
    static CURRENT: Current = const { Current {
        peer: Cell::new(None), route: Cell::new(None), received: Cell::new(0), waiting: Cell::new(false),
        late: Cell::new(false), deadline: Cell::new(None),
    } };
}

struct Current {
    peer: Cell<Option<SocketAddr>>,
    route: Cell<Option<Route>>,
    received: Cell<u64>,
    waiting: Cell<bool>,
    late: Cell<bool>,
    deadline: Cell<Option<Instant>>,
}

/// Runs `poll`, which must not unwind, as part of a request that is given until `deadline`.
pub(crate) fn until<T>(deadline: Option<Instant>, poll: impl FnOnce() -> T) -> T {
    let replace = |deadline| CURRENT.try_with(|current| current.deadline.replace(deadline)).ok().flatten();
    let previous = replace(deadline);
    let output = poll();
    replace(previous);
    output
}

/// Until when the request that is being handled on this thread must have been answered, if [`Observe`](crate::Observe) has
/// a timeout: what a call to somebody else may take of it at most.
///
/// Known while the service's future is polled; not in tasks the service spawns.
pub fn deadline() -> Option<Instant> {
    CURRENT.try_with(|current| current.deadline.get()).ok().flatten()
}

/// Runs `poll` as part of a request of `peer`.
pub(crate) fn with_peer<T>(peer: Option<SocketAddr>, poll: impl FnOnce() -> T) -> T {
    /// Restores by drop: an unwinding service must not leave its peer to the next.
    struct Restore(Option<SocketAddr>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let Self(previous) = *self;
            let _ = CURRENT.try_with(|current| current.peer.set(previous));
        }
    }
    let _restore = Restore(CURRENT.try_with(|current| current.peer.replace(peer)).ok().flatten());
    poll()
}

/// The address of the client whose request is being handled on this thread, if one is.
///
/// Known while the service is called and its future is polled by [`serve`](crate::serve); not in tasks the service
/// spawns, and not over a Unix socket. It is the other end of the connection: behind a proxy, the proxy.
pub fn peer_addr() -> Option<SocketAddr> {
    CURRENT.try_with(|current| current.peer.get()).ok().flatten()
}

/// Names the route of the request that is being handled, for its metrics, its log line and its span: the template, as
/// `/orders/{id}`, never the path.
///
/// For services without a router that [`Observe::per_route`](crate::Observe::per_route) could ask. The last call
/// counts; it must come from the service's own future (not from a task it spawns). Outside of
/// [`Observe`](crate::Observe) it does nothing.
///
/// ```
/// # use prodkit_http::{Body, set_route};
/// # use http::{Request, Response};
/// async fn hello(request: Request<Body>) -> Response<String> {
///     match request.uri().path().strip_prefix("/hello/") {
///         Some(name) => {
///             set_route("/hello/{name}");
///             Response::new(format!("hello {name}"))
///         }
///         None => Response::new("who are you?".into()),
///     }
/// }
/// ```
pub fn set_route(route: impl Into<Route>) {
    let route = route.into();
    let _ = CURRENT.try_with(|current| current.route.set(Some(route)));
}

/// The reader of a request's body got `bytes`.
pub(crate) fn received(bytes: u64) {
    let _ = CURRENT.try_with(|current| current.received.set(current.received.get().saturating_add(bytes)));
}

/// The reader of a request's body is left waiting.
pub(crate) fn waiting() {
    let _ = CURRENT.try_with(|current| current.waiting.set(true));
}

/// The reader of a request's body has waited too long.
pub(crate) fn late() {
    let _ = CURRENT.try_with(|current| current.late.set(true));
}

/// What one poll of an observed request told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) route: Option<Route>,
    pub(crate) received: u64,
    pub(crate) waiting: bool,
    pub(crate) late: bool,
}

/// Runs `poll`, which must not unwind, and returns what was told during it.
pub(crate) fn listen<T>(poll: impl FnOnce() -> T) -> (T, Told) {
    let previous = swap(Told::default());
    let output = poll();
    (output, swap(previous))
}

fn swap(new: Told) -> Told {
    let Told { route, received, waiting, late } = new;
    CURRENT
        .try_with(|current| Told {
            route: current.route.replace(route),
            received: current.received.replace(received),
            waiting: current.waiting.replace(waiting),
            late: current.late.replace(late),
        })
        .unwrap_or_default()
}
