//! What the process does, as a value.

use std::future::Future;
use std::pin::Pin;

use http::{Request, Response};
use prodkit_http::{Body, Observe, Service};
use prodkit_shutdown::Stop;
use prodkit_tasks::{Backoff, TaskGroup, TaskResult};
use prodkit_trace::{Companion, FutureExt as _, TraceContext};

use tokio::sync::oneshot;

use crate::BoxError;
use crate::front::Front;
use crate::vitals::Vitals;

/// What the process does: its HTTP service, its tasks, its checks and what it closes at the end.
///
/// A plain value that does nothing until [`run`](fn@crate::run) receives it. Tasks start, and tasks and hooks together
/// end, by their order here: what is declared first starts first and ends **last**, so declare a pool before the task
/// that uses it.
///
/// ```
/// use axum::{Router, routing::get};
/// use prodkit::App;
///
/// let app = App::new()
///     .axum(Router::new().route("/", get(async || "hello")))
///     .task("ticker", async |stop| {
///         // work until told to stop
///         stop.stopped().await;
///     })
///     .check("disk", async || std::fs::metadata("/tmp").map(drop))
///     .on_shutdown("goodbye", async || println!("bye"));
/// # drop(app);
/// ```
#[must_use = "an App does nothing until `prodkit::run` receives it: return it"]
#[derive(Default)]
pub struct App {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) steps: TaskGroup,
    pub(crate) checks: Vec<Check>,
    pub(crate) groups: Vec<Group>,
    pub(crate) jobs: Vec<Job>,
}

/// Puts the observability layer around the user's service, and the probes in front of both, once all are there.
pub(crate) type Mount = Box<dyn FnOnce(Option<Vitals>, Observe, BodyLimit) -> Service + Send>;

/// How large a request's body may be, for routers that have an opinion of their own.
pub(crate) type BodyLimit = u64;

pub(crate) type CheckFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) kind: prodkit_health::Check,
    pub(crate) run: Box<dyn Fn() -> CheckFuture + Send + Sync>,
}

/// What the process is there for, and how it is told that it is done.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) done: oneshot::Receiver<()>,
}

/// Checks that are asked for together.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) checks: Vec<&'static str>,
}

impl App {
    /// An app that does nothing: a valid service, with probes and metrics, that waits for its signal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves HTTP on the main port with any tower service: axum's `Router`, tonic's `Routes`, `tower::service_fn`.
    ///
    /// Metrics and logs name a route only where the service sets one with
    /// [`http::set_route`](prodkit_http::set_route); for axum use [`axum`](Self::axum), which knows them.
    /// Serving twice is an error at start.
    pub fn http<S, B>(mut self, service: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        self.mounts.push(Box::new(|vitals, observe, _| {
            Service::new(Front::new(vitals, tower::Layer::layer(&observe, service)))
        }));
        self
    }

    /// Serves an axum `Router` on the main port, with the template of the matched route (`/orders/{id}`) as label.
    // Inlined, so that all that a request passes through is compiled with the app, and as the app is: where this crate is
    // made small, it is not.
    #[cfg(feature = "axum")]
    #[inline]
    pub fn axum(mut self, router: axum::Router) -> Self {
        self.mounts.push(Box::new(|vitals, observe, body_limit| {
            Service::new(Front::new(vitals, crate::router::observed(router, observe, body_limit)))
        }));
        self
    }

    /// Runs `task` beside the service until it is told to stop.
    ///
    /// It ends well by returning `()` or `Ok(())`. An error or a panic is critical: the whole process drains and exits
    /// with 4, for Kubernetes to restart it; use [`supervise`](Self::supervise) for work that may be restarted alone.
    pub fn task<F, Fut>(mut self, name: &'static str, task: F) -> Self
    where
        F: FnOnce(Stop) -> Fut + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        let here = Here::now();
        self.steps = self.steps.task(name, move |stop| here.run(async move { task(stop).await }));
        self
    }

    /// Runs `task` as [`task`](Self::task) does, and starts it again, after a pause, whenever it fails or panics.
    pub fn supervise<F, Fut>(mut self, name: &'static str, backoff: Backoff, task: F) -> Self
    where
        F: FnOnce(Stop) -> Fut + Clone + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        let here = Here::now();
        self.steps =
            self.steps.supervise(name, backoff, move |stop| here.run(async move { task(stop).await }));
        self
    }

    /// Runs `job` once; when it is done the process stops in order, as after a signal, and exits: 0 when it ended well, 1
    /// after an error or a panic. For a migration, a cron job, a batch; with probes, metrics, logs and a flush like any service.
    ///
    /// A signal tells it to stop; it has the grace period to end. A second job is an error at start.
    ///
    /// ```
    /// # use prodkit::{App, BoxError, Context};
    /// async fn app(_: Context) -> Result<App, BoxError> {
    ///     Ok(App::new().job("migrate", async |_stop| {
    ///         // one step after the other
    ///         Ok::<(), BoxError>(())
    ///     }))
    /// }
    /// ```
    pub fn job<F, Fut>(mut self, name: &'static str, job: F) -> Self
    where
        F: FnOnce(Stop) -> Fut + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        let (tell, done) = oneshot::channel();
        self.jobs.push(Job { name, done });
        self.steps = self.steps.task(name, async move |stop| {
            let result = job(stop).await.into_result();
            if result.is_ok() {
                // Nobody listens any more when the process stops already.
                let _ = tell.send(());
            }
            result
        });
        self
    }

    /// Makes readiness depend on `check`, which runs in the background and never on a probe's request.
    ///
    /// See [`check_with`](Self::check_with) for dependencies that should only degrade.
    pub fn check<F, Fut, E>(self, name: &'static str, check: F) -> Self
    where
        F: FnOnce() -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.check_with(name, prodkit_health::Check::critical(), check)
    }

    /// As [`check`](Self::check), with its own period, timeout, thresholds, and what a failure means: not ready
    /// (critical), or only degraded (optional; shared, for a dependency all replicas have in common).
    pub fn check_with<F, Fut, E>(mut self, name: &'static str, kind: prodkit_health::Check, check: F) -> Self
    where
        F: FnOnce() -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let run = move || -> CheckFuture {
            let running = check.clone()();
            Box::pin(async { running.await.map_err(Into::into) })
        };
        self.checks.push(Check { name, kind, run: Box::new(run) });
        self
    }

    /// Names some checks together: `/health/group/<name>` on the admin port says whether they alone let the service be ready.
    ///
    /// For a part of a service that is deployed or routed by itself; give the group the full name of a gRPC service and it is
    /// the health of that. Settings may add more (`health.groups`). A check that does not exist is an error at start.
    pub fn health_group(
        mut self,
        name: &'static str,
        checks: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        self.groups.push(Group { name, checks: checks.into_iter().collect() });
        self
    }

    /// Runs `hook` once at the end, after the requests have drained: close a pool, leave a cluster.
    ///
    /// An error, a panic or a hang is reported and does not keep the other hooks from running.
    pub fn on_shutdown<F, Fut>(mut self, name: &'static str, hook: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        let here = Here::now();
        self.steps = self.steps.on_shutdown(name, move || here.run(async move { hook().await }));
        self
    }
}

/// The trace in which a step was declared: a job's steps are part of whoever started it.
#[derive(Clone)]
struct Here {
    context: Option<TraceContext>,
    companion: Option<Companion>,
}

impl Here {
    fn now() -> Self {
        Self { context: prodkit_trace::current(), companion: prodkit_trace::current_companion() }
    }

    async fn run<F: Future>(self, work: F) -> F::Output {
        match self.context {
            Some(context) => work.in_trace(context).with_companion(self.companion).await,
            None => work.await,
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let checks: Vec<_> = self.checks.iter().map(|check| check.name).collect();
        f.debug_struct("App")
            .field("http", &!self.mounts.is_empty())
            .field("checks", &checks)
            .finish_non_exhaustive()
    }
}
