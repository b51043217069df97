//! What the code that polls a request tells the code that is polled, and back.
//!
//! The alternative is the request's extensions, which cost two allocations a request where the service needs none.

use crate::Route;
use crate::observe::RouteMetrics;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;

thread_local! {
    static CURRENT: Current = const { Current {
        peer: Cell::new(None), deadline: Cell::new(None), asked: Cell::new(false), route: Cell::new(None),
        received: Cell::new(0), waiting: Cell::new(false), late: Cell::new(false),
    } };
    // Whether anything was told: most polls tell nothing. Apart, since a route has a destructor and this has none: it
    // is there as long as the thread, and read without asking whether it still is.
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

struct Current {
    peer: Cell<Option<SocketAddr>>,
    deadline: Cell<Option<Instant>>,
    /// The route is all that is asked for.
    asked: Cell<bool>,
    route: Cell<Option<ToldRoute>>,
    received: Cell<u64>,
    waiting: Cell<bool>,
    late: Cell<bool>,
}

/// While it lives, what runs is part of a request that is given until `deadline`.
#[must_use = "dropping it at once ends it"]
pub(crate) struct Until {
    previous: Option<Instant>,
}

impl Until {
    #[inline]
    pub(crate) fn enter(deadline: Option<Instant>) -> Self {
        Self { previous: CURRENT.try_with(|current| current.deadline.replace(deadline)).ok().flatten() }
    }
}

impl Drop for Until {
    #[inline]
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.deadline.set(self.previous));
    }
}

/// Until when the request that is being handled on this thread must have been answered, if [`Observe`](crate::Observe) has
/// a timeout: what a call to somebody else may take of it at most.
///
/// Known while the service's future is polled; not in tasks the service spawns.
pub fn deadline() -> Option<Instant> {
    CURRENT.try_with(|current| current.deadline.get()).ok().flatten()
}

/// A route as it was told.
pub(crate) enum ToldRoute {
    Named(Route),
    /// By a router's layer, which knows its metrics already.
    Known(Arc<RouteMetrics>),
}

/// While it lives, what runs is part of a request of `peer`. (Values that were moved through a closure would be copied.)
#[must_use = "dropping it at once ends it"]
pub(crate) struct WithPeer {
    previous: Option<SocketAddr>,
}

impl WithPeer {
    #[inline]
    pub(crate) fn enter(peer: Option<SocketAddr>) -> Self {
        Self { previous: CURRENT.try_with(|current| current.peer.replace(peer)).ok().flatten() }
    }
}

/// By drop: an unwinding service must not leave its peer to the next.
impl Drop for WithPeer {
    #[inline]
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.peer.set(self.previous));
    }
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
/// For services without a router that [`Observe::router`](crate::Observe::router) could ask. The last call counts; it must come from the service's own future (not from a task it spawns). Outside of
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
    tell(|current| current.route.set(Some(ToldRoute::Named(route))));
}

/// Names the route whose metrics are known.
pub(crate) fn tell_route(route: Arc<RouteMetrics>) {
    tell(|current| current.route.set(Some(ToldRoute::Known(route))));
}

/// Runs `poll`, which must not unwind, for the sake of the route that it tells.
pub(crate) fn ask_route(poll: impl FnOnce()) {
    let asked = CURRENT.try_with(|current| current.asked.replace(true)).unwrap_or(false);
    poll();
    let _ = CURRENT.try_with(|current| current.asked.set(asked));
}

/// Whether the request is refused, and asked only for its route.
pub(crate) fn is_route_all() -> bool {
    CURRENT.try_with(|current| current.asked.get()).unwrap_or(false)
}

/// The reader of a request's body got `bytes`.
pub(crate) fn received(bytes: u64) {
    tell(|current| current.received.set(current.received.get().saturating_add(bytes)));
}

/// The reader of a request's body is left waiting.
pub(crate) fn waiting() {
    tell(|current| current.waiting.set(true));
}

/// The reader of a request's body has waited too long.
pub(crate) fn late() {
    tell(|current| current.late.set(true));
}

#[inline]
fn tell(what: impl FnOnce(&Current)) {
    let _ = CURRENT.try_with(what);
    TOLD.set(true);
}

/// What one poll of an observed request told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) route: Option<ToldRoute>,
    pub(crate) received: u64,
    pub(crate) waiting: bool,
    pub(crate) late: bool,
}

/// Listens to what is told from now until its end.
#[must_use = "what was told is returned by `end`"]
pub(crate) struct Listening {
    before: Option<Told>,
}

impl Listening {
    #[inline]
    pub(crate) fn start() -> Self {
        Self { before: take() }
    }

    /// What was told since. What runs in between must not unwind.
    #[inline]
    pub(crate) fn end(self) -> Option<Told> {
        let told = take();
        if let Some(before) = self.before {
            restore(before);
        }
        told
    }
}

/// One layer within another.
#[cold]
fn restore(Told { route, received, waiting, late }: Told) {
    tell(|current| {
        current.route.set(route);
        current.received.set(received);
        current.waiting.set(waiting);
        current.late.set(late);
    });
}

#[inline]
fn take() -> Option<Told> {
    if TOLD.replace(false) { collect() } else { None }
}

fn collect() -> Option<Told> {
    let told = CURRENT.try_with(|current| Told {
        route: current.route.take(),
        received: current.received.take(),
        waiting: current.waiting.take(),
        late: current.late.take(),
    });
    told.ok()
}
