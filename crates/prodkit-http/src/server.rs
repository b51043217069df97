//! The accept loop, and the end of it.

mod accept;

use crate::connection::{self, After, Plain, Socket};
use crate::drain::Stage;
use crate::listener::BACKLOG;
use crate::roster::{Roster, Traffic};
use crate::{Drain, Drained, Limits, Listener, Service};
use accept::Accept;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, timeout};

/// What is cut gets this long to be gone: the destructors of requests that were pending run in it.
const ABORT_GRACE: Duration = Duration::from_millis(100);

/// Serves every connection to `listener`, until `drain` has run its course.
///
/// Nothing happens until the returned [`Driver`] is polled. Each connection runs in a task of its own, on the runtime
/// that polls the driver, and answers HTTP/1.1 (and 1.0) and HTTP/2 with prior knowledge.
pub fn serve(listener: Listener, service: Service, limits: Limits, drain: Drain) -> Driver {
    let roster = Arc::new(Roster::new(limits));
    let proxied = listener.proxied;
    Driver { running: Box::pin(run(listener, service, drain, roster.clone())), roster, proxied }
}

/// Runs a server; a future to be awaited.
///
/// It accepts connections and leads them to their end; the connections themselves do not wait for it. Resolves when
/// [`Drain`] has come to its end and all connections are gone, at the latest 100 ms after `abort`.
///
/// Dropping it closes the listener and cuts every connection.
#[must_use = "a server runs only while its driver is polled"]
pub struct Driver {
    running: Pin<Box<dyn Future<Output = Drained> + Send>>,
    roster: Arc<Roster>,
    proxied: bool,
}

impl Driver {
    /// What the server is busy with, to be asked at any time.
    pub fn traffic(&self) -> Traffic {
        Traffic(self.roster.clone())
    }

    /// Keeps the gauge `active_connections` of `recorder` at the number of open connections, and with the feature `tls`
    /// counts `prodkit_tls_handshakes_total` by `outcome`: `done`, `failed`, `timed_out` and `pushed_out`. Of a listener
    /// with the [PROXY protocol](Listener::proxy_protocol), counts `prodkit_proxy_headers_total` by `outcome`: `client`,
    /// `unknown`, `proxy`, `invalid`, `timed_out`, and `left` for those who went before it was whole.
    ///
    /// Counts in `http_server_refused_total` by `reason` what no service gets to see: `bad_request` (400),
    /// `not_implemented` (501), `head_too_large` (431, and 414), `first_byte_timeout` and `header_timeout`, and each time
    /// the limit was reached, `max_connections`. With [`Observe`](crate::Observe) around the service also
    /// `body_too_large` (413) and `shed` (503), which are requests as any other in its metrics and for its observer, too.
    pub fn recorder(self, recorder: &dyn metrics::Recorder) -> Self {
        const NAME: &str = "active_connections";
        recorder.describe_gauge(NAME.into(), Some(metrics::Unit::Count), "Open connections.".into());
        let metadata = metrics::Metadata::new(module_path!(), metrics::Level::INFO, Some(module_path!()));
        #[cfg(feature = "__tls")]
        self.roster.handshakes.measure(recorder);
        self.roster.refusals.measure(recorder);
        if self.proxied {
            connection::Introduction::measure(&self.roster.headers, recorder);
        }
        self.roster.measure(recorder.register_gauge(&metrics::Key::from_static_name(NAME), &metadata));
        self
    }
}

impl Future for Driver {
    type Output = Drained;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Drained> {
        self.running.as_mut().poll(cx)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.roster.advance(Stage::Aborting);
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("traffic", &self.traffic()).finish_non_exhaustive()
    }
}

async fn run(listener: Listener, service: Service, drain: Drain, roster: Arc<Roster>) -> Drained {
    let mut door = Door::new(listener, service, roster.clone());
    door.stand_open(&drain).await;
    let closing = Instant::now();
    door.close().await;
    roster.advance(Stage::Closing);

    let mut drained = Drained::default();
    if !all_left_before_abort(&roster, &drain).await {
        drained.requests_cut = roster.requests();
        drained.connections_cut = roster.connections();
        roster.advance(Stage::Aborting);
        let gone = poll_fn(|cx| poll_all_left(&roster, cx));
        // a service that blocks its thread cannot be cut: it goes with the runtime
        let _ = timeout(ABORT_GRACE, gone).await;
    }
    drained.took = closing.elapsed();
    drained
}

/// Where connections come in.
struct Door {
    accept: Accept,
    service: Service,
    roster: Arc<Roster>,
    proxied: bool,
    #[cfg(feature = "__tls")]
    tls: Option<prodkit_tls::Live<prodkit_tls::ServerConfig>>,
}

impl Door {
    fn new(listener: Listener, service: Service, roster: Arc<Roster>) -> Self {
        Self {
            accept: Accept::new(listener.socket, roster.clone()),
            service,
            roster,
            proxied: listener.proxied,
            #[cfg(feature = "__tls")]
            tls: listener.tls,
        }
    }

    /// Lets everybody in until it is time to close.
    async fn stand_open(&mut self, drain: &Drain) {
        let mut polite = pin!(drain.polite.stopped());
        let mut close = pin!(drain.close.stopped());
        let mut abort = pin!(drain.abort.stopped());
        poll_fn(|cx| {
            if close.as_mut().poll(cx).is_ready() || abort.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.roster.stage() == Stage::Serving && polite.as_mut().poll(cx).is_ready() {
                self.roster.open_window(drain.window);
                self.roster.advance(Stage::Polite);
            }
            while self.poll_let_in(cx).is_ready() {}
            Poll::Pending
        })
        .await;
    }

    /// Closes without shutting out those who believe they are in: the kernel completed their handshake. One turn of
    /// the I/O driver, and what is there by then is accepted; who comes later is refused. The same turn shows to each
    /// connection what the kernel has for it, so that none is taken for idle whose next request has arrived.
    async fn close(mut self) {
        tokio::task::yield_now().await;
        let rest = poll_fn(|cx| {
            for _ in 0..BACKLOG {
                if self.poll_let_in(cx).is_pending() {
                    break;
                }
            }
            Poll::Ready(())
        });
        // the queue may hold more than a task's budget allows
        unconstrained(rest).await;
    }

    fn poll_let_in(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (stream, peer) = ready!(self.accept.poll(cx));
        connection::start(self.socket(stream), self.roster.enter(peer), &self.service);
        Poll::Ready(())
    }

    fn socket(&self, stream: Plain) -> Socket {
        let after = After {
            #[cfg(feature = "__tls")]
            tls: self.tls.as_ref().map(prodkit_tls::Live::load),
        };
        if self.proxied { Socket::proxied(stream, after) } else { after.begin(stream) }
    }
}

async fn all_left_before_abort(roster: &Roster, drain: &Drain) -> bool {
    let mut abort = pin!(drain.abort.stopped());
    poll_fn(|cx| {
        if poll_all_left(roster, cx).is_ready() {
            return Poll::Ready(true);
        }
        abort.as_mut().poll(cx).map(|()| false)
    })
    .await
}

fn poll_all_left(roster: &Roster, cx: &Context<'_>) -> Poll<()> {
    roster.door.listen(cx.waker());
    if roster.connections() == 0 { Poll::Ready(()) } else { Poll::Pending }
}
