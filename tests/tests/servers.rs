//! Software nobody here wrote reads what prodkit says.

use std::error::Error;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_e2e::tools::{self, Foreign, Outcome, with, with_python};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

fn main() -> ExitCode {
    tools::run(vec![
        with("promtool", "promtool_accepts_the_metrics", promtool_accepts_the_metrics),
        with_python(
            "prometheus_client",
            "a_foreign_parser_takes_openmetrics",
            a_foreign_parser_takes_openmetrics,
        ),
        with("prometheus", "prometheus_scrapes_and_answers_queries", prometheus_scrapes_and_answers_queries),
        with(
            "prometheus",
            "prometheus_has_native_histograms_and_exemplars",
            prometheus_has_native_histograms_and_exemplars,
        ),
        with_python(
            "opentelemetry.proto",
            "a_foreign_decoder_reads_traces_and_metrics",
            a_foreign_decoder_reads_traces_and_metrics,
        ),
        with_python(
            "grpc_health",
            "a_foreign_client_checks_and_watches",
            a_foreign_client_checks_and_watches,
        ),
        with("slowhttptest", "slow_heads_keep_nobody_out", |tool| slow_clients(&tool, "-H -i 1", "/")),
        with("slowhttptest", "slow_bodies_keep_nobody_out", |tool| {
            slow_clients(&tool, "-B -i 1 -s 1000000", "/echo")
        }),
        with("slowhttptest", "slow_readers_keep_nobody_out", |tool| {
            slow_clients(&tool, "-X -w 512 -y 1024 -n 1 -z 32 -k 3", "/large")
        }),
    ])
}

/// A service with some requests behind it.
fn service(settings: &[&str]) -> Result<(Service, SocketAddr, TempDir), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut service = Service::start(FIXTURE, folder.path(), settings, &[])?;
    let (main, admin) = service.ready().ok_or("never ready")?;
    for path in ["/", "/", "/nowhere", "/panic"] {
        get(main.ok_or("does not serve")?, path)?;
    }
    Ok((service, admin, folder))
}

/// Three times as many slow clients as there are places. Until every one of them has been cut, others get their places
/// and probes of either port are answered.
fn slow_clients(slowhttptest: &Path, mode: &str, path: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let settings = [
        "server.max_connections=100",
        "server.first_byte_timeout=1s",
        "server.header_timeout=1s",
        "server.read_timeout=1s",
        "server.write_timeout=1s",
        "server.idle_timeout=1s",
    ];
    let mut service = Service::start(FIXTURE, folder.path(), &settings, &[])?;
    let (main, admin) = service.ready().ok_or("never ready")?;
    let main = main.ok_or("does not serve")?;
    // -c: clients, -r: that many a second, -l: for so many seconds
    let mut attack = Command::new(slowhttptest);
    attack.args(mode.split(' ')).args(["-c", "300", "-r", "300", "-l", "240"]);
    attack.args(["-u", &format!("http://{main}{path}")]).stdout(Stdio::null()).stderr(Stdio::null());
    let _attack = Foreign::spawn(&mut attack)?;
    let (mut most, until) = (0.0, Instant::now() + DEADLINE);
    loop {
        for (port, path) in
            [(admin, "/health/live"), (admin, "/health/ready"), (main, "/health/ready"), (main, "/")]
        {
            let status = get(port, path)?.status;
            if status != 200 {
                return Err(format!("{port}{path}: {status}").into());
            }
        }
        let open = open_connections(admin)?;
        most = open.max(most);
        if most > 50.0 && open < 10.0 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{open} connections are open, and {most} were").into());
        }
    }
}

fn open_connections(admin: SocketAddr) -> Result<f64, Box<dyn Error>> {
    let metrics = get(admin, "/metrics")?.text();
    let gauge = metrics.lines().find_map(|line| line.strip_prefix("active_connections "));
    Ok(gauge.ok_or("no gauge")?.parse()?)
}

fn promtool_accepts_the_metrics(promtool: PathBuf) -> Outcome {
    let (_service, admin, _folder) = service(&[])?;
    let text = get(admin, "/metrics")?.body;
    // `active_connections` is a gauge the guide names; promtool has no quarrel with it
    match said(Command::new(promtool).args(["check", "metrics"]), &text)? {
        said if said.is_empty() => Ok(()),
        said => Err(said.into()),
    }
}

/// The parser of OpenMetrics that its authors wrote.
fn a_foreign_parser_takes_openmetrics(python: PathBuf) -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut service = Service::start(FIXTURE, folder.path(), &[], &[])?;
    let (main, admin) = service.ready().ok_or("never ready")?;
    let sampled = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let mut main = Connection::open(main.ok_or("does not serve")?)?;
    for path in ["/", "/nowhere"] {
        main.request("GET", path, &sampled, b"")?;
    }
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let text = Connection::open(admin)?.request("GET", "/metrics", &accept, b"")?.body;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/openmetrics.py");
    let said = said(Command::new(python).arg(script), &text)?;
    let parsed: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let named = |name: &str| parsed.iter().find(|family| family["name"] == name).ok_or_else(|| said.clone());
    let durations = named("http_request_duration_seconds")?;
    let good = durations["type"] == "histogram"
        && durations["unit"] == "seconds"
        && durations["exemplars"][0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
        && named("http_requests")?["type"] == "counter"
        && named("process_cpu_seconds")?["samples"] == 1
        && named("active_connections")?["type"] == "gauge";
    if good { Ok(()) } else { Err(said.into()) }
}

/// What a program says to this input, on both of its outputs; it has to be content.
fn said(program: &mut Command, input: &[u8]) -> Result<String, Box<dyn Error>> {
    let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = piped.spawn()?;
    running.stdin.take().ok_or("no standard input")?.write_all(input)?;
    let output = running.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(said.into_owned())
    } else {
        Err(format!("{}: {said}", output.status).into())
    }
}

/// A Prometheus that scrapes one service.
struct Prometheus {
    port: SocketAddr,
    _process: Foreign,
}

impl Prometheus {
    /// Runs with these features, and has scraped once.
    fn start(
        program: PathBuf,
        admin: SocketAddr,
        folder: &TempDir,
        features: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("prometheus.yml");
        let scrape = format!(
            "scrape_configs:\n- job_name: fixture\n  scrape_interval: 1s\n  static_configs: [{{targets: ['{admin}']}}]\n"
        );
        std::fs::write(&config, scrape)?;
        let process = Foreign::spawn(
            Command::new(program)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
                .arg(format!("--web.listen-address={port}"))
                .arg(format!("--enable-feature={features}"))
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        let prometheus = Self { port, _process: process };
        prometheus.until("a scrape", || (prometheus.query("up") == Some(1.0)).then_some(()))?;
        Ok(prometheus)
    }

    fn ask(&self, path: &str) -> Option<Value> {
        serde_json::from_slice(&get(self.port, path).ok()?.body).ok()
    }

    /// The value of the first series; braces and quotes percent-encoded.
    fn query(&self, expression: &str) -> Option<f64> {
        let answer = self.ask(&format!("/api/v1/query?query={expression}"))?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// Waits for what comes with a scrape.
    fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> Result<T, Box<dyn Error>> {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = found() {
                return Ok(found);
            }
            if Instant::now() > until {
                return Err(format!("Prometheus never had {what}").into());
            }
            thread::park_timeout(Duration::from_millis(100));
        }
    }
}

fn prometheus_scrapes_and_answers_queries(prometheus: PathBuf) -> Outcome {
    let (_service, admin, folder) = service(&[])?;
    let prometheus = Prometheus::start(prometheus, admin, &folder, "exemplar-storage")?;
    let good = prometheus.query("sum(http_requests_total%7Bendpoint=%22/%22,status=%22200%22%7D)");
    let errors = prometheus.query("sum(http_requests_total%7Bstatus=~%225..%22%7D)");
    let timed = prometheus.query("sum(http_request_duration_seconds_count)");
    match (good, errors, timed) {
        (Some(2.0), Some(1.0), Some(4.0)) => Ok(()),
        other => Err(format!("Prometheus answers {other:?}").into()),
    }
}

/// With exponential buckets it has native histograms, and with either kind the trace of a request that was sampled.
fn prometheus_has_native_histograms_and_exemplars(prometheus: PathBuf) -> Outcome {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    for (native, program) in [(true, prometheus.clone()), (false, prometheus)] {
        let (service, admin, folder) = service(&[&format!("metrics.native_histograms={native}")])?;
        let started = service.seen().iter().find_map(|line| line["server"].as_str()?.parse().ok());
        let main: SocketAddr = started.ok_or("does not serve")?;
        let caller = format!("00-{TRACE}-b7ad6b7169203331-01");
        Connection::open(main)?.request("GET", "/", &[("traceparent", &caller)], b"")?;
        let features = if native { "exemplar-storage,native-histograms" } else { "exemplar-storage" };
        let prometheus = Prometheus::start(program, admin, &folder, features)?;
        let of = "http_request_duration_seconds%7Bendpoint=%22/%22%7D";
        let whole = prometheus.query(&format!("histogram_count({of})"));
        let below_a_minute = prometheus.query(&format!("histogram_fraction(0,60,{of})"));
        let expected = native.then_some(());
        if (whole, below_a_minute) != (expected.map(|()| 3.0), expected.map(|()| 1.0)) {
            return Err(format!("native {native}: {whole:?} {below_a_minute:?}").into());
        }
        let series =
            if native { "http_request_duration_seconds" } else { "http_request_duration_seconds_bucket" };
        let path = format!("/api/v1/query_exemplars?query={series}&start=0&end=4102444800");
        let found = prometheus.until("the exemplar", || {
            let answer = prometheus.ask(&path)?;
            answer["data"][0]["exemplars"][0]["labels"]["trace_id"].as_str().map(str::to_owned)
        })?;
        if found != TRACE {
            return Err(format!("native {native}: the trace is {found}").into());
        }
    }
    Ok(())
}

fn a_foreign_decoder_reads_traces_and_metrics(python: PathBuf) -> Outcome {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/otlp_sink.py");
    let mut sink = Foreign::spawn(Command::new(python).arg(script).stdout(Stdio::piped()))?;
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(sink.stdout().ok_or("no output")?));
    let address = lines.next().ok_or("the sink did not start")??;

    let endpoint = format!("otlp.endpoint=http://{address}");
    let settings = [endpoint.as_str(), "otlp.sampling_ratio=1", "otlp.logs=true", "service.name=decoded"];
    let (mut service, _admin, _folder) = service(&settings)?;
    service.signal(Signal::TERM)?;
    if service.wait()?.code() != Some(0) {
        return Err(format!("{:#?}", service.seen()).into());
    }
    drop(get(address.parse()?, "/stop"));
    let received: Vec<Value> =
        lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect();
    let of = |signal: &str| received.iter().filter(|item| item["signal"] == signal).collect::<Vec<_>>();

    let spans = of("traces");
    let server: Vec<_> = spans.iter().filter(|span| span["kind"] == 2).collect();
    let named = |name: &str| server.iter().filter(|span| span["name"] == name).count();
    if (server.len(), named("GET /"), named("GET /panic")) != (4, 2, 1) {
        return Err(format!("spans: {spans:#?}").into());
    }
    if !of("metrics").iter().any(|metric| {
        metric["name"] == "http.server.request.duration"
            && metric["attributes"]["http.response.status_code"].is_string()
    }) {
        return Err(format!("metrics: {:#?}", of("metrics")).into());
    }
    if !of("logs").iter().any(|log| log["body"] == "ready") {
        return Err(format!("logs: {:#?}", of("logs")).into());
    }
    if received.iter().any(|item| item["service"] != "decoded") {
        return Err("a resource without service.name".into());
    }
    Ok(())
}

/// The client of grpcio-health-checking, on both ports, through a change of a check and an orderly end.
fn a_foreign_client_checks_and_watches(python: PathBuf) -> Outcome {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("ways.yaml"), "ways: [serve, check-handed]")?;
    let config = ["--config", "ways.yaml"];
    let settings =
        ["health.period=10ms", "health.timeout=1h", "health.unhealthy_after=1", "shutdown.delay=1s"];
    let mut service = Service::start_with(FIXTURE, folder.path(), &config, &settings, &[])?;
    let (main, admin) = service.started().ok_or("not started")?;
    let main = main.ok_or("does not serve")?;
    let hand = |result: &str| get(main, &format!("/check/{result}")).map(drop);
    hand("good")?;
    service.line("ready").ok_or("never ready")?;

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/grpc_client.py");
    let mut client = Command::new(python);
    client.arg(script).args([main.to_string(), admin.to_string()]).stdout(Stdio::piped());
    let mut client = Foreign::spawn(&mut client)?;
    let lines = std::io::BufRead::lines(std::io::BufReader::new(client.stdout().ok_or("no output")?));
    let mut lines = lines
        .map_while(Result::ok)
        .map(|line| serde_json::from_str::<Value>(&line).map_err(|error| format!("{line}: {error}")));
    let mut seen = Vec::new();
    let mut until = |what: &dyn Fn(&[Value]) -> bool| -> Result<Vec<Value>, Box<dyn Error>> {
        while !what(&seen) {
            seen.push(lines.next().ok_or_else(|| format!("the client ended after {seen:#?}"))??);
        }
        Ok(seen.clone())
    };
    let told = |seen: &[Value], watch: &str, key: &str, value: &str| {
        ["main", "admin"].iter().all(|port| {
            seen.iter().any(|line| line["port"] == **port && line["watch"] == watch && line[key] == value)
        })
    };

    let begun = until(&|seen| {
        told(seen, "", "status", "SERVING")
            && told(seen, "liveness", "status", "SERVING")
            && told(seen, "nobody", "status", "SERVICE_UNKNOWN")
    })?;
    for port in ["main", "admin"] {
        let check = begun.iter().find(|line| line["port"] == port && line["check"].is_object());
        let check = &check.ok_or("no check")?["check"];
        let serving =
            ["", "readiness", "liveness", "startup", "greeters"].iter().all(|name| check[name] == "SERVING");
        if !serving || check["nobody"] != "NOT_FOUND" {
            return Err(format!("{port}: {check}").into());
        }
    }
    hand("bad")?;
    until(&|seen| told(seen, "", "status", "NOT_SERVING"))?;
    hand("good")?;
    until(&|seen| {
        seen.iter().filter(|line| line["watch"] == "" && line["status"] == "SERVING").count() >= 4
    })?;

    // Not serving as long as it still serves, then the end; and no stream without an end keeps the process.
    service.signal(Signal::TERM)?;
    let all =
        until(&|seen| ["", "liveness", "nobody"].iter().all(|name| told(seen, name, "end", "UNAVAILABLE")))?;
    let not_serving =
        all.iter().filter(|line| line["watch"] == "" && line["status"] == "NOT_SERVING").count();
    if not_serving != 4
        || all.iter().any(|line| line["watch"] == "liveness" && line["status"] == "NOT_SERVING")
    {
        return Err(format!("{all:#?}").into());
    }
    match service.wait()?.code() {
        Some(0) => Ok(()),
        code => Err(format!("{code:?}: {:#?}", service.seen()).into()),
    }
}
