//! One connection, from its first byte to its last.

mod deadlines;
mod erased;
mod exchange;
#[cfg(feature = "__tls")]
mod handshake;
mod live;
mod proxied;
mod request;
mod socket;
mod streams;
mod wire;

use crate::drain::Stage;
use crate::refused::Refused;
use crate::{Limits, Service, current};
use deadlines::{Act, Deadlines};
use erased::Erased;
use exchange::Exchanges;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use streams::Streams;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::Protocol;

pub(crate) use deadlines::after;
pub(crate) use exchange::Served;
#[cfg(feature = "__tls")]
pub(crate) use handshake::Handshake;
pub(crate) use live::Live;
pub(crate) use proxied::{After, Introduction};
pub(crate) use request::is_host;
pub(crate) use socket::{Plain, Socket};
pub(crate) use wire::Wire;

/// Serves `socket` in a task of its own.
pub(crate) fn start(socket: Socket, live: Arc<Live>, service: &Service) {
    streams::spawn(service.connection(Wire::new(socket, live)));
}

/// The life of a connection, for one type of service.
pub(crate) async fn run<S: Served>(mut wire: Wire, service: S) {
    let live = wire.live().clone();
    let Some((client, since)) = introduced(&mut wire).await else { return };
    let Some(since) = shaken_hands(&mut wire, since).await else { return };
    let mut watch = Watch::new(&live, Deadlines::new(since));
    let protocol = match agreed(&wire) {
        Some(agreed) => Some(agreed),
        None => {
            let mut sniffing = Sniffing { wire: &mut wire, protocol: None };
            watch.over(Pin::new(&mut sniffing)).await;
            sniffing.protocol
        }
    };
    match protocol {
        None => return,
        Some(Protocol::Http1) => {
            let exchanges = Exchanges::new(live.clone(), client, service, None);
            let connection =
                http1_settings(&live.roster.limits).serve_connection(TokioIo::new(wire), exchanges);
            watch.over(pin!(connection.with_upgrades())).await;
        }
        Some(Protocol::Http2) => {
            // boxed: most connections need no room for it
            Box::pin(http2(wire, client, Erased::new(service), &mut watch)).await;
        }
    }
    if live.is_upgraded() {
        upgraded(&live).await;
    }
}

/// The rest of a connection of HTTP/2, for all types of services.
async fn http2(wire: Wire, client: Option<SocketAddr>, service: Erased, watch: &mut Watch<'_>) {
    let live = wire.live().clone();
    live.set_http2();
    watch.deadlines.http2();
    let streams = Streams::new(live.roster.limits.write_timeout);
    let settings = http2_settings(&live.roster.limits, streams.clone());
    let exchanges = Exchanges::new(live, client, service, Some(streams));
    watch.over(pin!(settings.serve_connection(TokioIo::new(wire), exchanges))).await;
}

/// For whom the connection is, and since when that is known: at once, or when it has said so.
async fn introduced(wire: &mut Wire) -> Option<(Option<SocketAddr>, Instant)> {
    let live = wire.live().clone();
    if !matches!(wire.socket, Socket::Proxied(_)) {
        return Some((live.peer, live.born));
    }
    let mut watch = Watch::new(&live, Deadlines::new(live.born));
    let mut introducing = proxied::Introducing::new(wire);
    watch.over(Pin::new(&mut introducing)).await;
    introducing.end().map(|client| (client.or(live.peer), Instant::now()))
}

/// Since when the client may speak HTTP: from `since` in the clear, else when the handshake of TLS is done in time.
#[cfg_attr(not(feature = "__tls"), expect(clippy::unused_async, unused_variables, reason = "no handshake"))]
async fn shaken_hands(wire: &mut Wire, since: Instant) -> Option<Instant> {
    #[cfg(feature = "__tls")]
    if matches!(wire.socket, Socket::Handshaking(_)) {
        let live = wire.live().clone();
        let mut watch = Watch::new(&live, Deadlines::handshake(since));
        let mut handshaking = handshake::Handshaking::new(wire);
        watch.over(Pin::new(&mut handshaking)).await;
        return (handshaking.end() == Handshake::Done).then(Instant::now);
    }
    Some(since)
}

/// The protocol, where TLS has settled it.
fn agreed(wire: &Wire) -> Option<Protocol> {
    #[cfg(feature = "__tls")]
    return wire.socket.agreed();
    #[cfg(not(feature = "__tls"))]
    {
        let _ = wire;
        None
    }
}

fn http1_settings(limits: &Limits) -> http1::Builder {
    /// hyper's own floor for its buffer.
    const MIN_BUFFER: usize = 8192;
    let mut settings = http1::Builder::new();
    settings
        // one bound for a head that is complete, one for a head that never is
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER))
        // our own deadlines tell a head that is late from a connection that is idle
        .header_read_timeout(None::<Duration>)
        // the wire finds out whether the client has left, at less
        .half_close(true);
    settings
}

fn http2_settings(limits: &Limits, streams: Streams) -> http2::Builder<Streams> {
    let header_bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
    let mut settings = http2::Builder::new(streams);
    settings
        .timer(TokioTimer::new())
        .max_header_list_size(header_bytes)
        .max_concurrent_streams(limits.http2.max_streams)
        .max_pending_accept_reset_streams(limits.http2.max_resets)
        .keep_alive_interval(limits.http2.ping)
        .keep_alive_timeout(limits.http2.ping_timeout);
    settings
}

/// Something that goes on until it is done, and can be asked to come to its end.
trait Stretch {
    /// With a reason where it has ended by a refusal.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Refused>>;
    fn finish(self: Pin<&mut Self>);
}

struct Sniffing<'a> {
    wire: &'a mut Wire,
    protocol: Option<Protocol>,
}

impl Stretch for Sniffing<'_> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Refused>> {
        self.protocol = ready!(self.wire.poll_protocol(cx));
        Poll::Ready(None)
    }

    fn finish(self: Pin<&mut Self>) {}
}

impl<S: Served> Stretch for http1::UpgradeableConnection<TokioIo<Wire>, Exchanges<S>> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Refused>> {
        // its errors are the client's doing, or were answered
        Future::poll(self, cx).map(|ended| log_end(&ended.err()?))
    }

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl Stretch for http2::Connection<TokioIo<Wire>, Exchanges<Erased>, Streams> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Refused>> {
        Future::poll(self, cx).map(|ended| log_end(&ended.err()?))
    }

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

fn log_end(error: &hyper::Error) -> Option<Refused> {
    tracing::debug!(%error, "connection ended early");
    Refused::by(error)
}

/// Watches over a connection's deadlines and the stage of the server.
struct Watch<'a> {
    live: &'a Live,
    deadlines: Deadlines,
    /// One timer, re-armed only for an earlier moment or when it has fired: a busy connection never touches it.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a> Watch<'a> {
    fn new(live: &'a Live, deadlines: Deadlines) -> Self {
        Self { live, deadlines, timer: None }
    }

    /// Polls `stretch` to its end, or to the end of the time it is given.
    async fn over(&mut self, mut stretch: Pin<&mut impl Stretch>) {
        let mut listening = false;
        poll_fn(|cx| {
            // a task's waker stays the same for life
            if !std::mem::replace(&mut listening, true) {
                self.live.listen(cx.waker());
            }
            loop {
                // Asked before the poll: a close that comes after it finds what has arrived meanwhile unread.
                let stage = self.live.stage();
                if stage == Stage::Aborting {
                    return Poll::Ready(());
                }
                // of another connection
                current::take_ended();
                let live = self.live;
                if let Poll::Ready(refused) = stretch.as_mut().poll(cx) {
                    self.end(refused);
                    return Poll::Ready(());
                }
                let ended = current::take_ended();
                let now = || ended.unwrap_or_else(Instant::now);
                let next = self.deadlines.next(live.seen(stage), &live.roster.limits, now, || live.moment());
                let Some((at, act)) = next else { return Poll::Pending };
                if !self.has_come(at, cx) {
                    return Poll::Pending;
                }
                match act {
                    Act::Cut => {
                        // hyper says why it has ended when that is over, and no earlier
                        let ended = match live.stop_lingering() {
                            true => stretch.as_mut().poll(cx),
                            false => Poll::Pending,
                        };
                        self.end(match ended {
                            Poll::Ready(refused) => refused,
                            Poll::Pending => self.deadlines.missed(stage),
                        });
                        return Poll::Ready(());
                    }
                    Act::Finish => {
                        stretch.as_mut().finish();
                        self.deadlines.finished(Instant::now());
                    }
                }
            }
        })
        .await;
    }

    fn end(&self, refused: Option<Refused>) {
        if let Some(refused) = refused {
            self.live.roster.refusals.count(refused);
        }
    }

    /// Whether it is `at`; if not, this task is woken then at the latest.
    #[inline]
    fn has_come(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        if self.timer.as_ref().is_some_and(|timer| timer.deadline() <= at && !timer.is_elapsed()) {
            return false;
        }
        if at <= Instant::now() {
            return true;
        }
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(at);
                timer
            }
            none => none.insert(Box::pin(sleep_until(at))),
        };
        // It must be polled once to wake us, and a poll that the task's budget turns away would not count.
        pin!(unconstrained(timer.as_mut())).poll(cx).is_ready()
    }
}

/// The connection belongs to whoever upgraded it. What is left to do here is to cut it when its time is over.
async fn upgraded(live: &Live) {
    poll_fn(|cx| {
        live.listen(cx.waker());
        if live.stage() == Stage::Aborting {
            live.cut();
            return Poll::Ready(());
        }
        if live.is_gone() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
