//! The admin thread: signals, the deadline, the stall watch, and the port for probes and metrics.
//!
//! It has a runtime of its own, so that all of this works before `app` runs, while user code blocks every worker, and
//! after the main port has closed.

mod log_level;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{FutureExt as _, Map};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use prodkit_config::Snapshot;
use prodkit_health::Health;
use prodkit_http::{Body, Drain, Limits, Listener, peer_addr};
use prodkit_live::Live;
use prodkit_log::Log;
use prodkit_metrics::{Format, Recorder};
use prodkit_secrets::Secrets;
use prodkit_shutdown::{Cause, Plan, Signals, Stop, Trigger, channel};
use prodkit_trace::{SpanId, TraceContext, TraceFlags, TraceId};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use self::log_level::LogLevel;
use crate::debug::{self, DebugTraces};
use crate::error::StartError;
use crate::exit::Exit;
use crate::globals;
use crate::guard::{Guard, Refusal};
use crate::last_words::LastWords;
use crate::reload::Configured;
use crate::settings;
use crate::shown;
use crate::stall::Progress;
use crate::systemd::Supervisor;
use crate::vitals::{self, Own, Vitals};
use crate::watch::{self, Told};

/// Connections to the admin port at once: the kubelet's, Prometheus', an operator's.
const CONNECTIONS: usize = 1_024;
/// What a client may take to say what it wants. Short, because a probe waits behind those who say nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a probe may take to be told that the port closes.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// What the admin thread looks after.
pub(crate) struct Watched {
    pub(crate) health: Health,
    pub(crate) progress: Progress,
    pub(crate) last_words: LastWords,
    pub(crate) supervisor: Supervisor,
    pub(crate) trigger: Trigger,
    pub(crate) plan: Plan,
    pub(crate) log: Log,
    pub(crate) exposition: Exposition,
    pub(crate) configured: Configured,
    pub(crate) debug: DebugTraces,
    pub(crate) secrets: Secrets,
}

/// The running admin thread.
pub(crate) struct Admin {
    /// What it is bound to.
    pub(crate) address: String,
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
        let guard = Guard::new(settings);
        let thread = std::thread::Builder::new().name("prodkit-admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                match Listener::bind(&host, port).await {
                    Ok(listener) => {
                        // The starter waits for nothing else and cannot be gone.
                        let _ = bound.send(Ok(listener.to_string()));
                        watched.run(guard, signals, listener, closed).await;
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
    async fn run(self, guard: Guard, signals: Signals, listener: Listener, closed: Stop) {
        let Self {
            health,
            progress,
            last_words,
            supervisor,
            trigger,
            plan,
            log,
            exposition,
            configured,
            debug,
            secrets,
        } = self;
        let told = Told {
            metrics: exposition.recorder.clone(),
            supervisor: supervisor.clone(),
            grace: plan.grace(),
        };
        let levels = LogLevel::new(log.clone());
        let service = AdminService {
            vitals: Vitals::detailed(health.clone()).until(&closed),
            exposition: Arc::new(exposition),
            guard: Arc::new(guard),
            shown: configured.shown.clone(),
            debug: debug.clone(),
            levels: levels.clone(),
            secrets,
        };
        let (abort, aborted) = channel();
        let drain = Drain::new(Stop::never(), closed.clone(), aborted);
        let limits =
            Limits::default().max_connections(CONNECTIONS).first_byte(PATIENCE).header_timeout(PATIENCE);
        let server = prodkit_http::serve(listener, prodkit_http::Service::new(service), limits, drain);
        let stop = trigger.stop();
        let last_answers = async {
            closed.stopped().await;
            tokio::time::sleep(LAST_ANSWERS).await;
            abort.fire(Cause::requested("the end"));
        };
        // over as soon as nobody is connected any more
        let served = async {
            tokio::pin!(server);
            tokio::select! {
                _ = &mut server => {}
                () = last_answers => drop(server.as_mut().await),
            }
        };
        tokio::select! {
            () = served => {}
            () = listen(signals, trigger, &configured, &supervisor, &log, &last_words) => {}
            () = watch_deadline(stop, &plan, &log, &last_words) => {}
            () = progress.watch() => {}
            () = watch::watch(health.clone(), told) => {}
            () = supervisor.clone().watch(health) => {}
            () = debug.watch() => {}
            () = levels.watch() => {}
        }
    }
}

/// The first signal asks, the second one ends; `SIGHUP` has the configuration looked at. Never returns.
async fn listen(
    mut signals: Signals,
    trigger: Trigger,
    configuration: &Configured,
    supervisor: &Supervisor,
    log: &Log,
    last_words: &LastWords,
) {
    let mut asked = false;
    while let Some(signal) = signals.recv().await {
        if !signal.asks_to_stop() {
            tracing::info!(%signal, "looking at the configuration");
            supervisor.reloading();
            if configuration.follows {
                configuration.handle.touch();
            } else {
                supervisor.reloaded();
            }
            continue;
        }
        if std::mem::replace(&mut asked, true) {
            tracing::error!(%signal, "second signal, ending at once");
            last_words.write(&format!("exit {}: second signal, {signal}", Exit::Forced as i32));
            globals::end_now(Exit::Forced, log);
        }
        trigger.fire(Cause::Signal(signal));
    }
    std::future::pending::<()>().await;
}

/// The whole process has one deadline, which holds whatever user code does. Never returns.
async fn watch_deadline(stop: Stop, plan: &Plan, log: &Log, last_words: &LastWords) {
    stop.stopped().await;
    let total = Instant::now() + plan.grace();
    sleep_until(total).await;
    tracing::error!(grace = ?plan.grace(), "the grace period is over, ending at once");
    let code = Exit::Incomplete as i32;
    last_words.write(&format!("exit {code}: the grace period of {:?} is over", plan.grace()));
    globals::end_now(Exit::Incomplete, log);
}

/// The metrics as text.
pub(crate) struct Exposition {
    pub(crate) recorder: Recorder,
    /// Whether they are pushed as well.
    pub(crate) pushed: bool,
    /// How often they were asked for.
    pub(crate) scrapes: AtomicU64,
}

impl Exposition {
    /// Says once that whoever stores both has everything twice. One look is not a scrape.
    fn asked(&self) {
        if self.pushed && self.scrapes.fetch_add(1, Relaxed) == 1 {
            tracing::warn!(
                "metrics are scraped and pushed, too: stored in one place, all of it counts double; set otlp.metrics to false, or end the scrape"
            );
        }
    }
}

#[derive(Clone)]
struct AdminService {
    vitals: Vitals,
    exposition: Arc<Exposition>,
    guard: Arc<Guard>,
    shown: Live<Snapshot>,
    debug: DebugTraces,
    levels: LogLevel,
    secrets: Secrets,
}

impl AdminService {
    fn answer(&self, request: &Request<Body>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path == DEBUG_TRACE {
            return match *request.method() {
                Method::POST => self.debug_trace(request),
                _ => only("POST"),
            };
        }
        if path == log_level::PATH {
            return self.levels.answer(&self.guard, request);
        }
        let answer = match path {
            "/metrics" => Self::metrics,
            "/admin/config" => Self::config,
            _ => return status(StatusCode::NOT_FOUND),
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer(self, request.headers());
        }
        only("GET, HEAD")
    }

    /// Raises the trace that `?trace_id=` names, or a new one, to debug.
    fn debug_trace(&self, request: &Request<Body>) -> Response<Full<Bytes>> {
        const WHAT: &str = "raise a trace to debug";
        if let Err(refusal) = self.guard.write(request.headers()) {
            tracing::warn!(change = WHAT, reason = refusal.reason, peer = ?peer_addr(), "change refused");
            return refused(&refusal);
        }
        let query = request.uri().query().unwrap_or_default();
        let trace = match query.strip_prefix("trace_id=") {
            Some(id) => TraceId::from_hex(id.as_bytes()),
            None => query.is_empty().then(TraceId::random),
        };
        let Some(trace) = trace else {
            let reason = "the query is trace_id= and 32 lowercase hexadecimal digits, or none";
            return refused(&Refusal { status: StatusCode::BAD_REQUEST, reason });
        };
        if self.debug.raise(trace, std::time::Instant::now()).is_err() {
            let reason = "8 traces are raised already, each for a minute";
            return refused(&Refusal { status: StatusCode::TOO_MANY_REQUESTS, reason });
        }
        tracing::info!(change = WHAT, trace = %trace, peer = ?peer_addr(), "changed by an operator");
        let parent = TraceContext::new(trace, SpanId::random(), TraceFlags::NONE.with_sampled(true));
        let answer = format!(
            r#"{{"trace_id":"{trace}","traceparent":"{}","seconds":{}}}"#,
            parent.traceparent(),
            debug::LASTS.as_secs()
        );
        content("application/json", answer.into())
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let format = Format::negotiate(accept);
        let mut text = Vec::new();
        self.exposition.asked();
        self.exposition.recorder.encode(format, &mut text);
        content(format.content_type(), text)
    }

    fn config(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        match self.guard.read(headers) {
            Ok(()) => content("application/json", shown::config(&self.shown.load(), &self.secrets)),
            Err(refusal) => refused(&refusal),
        }
    }
}

/// Where a trace is raised to debug.
const DEBUG_TRACE: &str = "/admin/debug-trace";

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut refused = content("text/plain; charset=utf-8", format!("{}\n", refusal.reason).into());
    *refused.status_mut() = refusal.status;
    if refusal.status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    refused
}

fn only(methods: &'static str) -> Response<Full<Bytes>> {
    let mut refused = status(StatusCode::METHOD_NOT_ALLOWED);
    refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    refused
}

fn content(kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl tower::Service<Request<Body>> for AdminService {
    type Response = Response<Own>;
    type Error = Infallible;
    type Future = Map<vitals::Answer, fn(Response<Own>) -> Result<Response<Own>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = if self.vitals.matches(request.uri().path()) {
            self.vitals.answer(request)
        } else {
            vitals::at_once(self.answer(&request))
        };
        answer.map(Ok)
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
