//! The story of the process, from settings to exit code.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::FutureExt as _;
use prodkit_config::Loaded;
use prodkit_health::Health;
use prodkit_http::{Drain, Listener};
use prodkit_process::Limits;
use prodkit_secrets::Secrets;
use prodkit_shutdown::{Budget, Cause, Plan, Stop, Trigger, channel};
use prodkit_tasks::{Running, TaskGroup};
use prodkit_trace::{Arrival, FutureExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::admin::{Admin, Caught, Exposition, Watched};
use crate::app::{App, Job, Mount};
use crate::certificates::Certificates;
use crate::checks;
use crate::cli::Sources;
use crate::context::{Context, Process};
use crate::environment::Environment;
use crate::error::{StartError, chain};
use crate::exit::Exit;
use crate::gauges::Gauges;
use crate::globals;
use crate::heartbeat::Heartbeats;
use crate::identity::Identity;
use crate::keeper::{self, Keeper, SecretErrors};
use crate::last_words::LastWords;
use crate::load;
use crate::port::{self, Port, Secured};
use crate::propagation;
use crate::reload::{Answers, Reloading};
use crate::report::Report;
use crate::requests;
use crate::settings::Settings;
use crate::stall::{Progress, Pulse};
use crate::telemetry::Telemetry;
use crate::vitals::Vitals;
use crate::watch::{self, Told};
use crate::{BoxError, Host};

/// How long infrastructure, which waits for nothing, may take to stop.
const INFRASTRUCTURE: Duration = Duration::from_millis(250);

/// Runs `app` to its end.
pub(crate) fn run<C, F, Fut, E>(host: &Host, environment: &Environment, sources: &Sources, app: F) -> Exit
where
    C: DeserializeOwned + Send + Sync + 'static,
    F: FnOnce(Context<C>) -> Fut,
    Fut: Future<Output = Result<App, E>>,
    E: Into<BoxError>,
{
    // Until signals are caught SIGTERM kills on the spot.
    let caught = match Caught::now() {
        Ok(caught) => caught,
        Err(error) => return host.fail(&error),
    };
    let load::Watched { loaded, reload, secrets } = match load::watched::<C>(sources, environment) {
        Ok(loaded) => loaded,
        Err(errors) => {
            // Where the words go is not known from settings that could not be read.
            LastWords::new(None, environment).write(&format!("exit {}: {errors}", Exit::Config as i32));
            return host.refuse(&errors);
        }
    };
    let Loaded { settings, config, warnings, .. } = loaded;
    let reloading = Reloading::new(reload, &settings);
    let identity = Identity::new(host.build, &settings.service, std::env::current_exe().ok().as_deref());
    let mut certificates = Certificates::new(settings.config.poll);
    let started = Telemetry::start(&settings, &identity, environment, &host.buckets, &mut certificates);
    let (telemetry, log) = match started {
        Ok(started) => started,
        Err(error) => return host.fail(&error),
    };
    if let Err(error) = globals::install(&telemetry, log) {
        // Whatever subscriber the program has, it may be going nowhere.
        let exit = host.fail(&error);
        telemetry.close();
        return exit;
    }
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    secrets.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    telemetry.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let exit = port::secured(&settings, certificates, &secrets)
        .and_then(|secured| {
            let configuration = Configuration { config, reloading, secured, secrets };
            live(&identity, environment, &settings, &telemetry, caught, configuration, app)
        })
        .unwrap_or_else(|error| {
            tracing::error!(error = chain(&error), "failed to start");
            telemetry.last_words.write(&format!(
                "exit {}: failed to start: {}",
                error.exit() as i32,
                chain(&error)
            ));
            error.exit()
        });
    telemetry.close();
    exit
}

fn live<C, F, Fut, E>(
    identity: &Identity,
    environment: &Environment,
    settings: &Settings,
    telemetry: &Telemetry,
    caught: Caught,
    configuration: Configuration<C>,
    app: F,
) -> Result<Exit, StartError>
where
    C: DeserializeOwned + Send + Sync + 'static,
    F: FnOnce(Context<C>) -> Fut,
    Fut: Future<Output = Result<App, E>>,
    E: Into<BoxError>,
{
    let limits = Limits::read();
    let workers = settings.runtime.workers.unwrap_or_else(|| limits.workers());
    let plan = plan(settings, environment);
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }

    // The deadline, probes and metrics come before anything that may be slow.
    let (trigger, stop) = channel();
    let health = Health::new(health_settings(settings, identity), std::time::Instant::now());
    let (pulse, heartbeats) = (Pulse::default(), Heartbeats::default());
    let gauges = Gauges::new(telemetry, limits, health.clone()).watched();
    let admin = Admin::start(
        caught,
        &settings.admin,
        Watched {
            health: health.clone(),
            progress: Progress {
                pulse: pulse.clone(),
                stall: settings.health.stall,
                heartbeats: heartbeats.clone(),
                health: health.clone(),
            },
            last_words: telemetry.last_words.clone(),
            supervisor: telemetry.supervisor.clone(),
            trigger: trigger.clone(),
            plan: plan.clone(),
            log: telemetry.log.clone(),
            exposition: Exposition {
                recorder: telemetry.metrics.clone(),
                pushed: telemetry.pushes_metrics(),
                scrapes: AtomicU64::new(0),
            },
            configured: configuration.reloading.configured(),
            debug: telemetry.debug.clone(),
            secrets: configuration.secrets.secrets(),
        },
    )?;

    tracing::info!(
        service = identity.name,
        version = identity.version,
        workers,
        cpu_limit = limits.cpu,
        memory_limit_bytes = limits.memory,
        grace = ?plan.grace(),
        admin = %admin.address,
        "starting"
    );

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.get())
        .thread_name("prodkit-worker")
        .enable_all()
        .build()
        .map_err(|error| StartError::setup("the main runtime")(error.into()))?;
    gauges.watch(runtime.handle().clone());

    let started_by = propagation::of_the_process(telemetry.propagators, environment);
    let story = Story {
        settings,
        telemetry,
        plan,
        health,
        pulse,
        heartbeats,
        admin: &admin,
        trigger,
        stop,
        started_by,
        secrets: configuration.secrets.secrets(),
    };
    let (exit, report) = runtime.block_on(story.tell(configuration, app));
    // What user code still blocks is left behind, not waited for.
    runtime.shutdown_background();
    report.write(exit, telemetry);
    admin.close();
    Ok(exit)
}

/// What the app gets, and what keeps it up to date.
struct Configuration<C> {
    config: C,
    reloading: Reloading<C>,
    secured: Secured,
    secrets: Keeper,
}

/// What every chapter of the story needs.
struct Story<'a> {
    settings: &'a Settings,
    telemetry: &'a Telemetry,
    plan: Plan,
    health: Health,
    pulse: Pulse,
    heartbeats: Heartbeats,
    admin: &'a Admin,
    trigger: Trigger,
    stop: Stop,
    started_by: Arrival,
    secrets: Secrets,
}

/// The parts that run, from ready until stopped.
struct Service {
    server: Option<Port>,
    job: Option<Job>,
    steps: Running,
    infrastructure: Running,
}

impl Story<'_> {
    async fn tell<C, F, Fut, E>(self, configuration: Configuration<C>, app: F) -> (Exit, Report)
    where
        C: DeserializeOwned + Send + Sync + 'static,
        F: FnOnce(Context<C>) -> Fut,
        Fut: Future<Output = Result<App, E>>,
        E: Into<BoxError>,
    {
        let started = self.start(configuration, app).await;
        if let Ok(Some(mut service)) = started {
            self.serve(&mut service).await;
            return self.end(Some(service), None).await;
        }
        let failure = started.err();
        if let Some(error) = &failure {
            tracing::error!(error = chain(error), "failed to start");
            self.trigger.fire(Cause::requested("a failed start"));
        }
        self.end(None, failure).await
    }

    /// `app` decides what to run; everything is bound before anything starts. `None` after a signal.
    async fn start<C, F, Fut, E>(
        &self,
        configuration: Configuration<C>,
        app: F,
    ) -> Result<Option<Service>, StartError>
    where
        C: DeserializeOwned + Send + Sync + 'static,
        F: FnOnce(Context<C>) -> Fut,
        Fut: Future<Output = Result<App, E>>,
        E: Into<BoxError>,
    {
        let starting = self.health.hold("app", std::time::Instant::now());
        let process = Process {
            health: self.health.clone(),
            trigger: self.trigger.clone(),
            stop: self.stop.clone(),
            heartbeats: self.heartbeats.clone(),
        };
        let Configuration { config, reloading, secured, secrets } = configuration;
        match self.stop.run_until_stopped(self.find(&secrets)).await {
            None => return Ok(None),
            Some(found) => found.map_err(StartError::Secrets)?,
        }
        let context = Context::new(config, Arc::new(process));
        // Kept for as long as an error may quote its secrets.
        let config = context.config();
        let answer = self.in_its_trace(async { app(context).await });
        let answer = AssertUnwindSafe(answer).catch_unwind();
        let app = match self.stop.run_until_stopped(answer).await {
            None => return Ok(None),
            Some(Err(_panic)) => return Err(StartError::Panic),
            Some(Ok(answer)) => answer.map_err(|error| StartError::App(secrets.masked(error.into())))?,
        };
        drop(config);

        let App { mounts, steps, checks, groups, mut jobs } = app;
        let job = jobs.pop();
        if let (Some(Job { name, .. }), Some(other)) = (&job, jobs.first()) {
            let (one, other) = (other.name, name);
            return Err(StartError::Misuse(format!(
                "the app has two jobs, {one} and {other}: call App::job once"
            )));
        }
        let listener = match mounts.len() {
            0 => None,
            1 => Some(port::bind(&self.settings.server, &secured).await?),
            _ => {
                return Err(StartError::Misuse(
                    "the app serves HTTP twice: call App::http or App::axum once".to_owned(),
                ));
            }
        };
        let address = listener.as_ref().map(ToString::to_string);

        let mut infrastructure = TaskGroup::new().task("heartbeat", {
            let (pulse, stall) = (self.pulse.clone(), self.settings.health.stall);
            move |stop| pulse.beat(stall, stop)
        });
        let answers = reloading.answers();
        infrastructure =
            infrastructure.task("config", reloading.task(secrets.secrets(), &self.health, self.telemetry)?);
        infrastructure =
            infrastructure.task("secrets", keeper::task(secrets.secrets(), &self.health, self.telemetry)?);
        #[cfg(feature = "__tls")]
        if let Some(task) = secured.certificates.task(&self.health, &self.telemetry.metrics)? {
            infrastructure = infrastructure.task("certificates", task);
        }
        infrastructure =
            checks::add_all(infrastructure, checks, groups, &self.settings.health, &self.health)?;
        let mut server = None;
        if let Some((listener, mount)) = listener.zip(mounts.into_iter().next()) {
            let (handle, driver) = self.server(listener, mount, answers);
            infrastructure = infrastructure.task("http", move |_| driver);
            server = Some(handle);
        }
        let service = Service { server, job, infrastructure: begin(infrastructure)?, steps: begin(steps)? };
        tracing::info!(server = address, admin = %self.admin.address, "started");
        drop(starting);
        self.health.started(std::time::Instant::now());
        Ok(Some(service))
    }

    /// As part of the trace this process was started in, if any. What `app` declares is a part of it, too.
    async fn in_its_trace<T>(&self, work: impl Future<Output = T>) -> T {
        match self.started_by.context {
            Some(context) => work.in_trace(context).with_companion(self.started_by.companion.clone()).await,
            None => work.await,
        }
    }

    fn told(&self) -> Told {
        Told {
            metrics: self.telemetry.metrics.clone(),
            supervisor: self.telemetry.supervisor.clone(),
            grace: self.plan.grace(),
        }
    }

    /// The startup probe names what the start waits for.
    async fn find(&self, secrets: &Keeper) -> Result<(), SecretErrors> {
        let _hold = self.health.hold("secrets", std::time::Instant::now());
        secrets.start().await
    }

    fn server(
        &self,
        listener: Listener,
        mount: Mount,
        answers: Option<Arc<Answers>>,
    ) -> (Port, impl Future<Output = ()> + Send + use<>) {
        let ((polite, politely), (close, closed), (abort, aborted)) = (channel(), channel(), channel());
        let vitals = self.settings.server.probes.then(|| Vitals::public(self.health.clone()).until(&closed));
        let observe = requests::observe(self.settings, self.telemetry, answers);
        let service = mount(vitals, observe, self.settings.server.max_body_size.count());
        let drain = Drain::new(politely, closed, aborted).window(self.plan.delay());
        let serving = prodkit_http::serve(listener, service, requests::limits(&self.settings.server), drain)
            .recorder(&self.telemetry.metrics);
        let (tell, drained) = oneshot::channel();
        let driver = async move {
            // Nobody listens any more when the deadline has passed.
            let _ = tell.send(serving.await);
        };
        (Port { polite, close, abort, drained }, driver)
    }

    /// Until somebody asks for the end, or a critical task brings it about.
    async fn serve(&self, service: &mut Service) {
        tokio::select! {
            biased;
            () = self.stop.stopped() => {}
            name = done(&mut service.job) => drop(self.trigger.fire(Cause::requested(format!("the end of {name}")))),
            (task, _) = service.steps.failed() => drop(self.trigger.fire(Cause::task_failed(task))),
            (task, _) = service.infrastructure.failed() => drop(self.trigger.fire(Cause::task_failed(task))),
        }
    }

    /// In the order that loses nothing, each step inside its budget. `failure` is why the end began before the start was over.
    async fn end(self, service: Option<Service>, failure: Option<StartError>) -> (Exit, Report) {
        let begun = Instant::now();
        let cause = self.stop.cause().cloned().unwrap_or_else(|| Cause::requested("nobody"));
        let serving = service.as_ref().is_some_and(|service| service.server.is_some());
        let job = service.as_ref().and_then(|service| service.job.as_ref()).map(|job| job.name);
        let deadlines = self.plan.begin(begun, &cause, serving);
        let mut report = Report::begin(cause.clone(), begun, job);
        tracing::info!(%cause, delay = ?deadlines.delay() - begun, "stopping");

        // Not ready, but served as before: balancers take their time to find out.
        self.health.draining(std::time::Instant::now());
        if let Some(Service { server, steps, infrastructure, job: _ }) = service {
            if let Some(server) = server {
                server.polite.fire(cause.clone());
                report.delay(sleep_until(deadlines.delay())).await;
                server.close.fire(cause.clone());
                report.drain(server.drain(deadlines)).await;
            }
            // Tasks and hooks, the last declared first; an error in one keeps no other from its turn.
            report.tasks(steps.stop(&cause, deadlines.tasks(Instant::now()))).await;
            infrastructure.stop(&cause, Instant::now() + INFRASTRUCTURE).await;
        }
        // A start that failed may have leased something, too.
        keeper::close(&self.secrets, deadlines.tasks(Instant::now())).await;
        self.health.stopped(std::time::Instant::now());
        watch::tell_all(&self.health, &self.told());
        report.record(&self.telemetry.metrics);
        report.flush(self.telemetry, deadlines.flush(Instant::now())).await;
        let exit = failure.as_ref().map_or_else(|| report.exit(), StartError::exit);
        report.failure = failure.map(|error| chain(&error));
        (exit, report)
    }
}

/// Waits for the job, if there is one, to end well; what ends badly is told as a task that failed.
async fn done(job: &mut Option<Job>) -> &'static str {
    if let Some(Job { name, done }) = job
        && done.await.is_ok()
    {
        return name;
    }
    std::future::pending().await
}

fn begin(group: TaskGroup) -> Result<Running, StartError> {
    group.start().map_err(|error| StartError::setup("the tasks")(error.into()))
}

fn health_settings(settings: &Settings, identity: &Identity) -> prodkit_health::Settings {
    let mut health = settings.health.rules();
    health.service = Some(identity.name.clone());
    health.version.clone_from(&identity.version);
    health
}

fn plan(settings: &Settings, environment: &Environment) -> Plan {
    let period = environment.termination_grace_period().unwrap_or_else(|text| {
        tracing::warn!("TERMINATION_GRACE_PERIOD_SECONDS is {text:?}, not a whole number of seconds, and counts as unknown");
        None
    });
    Budget::default()
        .kubernetes(environment.in_kubernetes())
        .termination_grace_period(period)
        .grace(settings.shutdown.grace)
        .delay(settings.shutdown.delay)
        .flush(settings.shutdown.flush)
        .plan()
}
