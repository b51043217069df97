//! The variables with a meaning of their own: each takes effect, and a flag that says otherwise wins.

use std::fs::File;
use std::net::TcpListener;

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use prodkit_e2e::http::Connection;
use prodkit_fakes::FakeCollector;

use crate::rig::{Rig, Setup};
use crate::{log, otlp, otlp_tls, process, server, vault};

/// Every variable that says what a key says, and those of the OpenTelemetry specification that have no key.
pub(crate) const VARIABLES: &[(&str, fn())] = &[
    ("APP_ENV", || {
        said(&Setup::new().env("APP_ENV", "one"), "service.environment", "deployment.environment.name");
    }),
    ("APP__SERVER__TIMEOUT", || timeout("APP__SERVER__TIMEOUT")),
    ("HTTP_TIMEOUT", || timeout("HTTP_TIMEOUT")),
    ("KUBERNETES_SERVICE_HOST", kubernetes),
    ("LOG_LEVEL", || level("LOG_LEVEL")),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", otlp_tls::certificate),
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", otlp_tls::client_certificate),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
    ("OTEL_EXPORTER_OTLP_HEADERS", headers),
    ("OTEL_EXPORTER_OTLP_INSECURE", otlp_tls::insecure),
    ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", otlp_tls::of_one_signal),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", || {
        const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        let setup = Setup::new().env(NAME, "base2_exponential_bucket_histogram");
        assert!(otlp::is_exponential(setup.clone()));
        assert!(!otlp::is_exponential(setup.set("otlp.histograms", "explicit")));
    }),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", export_timeout),
    ("OTEL_LOGS_EXPORTER", || exporter("OTEL_LOGS_EXPORTER", "otlp.logs", "/v1/logs")),
    ("OTEL_METRICS_EXPORTER", || exporter("OTEL_METRICS_EXPORTER", "otlp.metrics", "/v1/metrics")),
    ("OTEL_METRICS_EXEMPLAR_FILTER", exemplar_filter),
    ("OTEL_METRIC_EXPORT_INTERVAL", metric_interval),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", || {
        let setup = Setup::new().env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
        assert_eq!(otlp::metrics(setup.clone()).headers["content-encoding"], "gzip");
        let flag = otlp::metrics(setup.set("otlp.compression", "none"));
        assert!(flag.headers.get("content-encoding").is_none());
    }),
    ("OTEL_PROPAGATORS", propagators),
    ("OTEL_RESOURCE_ATTRIBUTES", || {
        let setup = Setup::new().env("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=one");
        said(&setup, "service.namespace", "service.namespace");
    }),
    ("OTEL_SDK_DISABLED", sdk_disabled),
    ("OTEL_SERVICE_NAME", || {
        said(&Setup::new().env("OTEL_SERVICE_NAME", "one"), "service.name", "service.name");
    }),
    ("OTEL_TRACES_EXPORTER", || exporter("OTEL_TRACES_EXPORTER", "otlp.traces", "/v1/traces")),
    ("OTEL_TRACES_SAMPLER", sampler),
    ("POD_NAME", pod_name),
    ("PORT", port),
    ("RUST_LOG", || level("RUST_LOG")),
    ("TERMINATION_GRACE_PERIOD_SECONDS", termination_grace_period),
    ("TRACEPARENT", started_by),
    ("VAULT_ADDR", vault::addr_variable),
    ("VAULT_CACERT", vault::ca_variable),
    ("VAULT_CLIENT_CERT", vault::pair_variables),
    ("VAULT_CLIENT_KEY", vault::pair_variables),
    ("VAULT_NAMESPACE", vault::namespace_variable),
    ("VAULT_SKIP_VERIFY", vault::skip_verify_variable),
    ("VAULT_TOKEN", vault::token_variable),
];

/// An attribute of what is exported is "one", and another when the flag says so.
fn said(setup: &Setup, key: &str, attribute: &str) {
    for (setup, expected) in [(setup.clone(), "one"), (setup.clone().set(key, "two"), "two")] {
        assert_eq!(otlp::attribute(setup, attribute).as_deref(), Some(expected));
    }
}

fn timeout(variable: &str) {
    let soon = Setup::new().env(variable, "100ms");
    server::gives_up(&soon, &soon.clone().set("server.timeout", "1h"));
    server::gives_up(
        &Setup::new().env(variable, "1h").set("server.timeout", "100ms"),
        &Setup::new().env(variable, "1h"),
    );
}

fn level(variable: &str) {
    let debug = Setup::new().env(variable, "debug");
    assert!(log::whispers(&debug));
    assert!(!log::whispers(&debug.set("log.level", "info")));
}

fn port() {
    let [one, two] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, two] = [one, two].map(|listener| (listener.local_addr().unwrap().port().to_string(), listener));
    let setup = Setup::new().unset("server.port").env("PORT", &one.0);
    server::refused(&setup, &one.0);
    server::refused(&setup.set("server.port", &two.0), &two.0);
}

fn endpoint() {
    let [one, two] = [(); 2].map(|()| FakeCollector::start());
    let setup =
        Setup::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", &one.url()).set("otlp.metric_interval", "20ms");
    let by_variable = setup.serve();
    otlp::wait(&one, |received| !received.is_empty());
    drop(by_variable);
    let before = one.received().len();
    let _by_flag = setup.set("otlp.endpoint", &two.url()).serve();
    otlp::wait(&two, |received| !received.is_empty());
    assert_eq!(one.received().len(), before);
}

fn headers() {
    let setup = Setup::new().env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=one,x-team=a%20b");
    for (setup, tenant) in [(setup.clone(), "one"), (setup.set("otlp.headers.x-tenant", "two"), "two")] {
        let received = otlp::metrics(setup).headers;
        assert_eq!(received["x-tenant"], tenant);
        assert_eq!(received["x-team"], "a b");
    }
}

fn protocol() {
    let setup = Setup::new().env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_ne!(otlp::metrics(setup.clone()).path, "/v1/metrics");
    assert_eq!(otlp::metrics(setup.set("otlp.protocol", "http/protobuf")).path, "/v1/metrics");
}

fn export_timeout() {
    let soon = Setup::new().env("OTEL_EXPORTER_OTLP_TIMEOUT", "50");
    otlp::asks_again(soon.clone(), soon.set("otlp.timeout", "1h"));
}

fn metric_interval() {
    let often = Setup::new().env("OTEL_METRIC_EXPORT_INTERVAL", "20");
    otlp::sends_often(often.clone(), often.set("otlp.metric_interval", "1h"));
}

fn temporality() {
    const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    for value in ["delta", "lowmemory"] {
        otlp::counts_since(&Setup::new().env(NAME, value), AggregationTemporality::Delta);
    }
    let flag = Setup::new().env(NAME, "delta").set("otlp.temporality", "cumulative");
    otlp::counts_since(&flag, AggregationTemporality::Cumulative);
}

fn exemplar_filter() {
    for (value, kept) in [("trace_based", 1), ("always_on", 2), ("always_off", 0), ("sometimes", 1)] {
        let setup = Setup::new().env("OTEL_METRICS_EXEMPLAR_FILTER", value);
        assert_eq!(process::remembered(&setup), kept, "{value}");
        assert_eq!(process::remembered(&setup.set("metrics.exemplars", "always_off")), 0, "{value}");
    }
}

fn exporter(variable: &str, key: &str, path: &str) {
    for (value, flag, sent) in [("otlp", "false", true), ("none", "true", false)] {
        let setup = Setup::new().env(variable, value);
        assert_eq!(otlp::exports(setup.clone()).contains(path), sent, "{value}");
        assert_eq!(otlp::exports(setup.set(key, flag)).contains(path), !sent, "{value} and {flag}");
    }
}

fn sampler() {
    for (sampler, ratio, sampled) in
        [("parentbased_always_on", "0", true), ("parentbased_always_off", "1", false)]
    {
        let setup = Setup::new().env("OTEL_TRACES_SAMPLER", sampler);
        assert_eq!(otlp::samples(setup.clone()), sampled, "{sampler}");
        assert_eq!(otlp::samples(setup.set("otlp.sampling_ratio", ratio)), !sampled, "{sampler} and {ratio}");
    }
    for (ratio, sampled) in [("1", true), ("0", false)] {
        let setup = Setup::new().env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        assert_eq!(otlp::samples(setup.env("OTEL_TRACES_SAMPLER_ARG", ratio)), sampled, "{ratio}");
    }
}

fn sdk_disabled() {
    for (value, none) in [("true", true), ("false", false)] {
        assert_eq!(otlp::exports(Setup::new().env("OTEL_SDK_DISABLED", value)).is_empty(), none, "{value}");
    }
}

/// A trace in the one format that was asked for.
fn propagators() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let b3 = format!("{TRACE}-b7ad6b7169203331-1");
    let w3c = format!("00-{TRACE}-b7ad6b7169203331-01");
    // as the specification has it, whatever else is off
    for (value, known) in [("b3", "b3"), ("tracecontext", "traceparent"), ("none", "")] {
        let rig = Setup::new().env("OTEL_PROPAGATORS", value).env("OTEL_SDK_DISABLED", "true").serve();
        for (name, header) in [("b3", &b3), ("traceparent", &w3c)] {
            let mut connection = Connection::open(rig.main).unwrap();
            let answer = connection.request("GET", "/", &[(name, header)], b"").unwrap();
            assert_eq!(answer.header("x-request-id") == Some(TRACE), name == known, "{name} to {value}");
        }
    }
}

/// A job is part of the trace of whoever started it, from its first line to its last task.
fn started_by() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let setup = Setup::new()
        .ways("task-recovers, serve")
        .env("TRACEPARENT", &format!("00-{TRACE}-b7ad6b7169203331-01"));
    let (mut service, _folder) = setup.spawn();
    for message in ["made", "recovered"] {
        assert_eq!(service.line(message).unwrap()["trace_id"], TRACE, "{message}");
    }
    let (mut alone, _folder) = Setup::new().spawn();
    assert!(alone.line("made").unwrap().get("trace_id").is_none());
}

fn pod_name() {
    let setup = Setup::new().env("POD_NAME", "orders-7d9f");
    assert_eq!(otlp::attribute(setup, "k8s.pod.name").as_deref(), Some("orders-7d9f"));
}

/// What it says of its plan when it starts.
fn grace(setup: &Setup) -> String {
    let (mut service, _folder) = setup.spawn();
    service.line("starting").unwrap()["grace"].as_str().unwrap().to_owned()
}

fn termination_grace_period() {
    let setup = Setup::new().env("TERMINATION_GRACE_PERIOD_SECONDS", "60");
    assert_eq!(grace(&setup), "57s");
    assert_eq!(grace(&setup.set("shutdown.grace", "50s")), "50s");
}

fn kubernetes() {
    let setup = Setup::new().env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    for (setup, delay) in [(setup.clone().unset("shutdown.delay"), "5s"), (setup, "0ns")] {
        let mut rig = setup.serve();
        rig.terminate();
        assert_eq!(rig.line("stopping")["delay"], delay);
    }
}

/// What Kubernetes tells every container of eight services beside it: forty variables, some of which look like ours.
pub(crate) fn service_links() {
    let services =
        ["APP", "APP__SERVER", "KUBERNETES", "LOG", "OTEL_COLLECTOR", "OTEL_EXPORTER_OTLP", "PORT", "SERVER"];
    let link = "tcp://10.96.7.1:4317";
    let setup = services.iter().fold(Setup::new(), |setup, service| {
        [
            ("SERVICE_HOST", "10.96.7.1"),
            ("SERVICE_PORT", "4317"),
            ("PORT", link),
            ("PORT_4317_TCP", link),
            ("PORT_4317_TCP_PORT", "4317"),
        ]
        .iter()
        .fold(setup, |setup, (what, value)| setup.env(&format!("{service}_{what}"), value))
    });
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let mut command = setup.command(&folder);
    command.stderr(File::create(&errors).unwrap());
    let mut rig = Rig::start(&mut command, folder);
    rig.line("ready");
    rig.end();
    let running = rig.service.seen().iter().take_while(|line| line["msg"] != "stopping");
    let loud: Vec<_> = running.filter(|line| line["level"] != "INFO").collect();
    assert!(loud.is_empty(), "{loud:#?}");
    assert_eq!(std::fs::read_to_string(errors).unwrap(), "");
}
