//! The admin thread: signals, the deadline, the stall watch, and the port for probes and metrics.
//!
//! It has a runtime of its own, so that all of this works before `app` runs, while user code blocks every worker, and
//! after the main port has closed.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use prodkit_health::{Health, Probes};
use prodkit_http::{Body, Drain, Limits, Listener};
use prodkit_log::Log;
use prodkit_metrics::{Format, Recorder};
use prodkit_shutdown::{Cause, Plan, Signals, Stop, Trigger, channel};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::error::StartError;
use crate::exit::Exit;
use crate::gauges::Gauges;
use crate::globals;
use crate::settings;
use crate::stall::Heartbeat;
use crate::watch;

/// Connections to the admin port at once: the kubelet's, Prometheus', an operator's.
const CONNECTIONS: usize = 256;
/// What a probe may take to be told that the port closes.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// What the admin thread looks after.
pub(crate) struct Watched {
    pub(crate) health: Health,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) stall: Duration,
    pub(crate) trigger: Trigger,
    pub(crate) plan: Plan,
    pub(crate) log: Log,
    pub(crate) exposition: Exposition,
}

/// The running admin thread.
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
    close: Trigger,
    thread: JoinHandle<()>,
}

/// Signals that are caught already, and wait on the runtime they were caught with.
pub(crate) struct Caught {
    runtime: Runtime,
    signals: Signals,
}

impl Caught {
    /// Catches signals from now on: the first thing a process does, or SIGTERM kills it while it starts.
    pub(crate) fn now() -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StartError::setup("the admin runtime")(error.into()))?;
        let signals = {
            let _context = runtime.enter();
            globals::signals().map_err(|error| StartError::setup("signal handlers")(error.into()))?
        };
        Ok(Self { runtime, signals })
    }
}

impl Admin {
    /// Starts the thread and returns once the port is bound.
    pub(crate) fn start(
        caught: Caught,
        settings: &settings::Admin,
        watched: Watched,
    ) -> Result<Self, StartError> {
        let Caught { runtime, signals } = caught;
        let (close, closed) = channel();
        let (bound, binding) = oneshot::channel();
        let (host, port) = (settings.host.clone(), settings.port);
        let thread = std::thread::Builder::new().name("prodkit-admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                match Listener::bind(&host, port).await {
                    Ok(listener) => {
                        // The starter waits for nothing else and cannot be gone.
                        let _ = bound.send(Ok(listener.local_addr()));
                        watched.run(signals, listener, closed).await;
                    }
                    Err(error) => drop(bound.send(Err(StartError::setup("the admin port")(error.into())))),
                }
            });
        });
        let thread = thread.map_err(|error| StartError::setup("the admin thread")(error.into()))?;
        let address = binding.blocking_recv().unwrap_or_else(|_| {
            Err(StartError::Misuse("the admin thread ended while it started".to_owned()))
        })?;
        Ok(Self { address, close, thread })
    }

    /// Closes the port, last of all.
    pub(crate) fn close(self) {
        self.close.fire(Cause::requested("the end"));
        // A thread that panicked has said so through the panic hook.
        let _ = self.thread.join();
    }
}

impl Watched {
    async fn run(self, signals: Signals, listener: Listener, closed: Stop) {
        let Self { health, heartbeat, stall, trigger, plan, log, exposition } = self;
        let metrics = exposition.recorder.clone();
        let service = AdminService {
            probes: Probes::detailed(health.clone(), std::time::Instant::now),
            exposition: Arc::new(exposition),
        };
        let (abort, aborted) = channel();
        let drain = Drain::new(Stop::never(), closed.clone(), aborted);
        let limits = Limits::default().max_connections(CONNECTIONS);
        let server = prodkit_http::serve(listener, prodkit_http::Service::new(service), limits, drain);
        let stop = trigger.stop();
        let last_answers = async {
            closed.stopped().await;
            tokio::time::sleep(LAST_ANSWERS).await;
            abort.fire(Cause::requested("the end"));
        };
        tokio::select! {
            _ = async { tokio::join!(server, last_answers) } => {}
            () = listen(signals, trigger, &log) => {}
            () = watch_deadline(stop, &plan, &log) => {}
            () = heartbeat.watch(stall, health.clone()) => {}
            () = watch::watch(health, metrics) => {}
        }
    }
}

/// The first signal asks, the second one ends. Never returns.
async fn listen(mut signals: Signals, trigger: Trigger, log: &Log) {
    let mut asked = false;
    while let Some(signal) = signals.recv().await {
        if !signal.asks_to_stop() {
            continue;
        }
        if std::mem::replace(&mut asked, true) {
            tracing::error!(%signal, "second signal, ending at once");
            globals::end_now(Exit::Forced, log);
        }
        trigger.fire(Cause::Signal(signal));
    }
    std::future::pending::<()>().await;
}

/// The whole process has one deadline, which holds whatever user code does. Never returns.
async fn watch_deadline(stop: Stop, plan: &Plan, log: &Log) {
    stop.stopped().await;
    let total = Instant::now() + plan.grace();
    sleep_until(total).await;
    tracing::error!(grace = ?plan.grace(), "the grace period is over, ending at once");
    globals::end_now(Exit::Incomplete, log);
}

/// The metrics as text.
pub(crate) struct Exposition {
    pub(crate) recorder: Recorder,
    pub(crate) gauges: Arc<Gauges>,
}

#[derive(Clone)]
struct AdminService {
    probes: Probes,
    exposition: Arc<Exposition>,
}

impl AdminService {
    fn answer(&mut self, request: &Request<Body>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if self.probes.matches(path) {
            return self.probes.answer(request);
        }
        if path != "/metrics" {
            return status(StatusCode::NOT_FOUND);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let format = Format::negotiate(accept);
        let mut text = Vec::new();
        self.exposition.gauges.refresh();
        self.exposition.recorder.encode(format, &mut text);
        let mut response = Response::new(Full::from(text));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(format.content_type()));
        response
    }
}

impl tower::Service<Request<Body>> for AdminService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
