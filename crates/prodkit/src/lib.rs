//! Production behaviour for any Rust service: health, ordered shutdown, strict configuration, telemetry.
//!
//! One async function receives what the process *has* ([`Context`]) and returns what it *does* ([`App`]). Nothing runs
//! until that value is returned.
//!
//! ```no_run
#![cfg_attr(feature = "axum", doc = "use axum::{Router, routing::get};")]
//! use prodkit::{App, BoxError, Context};
//! use std::process::ExitCode;
//!
//! async fn app(_: Context) -> Result<App, BoxError> {
#![cfg_attr(
    feature = "axum",
    doc = "    Ok(App::new().axum(Router::new().route(\"/\", get(async || \"hello\"))))"
)]
#![cfg_attr(not(feature = "axum"), doc = "    Ok(App::new())")]
//! }
//!
//! fn main() -> ExitCode {
//!     prodkit::run!(app)
//! }
//! ```
//!
//! That is a whole service: probes and `/metrics` on port 9090, JSON log lines with trace ids, OTLP when an endpoint is
//! set, a shutdown that loses no request, `--config`, a `health` command, and an exit code that means something.
//!
//! # Configuration
//!
//! ```no_run
//! use prodkit::{App, BoxError, Context, Live};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     greeting: String,         // fixed for the life of the process
//!     features: Live<Features>, // moves
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Features {
//!     shout: bool,
//! }
//!
//! async fn app(cx: Context<Config>) -> Result<App, BoxError> {
//!     let config = cx.config();
//!     Ok(App::new().task("greeter", async move |stop| {
//!         let shout = config.features.get().shout;
//!         tracing::info!(greeting = config.greeting, shout);
//!         stop.stopped().await;
//!     }))
//! }
//! # fn main() -> std::process::ExitCode { prodkit::run(app) }
//! ```
//!
//! Later ones win: defaults, then each `--config` file or directory (YAML, TOML, JSON), then the environment
//! (`APP__DATABASE__HOST` is `database.host`), then each `--set key=value`. Unknown keys are errors, and all errors are
//! reported at once, with file, line and column. `config check` does only that; `config show` prints what is set, and where.
//! With the feature `schema`, `config sample` prints a file with every key, and `config schema` its JSON Schema.
//!
//! `--config` names a file that must be there: a person or a manifest has asked for it. The default command of an image
//! says `--optional-config /etc/app/config.yaml` instead, which is nothing where no file is mounted, and which the arguments
//! of a manifest replace.
//!
//! These sections are prodkit's own; everything else is the app's:
//!
//! | key | default | |
//! |---|---|---|
//! | `service.name` | the package, else the executable | in telemetry; `OTEL_SERVICE_NAME` |
//! | `service.version`, `.namespace`, `.environment` | the package's version | in telemetry; `APP_ENV` is the environment |
//! | `server.host`, `server.port` | `0.0.0.0`, 8080 | the main port; `PORT`; `"::"` answers both families |
//! | `server.host` | `unix:/run/orders.sock` | a Unix socket; `server.socket_mode` (0660) says for whom |
//! | `server.tls.cert`, `.key` | none | TLS on the main port, see [below](#tls) |
//! | `server.tls.client_ca` | none | clients must show a certificate of these authorities |
//! | `server.tls.handshake_timeout` | 10s | for the handshake of a new connection |
//! | `server.timeout` | 30s | from a request's head to its response's; `HTTP_TIMEOUT` |
//! | `server.first_byte_timeout`, `.header_timeout` | 10s, 10s | for a connection's first byte; for a request's head |
//! | `server.read_timeout`, `.write_timeout` | 30s, 60s | for a request's body; for a client to take what was written |
//! | `server.idle_timeout` | 75s | between two requests of a connection |
//! | `server.max_header_size`, `.max_body_size` | 32KiB, 2MiB | more is answered 431 and 413 |
//! | `server.max_connections`, `.max_in_flight` | 10000, 1000 | the next connection waits; the next request is answered 503 |
//! | `server.adaptive_limit` | none | the least that the limit of requests in flight may be, where it is to follow how long they take |
//! | `server.trusted_proxies` | none | whose `Forwarded` and `X-Forwarded-*` are believed, see [below](#behind-a-proxy) |
//! | `server.proxy_protocol` | `off` | `required`: each connection begins with a header of the PROXY protocol, as a balancer of connections sends it |
//! | `server.probes` | true | the probes on the main port too |
//! | `admin.host`, `admin.port` | `0.0.0.0`, 9090 | probes, metrics and what operators ask |
//! | `admin.token` | none | what lies beyond probes and metrics takes it, as `Authorization: Bearer …` |
//! | `admin.public` | false | what lies beyond probes and metrics may be read by everyone |
//! | `health.stall` | 30s | liveness fails after so long without progress of the main runtime |
//! | `health.period`, `.timeout` | 10s, 2s | of a check |
//! | `health.unhealthy_after`, `.healthy_after` | 3, 1 | results in a row before a check turns |
//! | `health.shared_is_critical` | false | whether a bad shared check makes the service not ready, instead of degraded |
//! | `health.checks.<name>.importance`, `.period`, `.timeout`, `.unhealthy_after`, `.healthy_after` | as the code says | of one check; an unknown name is an error |
//! | `health.groups.<name>` | none | checks to ask for together, at `/health/group/<name>` |
//! | `shutdown.grace` | 25s | for all of the shutdown; with `TERMINATION_GRACE_PERIOD_SECONDS` that less 3s |
//! | `shutdown.delay` | 5s in Kubernetes, else 0s | not ready, but still serving |
//! | `shutdown.flush` | 2s | reserved for telemetry |
//! | `shutdown.termination_message_path` | in Kubernetes `/dev/termination-log` | the report goes there too, where that file exists |
//! | `log.level` | info | `info,hyper=warn` per target; `LOG_LEVEL`, `RUST_LOG`; moves |
//! | `log.format` | auto | `json`, `console`, or by whether standard output is a terminal |
//! | `log.max_line`, `log.buffer` | 16000, 8MiB | the longest line; what may wait to be written |
//! | `log.stacktrace` | as `RUST_BACKTRACE` says | whether a line of `ERROR` has its stack; a panic always does |
//! | `log.rate_limit`, `log.redact` | none, none | lines a second from one place in the code; fields written as `***`, in exported spans and records too |
//! | `otlp.endpoint` | none | nothing is exported without it; `OTEL_EXPORTER_OTLP_ENDPOINT` |
//! | `otlp.protocol` | by port: 4317 is `grpc`, else `http/protobuf` | |
//! | `otlp.tls.ca`, `.cert`, `.key` | those of the system, none | towards `https` endpoints, see [below](#tls) |
//! | `otlp.headers`, `.timeout`, `.retry.enabled`, `.retry.max_elapsed_time` | none, 10s, true, 1m | |
//! | `otlp.traces`, `.metrics`, `.logs` | true, true, false | logs, which are all lines, are usually collected from standard output already |
//! | `otlp.sampling_ratio` | 0.1 | of new traces; moves |
//! | `otlp.metric_interval` | 15s | |
//! | `otlp.temporality`, `.histograms` | cumulative, explicit | or `delta`, `exponential` |
//! | `metrics.max_series` | 2000 | per metric; the rest is summed into one overflow series |
//! | `metrics.native_histograms` | false | for a Prometheus that asks for them, by protobuf |
//! | `metrics.exemplars` | trace_based | or `always_on`, `always_off`; `OTEL_METRICS_EXEMPLAR_FILTER` |
//! | `metrics.expire_idle` | none | a series unused for so long is forgotten |
//! | `config.reload` | true | what moves follows the sources |
//! | `config.poll` | 15s | how often they are looked at without being told of a change |
//! | `config.prepare_timeout` | 10s | for what follows from a new configuration to be built and verified |
//! | `config.soak` | off | a new configuration that makes things worse within this time is taken back |
//! | `secrets.required` | true | |
//! | `secrets.allow_literals` | true | |
//! | `runtime.workers` | the CPU limit, rounded up | |
//!
//! # Reload
//!
//! The files are watched, and what moves ([`Live`] fields of the app's type; above, what says so) follows them within
//! milliseconds, all or nothing: an error anywhere, or a refusal by anything that follows from a new value, leaves
//! everything as it was. `SIGHUP` asks for a look. Whatever else has changed waits for a restart, and is named.
//!
//! In Kubernetes a changed ConfigMap or Secret reaches its mounted file up to 2 minutes after it was applied: kubelet's
//! sync period and its cache add up, 1 minute each by default. Changing an annotation of the pod makes it sync at once.
//! Files mounted with `subPath` and environment variables never change; of the former a warning says so at start.
//!
//! `GET /admin/config` on the admin port shows it: `generation`, `hash`, `loaded_at`, `last_error` (null once the sources are
//! good again), `pending` and `values` with their sources; secrets are masked. The optional check `config` fails and one line
//! is logged when something is refused. With `config.soak` a new configuration is on trial: it is taken back when 1 % of at
//! least 50 requests fail, and twice as many as in as much time before, or when a critical check that was good turns bad.
//!
//! # Behind a proxy
//!
//! `server.trusted_proxies: [10.0.0.0/8, fd00::/8]` names the proxies whose word counts; `unix` is whoever connects to a
//! Unix socket. Where such a one connects, the addresses in `Forwarded` (RFC 7239) or `X-Forwarded-For` are followed from
//! the last one to the first that is not in the list: that is the client's, whatever stands in front of it. It is
//! [`http::client_addr`], `client.address` in the span and, once there is a list, in the line of each request. `proto` and
//! `host`, or `X-Forwarded-Proto` and `X-Forwarded-Host`, are `url.scheme` and `server.address` of the span. From everybody
//! else these headers mean nothing. What is no address on the way (`unknown`, `_hidden`, not well-formed), and two headers
//! that lead to different addresses, leave the client's address at that of the proxy.
//!
//! ```
//! async fn whoami() -> String {
//!     // known in the handler, not in tasks that it spawns
//!     prodkit::http::client_addr().map_or("nobody".into(), |client| client.to_string())
//! }
//! ```
//!
//! # gRPC
//!
//! tonic's `Routes` are a service as any other, with [`App::http`] or in an axum router; HTTP/2 needs no setting.
//!
//! ```
//! use prodkit::App;
//! use prodkit::http::Body;
//! use tonic::service::Routes;
//! use tower::ServiceBuilder;
//!
//! /// gRPC alone.
//! fn orders(routes: Routes) -> App {
//!     // calls in which the client goes on sending: for as long, and as much, as tonic takes
//!     let unbounded = |request: http::Request<Body>| request.map(Body::unbounded);
//!     App::new().http(ServiceBuilder::new().map_request(unbounded).service(routes))
//! }
//!
#![cfg_attr(feature = "axum", doc = "/// Beside other routes.")]
#![cfg_attr(feature = "axum", doc = "fn both(routes: Routes, router: axum::Router) -> App {")]
#![cfg_attr(feature = "axum", doc = "    App::new().axum(router.merge(routes.into_axum_router()))")]
#![cfg_attr(feature = "axum", doc = "}")]
//! ```
//!
//! A call (`POST` over HTTP/2, content type `application/grpc`) ends as `grpc-status` says: its line has `rpc.service`,
//! `rpc.method` and `rpc.grpc.status_code`, its span is one of the conventions for gRPC, and its `status`, in lines and
//! metrics, is the one of HTTP that says the same: 404 for `NOT_FOUND`, and 500 or more for what the server is to blame for.
//! Its path is its route once a service has begun to answer it, so methods that nobody has are one series. `grpc-timeout`
//! shortens `server.timeout`. What is refused before the service is told so by gRPC's own codes: `DEADLINE_EXCEEDED` when
//! the time is over, `UNAVAILABLE` beyond `server.max_in_flight`, `RESOURCE_EXHAUSTED` beyond `server.max_body_size`,
//! `INTERNAL` for a panic.
//!
//! # TLS
//!
//! With `server.tls.cert` and `server.tls.key` the main port speaks TLS, and nothing else: HTTP/2 and HTTP/1.1 by ALPN. The
//! files are followed, whatever `config.reload` says: a new pair holds for new connections, and no open one notices. A pair
//! that does not fit, or is not valid now, is refused with a line that says why, and the one before stays. The optional
//! check `certificates` fails while that is so, and degrades when less than a tenth of a certificate's life is left (a week
//! at most); `prodkit_tls_certificate_expiry_timestamp_seconds{certificate}` is its end, and
//! `prodkit_tls_certificate_reloads_total{certificate,result}` and `prodkit_tls_handshakes_total{outcome}` count.
//!
//! An `otlp.endpoint` that begins with `https` is spoken to over TLS, with either protocol. The files of `otlp.tls` are
//! followed in the same way: the next export is sent with what they hold now, over a connection of its own, and what is
//! under way ends on the old one.
//!
//! # Secrets
//!
//! A field of type [`Secret`], the app's or one of prodkit's own (`admin.token`, `otlp.headers.*`), is written as where it
//! is: `env:NAME` (or the file that `NAME_FILE` names), `file:/path`, or a list of which the first that exists wins. All are
//! found before the app starts, concurrently; what cannot be had ends the start with exit code 78, all of it named at once.
//! With `secrets.required=false` the service starts without, degraded, and asks on.
//!
//! Files are watched, and a new value is taken when everything that was derived from the old one (`try_map`) has been built
//! from the new one; if not, the old one stays, with the reason in the log, the optional check `secrets`,
//! `prodkit_secret_sources{state="failing"}` and `GET /admin/config`. A reference that changes in the configuration is found
//! before anything of the new configuration is asked for its opinion.
//!
//! With the feature `vault` (or `vault-aws-lc`), `vault:path#field` is looked up in the Vault or OpenBao that `secrets.vault.*`
//! or `VAULT_ADDR` names: leases are renewed and rotate, a Vault that does not answer is waited for up to
//! `secrets.start_timeout`, and the end gives back what was leased. What opens Vault (`secrets.vault.token`, `secret_id`,
//! `jwt`) and the headers of `otlp` cannot be in Vault: they are needed before it is asked.
//!
//! A secret that is written out in a file which everybody can read, or in a flag, gives a warning; with
//! `secrets.allow_literals=false` it is an error. Mind that a variable, unlike a file, can be read from
//! `/proc/self/environ` of the process for as long as it runs, by whoever may be its user, is handed to every child process,
//! and cannot be rotated: prefer files.
//!
//! # Probes
//!
//! On the admin port from the first moment, mirrored on the main port once it is bound; outside of every limit, timeout
//! and log line, answered from memory.
//!
//! | path | 200 while |
//! |---|---|
//! | `/health/startup`, `/startupz` | the app has started |
//! | `/health/live`, `/livez` | the main runtime makes progress; never depends on a check, and stays good while draining |
//! | `/health/ready`, `/readyz` | running, live, and every critical check is good |
//!
//! On the admin port `?verbose` shows each check with its reason, its last transition, its streak and what 99 of 100 runs
//! took; `/health/ready/<check>` asks for one, `/health/group/<group>` for those named together by [`App::health_group`].
//!
//! Liveness is real progress: it fails when the main runtime gives no task a turn for `health.stall`, and when a task that
//! beats ([`Context::heartbeat`]) falls silent; a line names which. Time in which the machine or the CPU quota let nobody run
//! does not count. A handler that blocks its worker does not take the others with it: where it was the one that waits for
//! I/O and timers on behalf of all, another is woken to do so within three tenths of `health.stall`, at most 3 s.
//!
//! # Shutdown
//!
//! SIGTERM, SIGINT, the end of a critical task or [`Context::trigger`] begin it: readiness fails and everything is still
//! served (`shutdown.delay`); the port closes and requests in flight are finished; tasks are told to stop and hooks run,
//! in reverse order of declaration; telemetry is flushed; one line reports it all. A second signal ends it at once.
//!
//! # Exit codes
//!
//! | code | |
//! |---|---|
//! | 0 | everything stopped in order; a signal while starting too |
//! | 1 | `app` or the [job](App::job) failed, or a port could not be bound |
//! | 2 | a second signal |
//! | 3 | the grace period ran out: requests were cut, or tasks or hooks abandoned by name |
//! | 4 | a critical task failed |
//! | 64 | the command line makes no sense |
//! | 78 | the configuration is wrong |
//!
//! # Log level
//!
//! `PUT /admin/log-level?level=info,app=debug&ttl=30m` on the admin port lets another level hold for a while: 10 minutes
//! unless `ttl` says otherwise, 24 hours at most. `GET` shows it, until when it holds (`until`, `seconds`) and what is
//! `configured`; `DELETE` ends it. A reload in between changes what is configured, and that is what holds afterwards. Each
//! change is a line in the log, and so is the end.
//!
//! # Metrics
//!
//! On `/metrics`: `http_requests_total{method,endpoint,status}`, `http_request_duration_seconds`,
//! `http_server_refused_total{reason}` (what the app never saw: `bad_request`, `head_too_large`, `header_timeout`, `shed`, …),
//! `active_connections`, `process_*` (with `process_cpu_limit` and `process_memory_limit_bytes`), `prodkit_build_info`,
//! `prodkit_panics_total`, `prodkit_runtime_*`, `tokio_*`, `prodkit_config_*`, `prodkit_secret_*`, `prodkit_ready`,
//! `prodkit_check_*{check}`, `prodkit_shutdown_*` while it stops, and everything the app records through the `metrics` crate. Over OTLP
//! the same, those of HTTP and of the process by the names of the semantic conventions (`http.server.request.duration`).
//!
//! # Features
//!
//! - `axum`: [`App::axum`], which knows its routes.
//! - `tls`: `server.tls.*` and `otlp.tls.*`, by rustls with ring. `tls-aws-lc`: the same with aws-lc-rs; where both are on, it is used.
//! - `otlp` (default): export over OTLP/HTTP. `otlp-grpc`: and over OTLP/gRPC.
//! - `grpc-health`: `grpc.health.v1` with `Check` and `Watch` on both ports, beside the probes: for `""` and `readiness`,
//!   `liveness`, `startup`, and each group of checks by its name. It stands in front of one that the app serves itself;
//!   `server.probes: false` takes it off the main port.
//! - `schema`: `Host::schema`, and the commands `config sample` and `config schema`. It turns on `serde_json`'s
//!   `preserve_order`, so that keys stand where they are declared.
//!
//! - `systemd`: for `Type=notify` and `Type=notify-reload`, through `NOTIFY_SOCKET`: `READY=1` when the start is over,
//!   `RELOADING=1` for `SIGHUP`, `STOPPING=1` with the grace as `EXTEND_TIMEOUT_USEC`, and as long as liveness is good
//!   `WATCHDOG=1` twice in each `WatchdogSec`. Tested with a datagram socket in the place of systemd.
//!
//! # When not to use it
//!
//! Where another framework owns `main`, the runtime or the signals: take the crates one by one instead, each stands alone.
//! On Windows. For a library: prodkit is for the one binary at the top.

mod address;
mod admin;
mod app;
mod build;
mod certificates;
mod checks;
mod cli;
mod context;
mod debug;
mod environment;
mod error;
mod exit;
mod filter;
mod front;
mod gauges;
mod globals;
mod guard;
mod heartbeat;
mod host;
mod identity;
mod keeper;
mod last_words;
mod lifecycle;
mod load;
mod otlp;
mod port;
mod propagation;
mod reload;
mod report;
mod requests;
#[cfg(feature = "axum")]
mod router;
#[cfg(feature = "schema")]
mod sample;
#[cfg(feature = "schema")]
mod schema;
mod settings;
mod shown;
mod soak;
mod stall;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod systemd;
#[cfg(not(all(feature = "systemd", target_os = "linux")))]
#[path = "systemd/absent.rs"]
mod systemd;
mod telemetry;
mod vitals;
mod watch;

pub use app::App;
pub use build::Build;
pub use context::{Context, NoConfig};
pub use heartbeat::Heartbeat;
pub use host::{Host, run};
#[doc(inline)]
pub use prodkit_live::Live;
#[doc(inline)]
pub use prodkit_secrets::Secret;
#[doc(inline)]
pub use prodkit_shutdown::Stop;

/// Any error, as `app`, checks and tasks may return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Types for configurations: durations, sizes.
pub mod config {
    pub use prodkit_config::{Bytes, duration};
}

/// Checks and what they mean for readiness.
pub mod health {
    pub use prodkit_health::{Check, Importance, InitHold, Reporter};
}

/// The server's side of HTTP.
pub mod http {
    pub use prodkit_http::{Body, ReadTimeout, client_addr, peer_addr, set_route};
}

/// What a [`Secret`] holds, and how one is written.
pub mod secrets {
    pub use prodkit_secrets::{SecretRef, SecretValue};
}

/// Tasks, and the pauses between their restarts.
pub mod tasks {
    pub use prodkit_tasks::{Backoff, TaskResult};
}

/// The bridge to the `opentelemetry` API. **Unstable**: its types are those of the OpenTelemetry crates, whose every minor
/// release breaks.
#[cfg(feature = "otlp")]
pub mod otel {
    pub use prodkit_otlp::otel::{OpenTelemetrySpanExt, context};
}

/// The trace of the running work, and how to take it along into a spawned task.
pub mod trace {
    pub use prodkit_trace::{
        Baggage, Companion, FutureExt, Propagators, TraceContext, current, current_baggage, inject,
    };
}
