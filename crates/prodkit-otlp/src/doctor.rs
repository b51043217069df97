//! Asking a collector, once and aloud.

use crate::delivery::partial_success;
use crate::encode::metrics::Shape;
use crate::encode::traces::Finished;
use crate::encode::{logs, metrics, traces};
use crate::endpoint::{Destination, Target};
use crate::error::Kind as ErrorKind;
use crate::otlp::targets;
use crate::signal::Kind;
use crate::transport::{Attempt, How, Transport, Why};
use crate::{Error, LogRecord, Protocol, Resource, Settings, Signal, Span};
use prodkit_trace::TraceContext;
use prost::Message as _;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};
#[cfg(feature = "__tls")]
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tracing_core::Level;

/// How long the word of a collector on our certificate is waited for.
#[cfg(feature = "__tls")]
const AFTERTHOUGHT: Duration = Duration::from_millis(250);

/// What came of asking for one signal; shown, it is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// `traces`, `metrics` or `logs`.
    pub signal: &'static str,
    /// Where it goes.
    pub to: String,
    /// Each step and how it went.
    pub steps: Vec<(&'static str, String)>,
    /// Whether the collector took what was sent.
    pub is_good: bool,
}

/// Connects to the collector of each signal that is on, sends one item of it and says what was answered: once, with no
/// retry and no queue. Blocks until then, for the time of two attempts a signal at most. Starts nothing that stays.
///
/// The items are a span, a log record and a metric named `otel doctor` (`otel_doctor`).
///
/// # Errors
///
/// Those of [`start`](crate::start). That a collector does not answer is a finding.
pub fn examine(settings: Settings, resource: &Resource) -> Result<Vec<Finding>, Error> {
    let settings = settings.within_reach();
    #[cfg_attr(not(feature = "__tls"), expect(unused_mut, reason = "there is nothing to add"))]
    let mut targets = targets(&settings)?;
    #[cfg(feature = "__tls")]
    crate::security::secure(&settings, &mut targets, crate::Credentials::read)?;
    let [to_traces, to_metrics, to_logs] = targets;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ErrorKind::Thread)?;
    let signals = [
        (Kind::Traces, to_traces, &settings.traces),
        (Kind::Metrics, to_metrics, &settings.metrics),
        (Kind::Logs, to_logs, &settings.logs),
    ];
    let findings = runtime.block_on(async {
        let mut findings = Vec::new();
        for (kind, to, signal) in signals {
            if let Some(to) = to {
                findings.push(ask(kind, to, signal, &settings, body(kind, resource, &settings)).await);
            }
        }
        findings
    });
    // a host name may still be being resolved
    runtime.shutdown_background();
    Ok(findings)
}

/// A request with one item.
fn body(kind: Kind, resource: &Resource, settings: &Settings) -> Vec<u8> {
    const NAME: &str = "otel doctor";
    let encoded = resource.proto().encode_to_vec();
    match kind {
        Kind::Traces => {
            let span = Span::new(TraceContext::root(true), NAME, SystemTime::now());
            traces::request(&encoded, &[Finished::Whole(Box::new(span))], &settings.limits)
        }
        Kind::Metrics => {
            let recorder = prodkit_metrics::Recorder::new(prodkit_metrics::Options::default());
            recorder.gauge("otel_doctor", &[]).set(1.0);
            let shape = Shape { temporality: settings.temporality, histograms: settings.histograms };
            metrics::request(&encoded, &recorder.snapshot(), shape, 0).body
        }
        Kind::Logs => {
            let record = LogRecord::new(Level::INFO, "prodkit", NAME);
            logs::request(&encoded, &[record], &settings.limits)
        }
    }
}

async fn ask(kind: Kind, to: Destination, signal: &Signal, settings: &Settings, body: Vec<u8>) -> Finding {
    let how = How {
        kind,
        headers: signal.headers.as_ref().unwrap_or(&settings.headers),
        compression: signal.compression.unwrap_or(settings.compression),
        timeout: signal.timeout.unwrap_or(settings.timeout),
    };
    let mut finding = Finding { signal: kind.name(), to: to.name(), steps: Vec::new(), is_good: false };
    let mut protocol = None;
    if let Destination::Collector(target) = &to {
        finding.to = match target.protocol {
            Protocol::Grpc => format!("{} over grpc", target.uri.authority().map_or("", |a| a.as_str())),
            other => format!("{} over {other}", target.uri),
        };
        protocol = Some(target.protocol);
        if !reaches(target, how.timeout, &mut finding.steps).await {
            return finding;
        }
    }
    let transport = Transport::new(to, &how);
    let body = transport.prepare(body);
    let begun = Instant::now();
    let attempt = transport.send(body).await;
    let took = millis(begun.elapsed());
    let said = match attempt {
        Attempt::Accepted(answer) => {
            let (rejected, message) = partial_success(&answer, 1);
            finding.is_good = rejected == 0;
            match (finding.is_good, message.is_empty()) {
                (true, true) => format!("accepted in {took}"),
                (true, false) => format!("accepted in {took}, with a word: {message}"),
                (false, _) => format!("rejected in {took}: {message}"),
            }
        }
        Attempt::Again { why, after } => {
            let after = after.map(|after| format!(", and is to be asked again in {}", millis(after)));
            format!("failed in {took}: {why}{}{}", after.unwrap_or_default(), hint(why, protocol))
        }
        Attempt::Refused(why) => format!("refused in {took}: {why}{}", hint(why, protocol)),
    };
    finding.steps.push(("send", said));
    finding
}

/// One connection, closed again; how far it got, step by step.
async fn reaches(target: &Target, timeout: Duration, steps: &mut Vec<(&'static str, String)>) -> bool {
    let host = target.uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = target.uri.port_u16().unwrap_or(if target.security.is_some() { 443 } else { 80 });
    let begun = Instant::now();
    let connected = tokio::time::timeout(timeout, TcpStream::connect((host, port))).await;
    let took = millis(begun.elapsed());
    let (said, stream) = match connected {
        Ok(Ok(stream)) => {
            let address = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
            (format!("{address} in {took}"), Some(stream))
        }
        Ok(Err(error)) => (format!("failed in {took}: {error}"), None),
        Err(_) => (format!("no answer in {took}: is there a firewall in between?"), None),
    };
    steps.push(("connect", said));
    let Some(stream) = stream else { return false };
    #[cfg(feature = "__tls")]
    if let Some(security) = &target.security {
        let (said, is_good) = shaken(security, &target.uri, stream, timeout).await;
        steps.push(("tls", said));
        return is_good;
    }
    drop(stream);
    true
}

/// What came of the handshake of TLS, and whether that is good.
#[cfg(feature = "__tls")]
async fn shaken(
    security: &crate::security::Security,
    to: &http::Uri,
    stream: TcpStream,
    timeout: Duration,
) -> (String, bool) {
    use crate::transport::connect::{cause, handshake};
    let begun = Instant::now();
    let shaken = async {
        let mut stream = handshake(security.load(), to, stream).await?;
        // by TLS 1.3 a server says afterwards only that it does not like the client
        if let Ok(Err(error)) = tokio::time::timeout(AFTERTHOUGHT, stream.read_u8()).await {
            return Err(error);
        }
        Ok(stream)
    };
    let shaken = tokio::time::timeout(timeout, shaken).await;
    let took = millis(begun.elapsed());
    match shaken {
        Ok(Ok(stream)) => {
            let version = stream.get_ref().1.protocol_version();
            let version = version.and_then(|version| version.as_str()).unwrap_or("unknown").replace('_', ".");
            (format!("{version} in {took}, the collector's certificate is trusted"), true)
        }
        Ok(Err(error)) => match cause(&error) {
            Some(why) => (format!("failed in {took}: {why}{}", hint(why, None)), false),
            None => (format!("failed in {took}: {error}"), false),
        },
        Err(_) => (format!("no answer in {took}: the port may not speak TLS"), false),
    }
}

/// What is usually behind it.
fn hint(why: Why, protocol: Option<Protocol>) -> &'static str {
    let is_grpc = protocol == Some(Protocol::Grpc);
    match why {
        Why::Broken if is_grpc => "; the port may speak HTTP or TLS: gRPC is usually on 4317",
        Why::Broken => "; the port may speak gRPC or TLS: HTTP is usually on 4318",
        Why::Status(400 | 415) => "; the collector may take another protocol: see otlp.protocol",
        Why::Status(401 | 403) => "; a header may be missing or wrong: see otlp.headers",
        Why::Status(404 | 405) => {
            "; the URL may be of something else: the path of each signal is added to otlp.endpoint"
        }
        Why::Status(413) => "; the collector takes less at a time",
        #[cfg(feature = "__tls")]
        Why::Tls(_) => "; see otlp.tls",
        #[cfg(feature = "grpc")]
        Why::Code(7 | 16) => "; metadata may be missing or wrong: see otlp.headers",
        #[cfg(feature = "grpc")]
        Why::Code(12) => "; the collector does not take this signal",
        _ => "",
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, to, steps, is_good } = self;
        write!(f, "{signal} to {to}: {}", if *is_good { "good" } else { "bad" })?;
        steps.iter().try_for_each(|(step, said)| write!(f, "\n  {step}: {said}"))
    }
}
