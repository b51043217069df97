//! A service that misbehaves on demand, for the tests that look at a process from outside.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream;
use hyper_util::rt::TokioIo;
use metrics::counter;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use prodkit::http::peer_addr;
use prodkit::otel::OpenTelemetrySpanExt as _;
use prodkit::tasks::Backoff;
use prodkit::trace::FutureExt as _;
use prodkit::{App, BoxError, Context, Live, Secret, Stop};
use prodkit_config::SECRET_NAME;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tracing::Instrument as _;

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Config {
    ways: Vec<Way>,
    /// What `/greeting` answers. Nothing that is "refused" is ever taken, and "never" takes for ever; with "broken" it
    /// answers 500, with "sick" the check `greeting` fails.
    greeting: Live<String>,
    /// Read once.
    fixed: String,
    /// Used for nothing; only the type says that it is a secret.
    #[serde(rename = "motto")]
    _motto: Option<Motto>,
    /// Used for nothing.
    #[serde(rename = "notes")]
    _notes: BTreeMap<String, String>,
    /// `/secret` answers how long it is. Nothing that contains "refused" is ever taken, and who refuses it quotes it.
    secret: Secret,
    /// Nothing is made of these.
    hidden: BTreeMap<String, Secret>,
}

impl Default for Config {
    fn default() -> Self {
        let greeting = Live::fixed("hello".to_owned());
        let (_motto, _notes) = (None, BTreeMap::new());
        let (secret, hidden) = (Secret::missing(), BTreeMap::new());
        Self { ways: vec![Way::Serve], greeting, fixed: String::new(), _motto, _notes, secret, hidden }
    }
}

/// A secret, read as one: nothing but its type says so.
#[derive(Debug)]
struct Motto;

impl<'de> Deserialize<'de> for Motto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Motto;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Motto, D::Error> {
                String::deserialize(deserializer).map(|_| Motto)
            }
        }
        deserializer.deserialize_newtype_struct(SECRET_NAME, Text)
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    /// HTTP on the main port.
    Serve,
    /// gRPC on the main port.
    Calls,
    /// `app` returns an error.
    AppFails,
    /// `app` panics.
    AppPanics,
    /// `app` never returns.
    AppHangs,
    /// `app` never returns and never yields either.
    AppBlocks,
    /// A task fails as soon as it runs.
    TaskFails,
    /// A task panics as soon as it runs.
    TaskPanics,
    /// A task does not care about being told to stop.
    TaskHangs,
    /// A supervised task fails three times, then runs.
    TaskRecovers,
    /// A hook returns an error.
    HookFails,
    /// A hook never returns.
    HookHangs,
    /// A hook never returns and never yields either.
    HookBlocks,
    /// The app itself asks for the end.
    Triggers,
    /// A critical check is never good.
    CheckFails,
    /// A check that panics.
    CheckPanics,
    /// An optional check is never good.
    OptionalCheckFails,
    /// A hook closes what a check needs, and takes its time.
    HookClosesChecked,
    /// A check that waits for its result: `/check/good` or `/check/bad` hands it one.
    CheckHanded,
    /// Two checks of one name.
    CheckTwice,
    /// A hook that says "first", which is declared before…
    HookSaysFirst,
    /// … one that says "second".
    HookSaysSecond,
    /// A shared check is never good.
    SharedCheckFails,
    /// A check that has its own idea of when to run.
    CheckSlow,
    /// As many checks as fit a large service.
    CheckThousand,
    /// `app` waits for a file of this name.
    WaitsForRedis,
    /// Something that is started but never done holds the start up.
    Holds,
    /// Two hooks that say so.
    HooksSpeak,
    /// A task that falls silent as long as there is a file `silent`.
    TaskBeats,
    /// A job that is done at once, fails, panics, or goes on until it is told to stop.
    Job,
    JobFails,
    JobPanics,
    JobGoesOn,
}

/// What requests tell each other and the checks.
struct Stage {
    /// `/gate` waits for `/open`.
    gate: Semaphore,
    results: mpsc::UnboundedSender<bool>,
    handed: Mutex<mpsc::UnboundedReceiver<bool>>,
    draining: Stop,
}

impl Stage {
    fn new(draining: Stop) -> Arc<Self> {
        let (results, handed) = mpsc::unbounded_channel();
        Arc::new(Self { gate: Semaphore::new(0), results, handed: Mutex::new(handed), draining })
    }
}

fn forever() {
    loop {
        std::thread::park();
    }
}

async fn app(cx: Context<Config>) -> Result<App, BoxError> {
    let mut app = App::new();
    let config = cx.config();
    let greeting = config.greeting.try_map(async |text| match text.as_str() {
        "refused" => Err("that is no greeting"),
        "never" => {
            tracing::info!("preparing");
            std::future::pending().await
        }
        text => Ok(text.to_owned()),
    });
    let greeting = greeting.await?;
    let held = config.secret.clone();
    let secret = config.secret.live().try_map(async |secret| {
        let text = secret.expose_text()?;
        if text.contains("refused") {
            Err(format!("{text} is refused").into())
        } else {
            Ok::<_, BoxError>(text.len())
        }
    });
    let secret = secret.await?;
    let stage = Stage::new(cx.draining());
    tracing::info!(fixed = config.fixed, config = ?config, "made");
    for way in &config.ways {
        app = match way {
            Way::Serve => app
                .axum(router(greeting.clone(), secret.clone(), held.clone(), stage.clone()))
                .health_group("greeters", ["greeting"])
                .check("greeting", {
                    let greeting = greeting.clone();
                    async move || if *greeting.get() == "sick" { Err("sick") } else { Ok(()) }
                }),
            Way::Calls => app.http(tonic::service::Routes::new(prodkit_e2e::calls::Calls::default())),
            Way::AppFails => return Err("the app does not want to".into()),
            #[expect(clippy::panic, reason = "that is what is tested")]
            Way::AppPanics => panic!("the app fell over"),
            Way::AppHangs => std::future::pending().await,
            Way::AppBlocks => {
                tracing::info!("blocking");
                forever();
                app
            }
            Way::TaskFails => app.task("failing", async |_| Err::<(), _>("no luck")),
            #[expect(clippy::panic, reason = "that is what is tested")]
            Way::TaskPanics => app.task("panicking", async |_| panic!("the task fell over")),
            Way::TaskHangs => app.task("hanging", async |_| std::future::pending::<()>().await),
            Way::TaskRecovers => {
                let failures = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
                app.supervise("recovering", Backoff::default(), async move |stop| {
                    if failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3 {
                        return Err("not yet");
                    }
                    tracing::info!("recovered");
                    stop.stopped().await;
                    Ok(())
                })
            }
            Way::HookFails => app.on_shutdown("failing-hook", async || Err::<(), _>("no luck")),
            Way::HookHangs => app.on_shutdown("hanging-hook", async || std::future::pending::<()>().await),
            Way::HookBlocks => app.on_shutdown("blocking-hook", async || forever()),
            Way::Triggers => {
                let cx = cx.clone();
                app.task("triggering", async move |stop| {
                    cx.trigger();
                    stop.stopped().await;
                })
            }
            Way::CheckFails => app.check("failing", async || Err::<(), _>("no luck")),
            #[expect(clippy::panic, reason = "that is what is tested")]
            Way::CheckPanics => {
                app.check("panicking", async || -> Result<(), BoxError> { panic!("the check fell over") })
            }
            Way::OptionalCheckFails => {
                app.check_with("failing", prodkit::health::Check::optional(), async || {
                    Err::<(), _>("no luck")
                })
            }
            Way::HookClosesChecked => {
                let closed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
                let close = std::sync::Arc::clone(&closed);
                app.on_shutdown("closing-hook", async move || {
                    close.store(true, std::sync::atomic::Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                })
                .check("closed", async move || {
                    if closed.load(std::sync::atomic::Ordering::Relaxed) { Err("closed") } else { Ok(()) }
                })
            }
            Way::CheckHanded => app.check("handed", {
                let stage = stage.clone();
                async move || {
                    tracing::info!("checking");
                    if stage.handed.lock().await.recv().await == Some(true) { Ok(()) } else { Err("bad") }
                }
            }),
            Way::SharedCheckFails => {
                app.check_with("failing", prodkit::health::Check::shared(), async || Err::<(), _>("no luck"))
            }
            Way::CheckSlow => {
                let check = prodkit::health::Check::critical().every(Duration::from_secs(3600));
                app.check_with("slow", check, async || Ok::<(), BoxError>(()))
            }
            Way::CheckThousand => (0..1_000)
                .fold(app, |app, nth| app.check(format!("c{nth}").leak(), async || Ok::<(), BoxError>(()))),
            Way::WaitsForRedis => {
                cx.wait_for("redis", async || std::fs::metadata("redis").map(drop)).await;
                app
            }
            Way::Holds => {
                let hold = cx.hold("warm-up");
                app.task("warming", async move |stop| {
                    stop.stopped().await;
                    tracing::info!(hold = hold.name(), "cold still");
                })
            }
            Way::HooksSpeak => {
                let hook = |app: App, name| app.on_shutdown(name, async move || tracing::info!(name, "hook"));
                hook(hook(app, "first-declared"), "last-declared")
            }
            Way::TaskBeats => {
                let heartbeat = cx.heartbeat("beating", Duration::from_secs(1))?;
                app.task("beating", async move |stop| {
                    loop {
                        if !std::path::Path::new("silent").exists() {
                            heartbeat.beat();
                        }
                        let pause = tokio::time::sleep(Duration::from_millis(20));
                        if stop.run_until_stopped(pause).await.is_none() {
                            return;
                        }
                    }
                })
            }
            Way::Job => app.job("once", async |_| tracing::info!("job done")),
            Way::JobFails => app.job("once", async |_| Err::<(), _>("no luck")),
            #[expect(clippy::panic, reason = "that is what is tested")]
            Way::JobPanics => app.job("once", async |_| panic!("the job fell over")),
            Way::JobGoesOn => app.job("once", async |stop| {
                stop.stopped().await;
                tracing::info!("job told to stop");
            }),
            Way::CheckTwice => app
                .check("twice", async || Ok::<(), BoxError>(()))
                .check("twice", async || Ok::<(), BoxError>(())),
            Way::HookSaysFirst => app.on_shutdown("first", async || tracing::info!("first")),
            Way::HookSaysSecond => app.on_shutdown("second", async || tracing::info!("second")),
        };
    }
    Ok(app)
}

#[expect(clippy::disallowed_methods, clippy::panic, reason = "misbehaving is what this service is for")]
fn router(greeting: Live<String>, secret: Live<usize>, held: Secret, stage: Arc<Stage>) -> Router {
    let greet = async move || match greeting.load() {
        text if *text == "broken" => Err(StatusCode::INTERNAL_SERVER_ERROR),
        text => Ok(text.to_string()),
    };
    Router::new()
        .route("/", get(async || "here"))
        .route("/greeting", get(greet))
        .route("/secret", get(async move || secret.get().to_string()))
        .route(
            "/slow",
            get(async || {
                tracing::info!("slow request");
                tokio::time::sleep(Duration::from_secs(1)).await;
                "at last"
            }),
        )
        .route(
            "/hang",
            get(async || {
                tracing::info!("hanging request");
                std::future::pending::<()>().await;
            }),
        )
        .route(
            "/panic",
            get(async move || -> () { panic!("the handler fell over, with {held:?} in its hands") }),
        )
        .route("/spans", get(spans))
        // keeps one worker from any progress
        .route(
            "/block",
            get(async || {
                tracing::info!("blocking request");
                std::thread::sleep(Duration::from_secs(5));
            }),
        )
        .route("/peer", get(async || peer_addr().map(|peer| peer.to_string()).unwrap_or_default()))
        .route("/echo", post(async |body: Bytes| body.len().to_string()))
        .route("/large", get(async || vec![b'x'; LARGE]))
        .route("/gate", get(gate))
        .route("/open", get(async |State(stage): State<Arc<Stage>>| stage.gate.add_permits(1)))
        .route("/check/{result}", get(check))
        .route("/count/{n}", get(async |Path(n): Path<String>| counter!("counted", "n" => n).increment(1)))
        .route("/say/{length}", get(say))
        .route("/events", get(async |State(stage): State<Arc<Stage>>| events(stage.draining.clone())))
        .route("/events/for-ever", get(async || events(Stop::never())))
        .route(
            "/echo/upgraded",
            get(async |State(stage): State<Arc<Stage>>, request| upgrade(request, stage.draining.clone())),
        )
        .route("/echo/upgraded/for-ever", get(async |request| upgrade(request, Stop::never())))
        .with_state(stage)
}

/// More than any socket buffer takes.
const LARGE: usize = 32 << 20;

async fn gate(State(stage): State<Arc<Stage>>) -> &'static str {
    tracing::info!("at the gate");
    match stage.gate.acquire().await {
        Ok(permit) => {
            permit.forget();
            "through"
        }
        Err(_) => "closed",
    }
}

/// A tick each 20 ms until `draining`, then a goodbye.
fn events(draining: Stop) -> Response {
    let ticks = stream::unfold(Some(draining), async |draining| {
        let draining = draining?;
        Some(match draining.run_until_stopped(tokio::time::sleep(TICK)).await {
            Some(()) => (Ok::<_, Infallible>("data: tick\n\n"), Some(draining)),
            None => (Ok("data: bye\n\n"), None),
        })
    });
    ([(CONTENT_TYPE, "text/event-stream")], axum::body::Body::from_stream(ticks)).into_response()
}

const TICK: Duration = Duration::from_millis(20);

/// Sends back what it gets until `draining`, then a goodbye, as a WebSocket would.
#[expect(clippy::disallowed_methods, reason = "it outlives the request, as every upgraded connection does")]
fn upgrade(mut request: Request, draining: Stop) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        if draining.run_until_stopped(tokio::io::copy(&mut read, &mut write)).await.is_none() {
            // whoever is gone misses it
            let _ = write.write_all(b"bye").await;
            let _ = write.shutdown().await;
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "echo")]).into_response()
}

async fn check(State(stage): State<Arc<Stage>>, Path(result): Path<String>) -> StatusCode {
    match stage.results.send(result == "good") {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}

/// Spans of user code, in every way there is to make one.
#[expect(clippy::disallowed_methods, reason = "as user code does")]
async fn spans() -> StatusCode {
    let failed = deep(10).await.is_err();
    let task = tokio::spawn(async { tracing::info_span!("task").in_scope(|| ()) }.in_current_trace());
    let outer = tracing::info_span!("outer");
    let blocking = tokio::task::spawn_blocking(move || {
        outer.in_scope(|| tracing::info_span!("blocking").in_scope(|| ()));
    });
    opentelemetry::global::tracer("a-library").in_span("library", |_| {
        tracing::info_span!("below the library").in_scope(|| ());
    });
    let told = tracing::info_span!("told");
    if let Some(running) = prodkit::trace::current() {
        let link = prodkit::otel::context(running).span().span_context().clone();
        told.add_link_with_attributes(link, vec![opentelemetry::KeyValue::new("why", "batch")]);
    }
    told.set_attribute("n", 2);
    drop(told);
    match (task.await, blocking.await) {
        (Ok(()), Ok(())) if failed => StatusCode::OK,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// So many spans in each other, each across an await; the last but one fails.
fn deep(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> {
    let span = tracing::info_span!("deep", otel.name = format!("deep-{depth}"), depth);
    Box::pin(
        async move {
            tokio::task::yield_now().await;
            if depth > 1 {
                let below = deep(depth - 1).await;
                if depth == 2 {
                    tracing::error!(error = "no stock", "it failed");
                }
                return below;
            }
            tracing::warn!(depth = 0, "at the bottom");
            Err("no stock".into())
        }
        .instrument(span),
    )
}

async fn say(Path(length): Path<usize>) {
    tracing::debug!("whispered");
    tracing::info!(text = "x".repeat(length), "said");
}

fn main() -> ExitCode {
    // a program that has set up its tracing itself
    if std::env::var_os("FIXTURE_SUBSCRIBER").is_some() {
        let _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
    }
    prodkit::run!(app)
}
