//! What the code that polls a request tells the code that is polled, and back.
//!
//! The alternative is the request's extensions, which cost two allocations a request where the service needs none.

use crate::Route;
use crate::observe::RouteMetrics;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::Instant;

thread_local! {
    // Without a destructor: it is there as long as the thread, and used without asking whether it still is.
    static CURRENT: Current = const { Current {
        peer: Cell::new(None), client: Cell::new(None), deadline: Cell::new(None), asked: Cell::new(false),
        told: Cell::new(false), received: Cell::new(0), waiting: Cell::new(false), lost: Cell::new(None),
        ended: Cell::new(None),
    } };
    static ROUTE: Cell<Option<ToldRoute>> = const { Cell::new(None) };
}

struct Current {
    peer: Cell<Option<SocketAddr>>,
    /// Where it is not the peer.
    client: Cell<Option<IpAddr>>,
    deadline: Cell<Option<Instant>>,
    /// The route is all that is asked for.
    asked: Cell<bool>,
    /// Whether anything was told: most polls tell nothing.
    told: Cell<bool>,
    received: Cell<u64>,
    waiting: Cell<bool>,
    lost: Cell<Option<Lost>>,
    ended: Cell<Option<Instant>>,
}

/// A request has ended on this thread: whoever needs the time soon after need not ask the clock.
#[inline]
pub(crate) fn ended(at: Instant) {
    CURRENT.with(|current| current.ended.set(Some(at)));
}

/// When the last request ended since this was asked.
#[inline]
pub(crate) fn take_ended() -> Option<Instant> {
    CURRENT.with(|current| current.ended.take())
}

/// While it lives, what runs is part of a request that is given until `deadline`.
#[must_use = "dropping it at once ends it"]
pub(crate) struct Until {
    previous: Option<Instant>,
}

impl Until {
    #[inline]
    pub(crate) fn enter(deadline: Option<Instant>) -> Self {
        Self { previous: CURRENT.with(|current| current.deadline.replace(deadline)) }
    }
}

impl Drop for Until {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.deadline.set(self.previous));
    }
}

/// Until when the request that is being handled on this thread must have been answered, if [`Observe`](crate::Observe) has
/// a timeout: what a call to somebody else may take of it at most.
///
/// Known while the service's future is polled; not in tasks the service spawns.
pub fn deadline() -> Option<Instant> {
    CURRENT.with(|current| current.deadline.get())
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
        Self { previous: CURRENT.with(|current| current.peer.replace(peer)) }
    }
}

/// By drop: an unwinding service must not leave its peer to the next.
impl Drop for WithPeer {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.peer.set(self.previous));
    }
}

/// The address of the client whose request is being handled on this thread, if one is.
///
/// Known while the service is called and its future is polled by [`serve`](crate::serve); not in tasks the service
/// spawns, and not over a Unix socket. It is the other end of the connection: behind a proxy, the proxy, unless the
/// [PROXY protocol](crate::Listener::proxy_protocol) names the client; see [`client_addr`].
pub fn peer_addr() -> Option<SocketAddr> {
    CURRENT.with(|current| current.peer.get())
}

/// While it lives, what runs is part of a request of `client`, whoever the peer is.
#[must_use = "dropping it at once ends it"]
pub(crate) struct WithClient {
    previous: Option<IpAddr>,
}

impl WithClient {
    pub(crate) fn enter(client: Option<IpAddr>) -> Self {
        Self { previous: CURRENT.with(|current| current.client.replace(client)) }
    }
}

impl Drop for WithClient {
    fn drop(&mut self) {
        CURRENT.with(|current| current.client.set(self.previous));
    }
}

/// The address of the client whose request is being handled on this thread, as far as it is known: what the proxies say
/// that [`Observe::trusted_proxies`](crate::Observe::trusted_proxies) names, else that of the [peer](peer_addr).
///
/// Known where [`peer_addr`] is, within [`Observe`](crate::Observe). An address of IPv4 is one, however it came.
pub fn client_addr() -> Option<IpAddr> {
    CURRENT.with(|current| current.client.get()).or_else(|| peer_addr().map(|peer| peer.ip().to_canonical()))
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
    name(ToldRoute::Named(route));
}

/// Names the route whose metrics are known.
pub(crate) fn tell_route(route: Arc<RouteMetrics>) {
    name(ToldRoute::Known(route));
}

#[inline]
fn name(route: ToldRoute) {
    // while the thread ends there is nobody to tell
    let _ = ROUTE.try_with(|told| told.set(Some(route)));
    CURRENT.with(|current| current.told.set(true));
}

/// Runs `poll`, which must not unwind, for the sake of the route that it tells.
pub(crate) fn ask_route(poll: impl FnOnce()) {
    let asked = CURRENT.with(|current| current.asked.replace(true));
    poll();
    CURRENT.with(|current| current.asked.set(asked));
}

/// Whether the request is refused, and asked only for its route.
pub(crate) fn is_route_all() -> bool {
    CURRENT.with(|current| current.asked.get())
}

/// The reader of a request's body got `bytes`.
pub(crate) fn received(bytes: u64) {
    tell(|current| current.received.set(current.received.get().saturating_add(bytes)));
}

/// The reader of a request's body is left waiting.
pub(crate) fn waiting() {
    tell(|current| current.waiting.set(true));
}

/// The reader of a request's body does not get it.
pub(crate) fn lost(why: Lost) {
    tell(|current| current.lost.set(Some(why)));
}

#[inline]
fn tell(what: impl FnOnce(&Current)) {
    CURRENT.with(|current| {
        what(current);
        current.told.set(true);
    });
}

/// Why a request's body did not come to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was waited for too long.
    Late,
    Large,
}

/// What one poll of an observed request told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) route: Option<ToldRoute>,
    pub(crate) received: u64,
    pub(crate) waiting: bool,
    pub(crate) lost: Option<Lost>,
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
fn restore(Told { route, received, waiting, lost }: Told) {
    let _ = ROUTE.try_with(|told| told.set(route));
    tell(|current| {
        current.received.set(received);
        current.waiting.set(waiting);
        current.lost.set(lost);
    });
}

#[inline]
fn take() -> Option<Told> {
    CURRENT.with(|current| current.told.replace(false).then(|| collect(current)))
}

#[inline]
fn collect(current: &Current) -> Told {
    Told {
        route: ROUTE.try_with(Cell::take).ok().flatten(),
        received: current.received.take(),
        waiting: current.waiting.take(),
        lost: current.lost.take(),
    }
}
