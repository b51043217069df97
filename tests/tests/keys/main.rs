//! Every built-in key takes effect, seen from outside the process with two different values of it: at a socket, in a file,
//! a metric, a log line, an exit. A key that is added without a test fails `every_key_has_its_test`.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod config;
mod debug;
mod health;
mod identity;
mod log;
mod log_level;
mod otlp;
mod otlp_tls;
mod process;
mod rig;
mod secrets;
mod server;
mod shutdown;
mod tls;
mod variables;
mod vault;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// The keys, by section, and what shows that they do something.
const KEYS: &[(&str, fn())] = &[
    ("service.name", identity::name),
    ("service.version", identity::version),
    ("service.namespace", identity::namespace),
    ("service.environment", identity::environment),
    ("server.host", server::host),
    ("server.port", server::port),
    ("server.socket_mode", server::socket_mode),
    ("server.timeout", server::timeout),
    ("server.first_byte_timeout", server::first_byte_timeout),
    ("server.header_timeout", server::header_timeout),
    ("server.read_timeout", server::read_timeout),
    ("server.write_timeout", server::write_timeout),
    ("server.idle_timeout", server::idle_timeout),
    ("server.max_header_size", server::max_header_size),
    ("server.max_body_size", server::max_body_size),
    ("server.max_connections", server::max_connections),
    ("server.max_in_flight", server::max_in_flight),
    ("server.adaptive_limit", server::adaptive_limit),
    ("server.trusted_proxies", server::trusted_proxies),
    ("server.proxy_protocol", server::proxy_protocol),
    ("server.probes", server::probes),
    ("server.tls.cert", tls::cert),
    ("server.tls.key", tls::key),
    ("server.tls.client_ca", tls::client_ca),
    ("server.tls.handshake_timeout", tls::handshake_timeout),
    ("admin.host", admin::host),
    ("admin.port", admin::port),
    ("admin.token", admin::token),
    ("admin.public", admin::public),
    ("health.stall", health::stall),
    ("health.period", health::period),
    ("health.timeout", health::timeout),
    ("health.unhealthy_after", health::unhealthy_after),
    ("health.healthy_after", health::healthy_after),
    ("health.shared_is_critical", health::shared_is_critical),
    ("health.checks", health::checks),
    ("health.groups", health::groups),
    ("shutdown.grace", shutdown::grace),
    ("shutdown.delay", shutdown::delay),
    ("shutdown.flush", shutdown::flush),
    ("shutdown.termination_message_path", shutdown::termination_message_path),
    ("log.level", log::level),
    ("log.format", log::format),
    ("log.max_line", log::max_line),
    ("log.buffer", log::buffer),
    ("log.rate_limit", log::rate_limit),
    ("log.stacktrace", log::stacktrace),
    ("log.redact", log::redact),
    ("log.debug_key", debug::debug_key),
    ("otlp.endpoint", otlp::endpoint),
    ("otlp.protocol", otlp::protocol),
    ("otlp.headers", otlp::headers),
    ("otlp.compression", otlp::compression),
    ("otlp.tls.ca", otlp_tls::ca),
    ("otlp.tls.cert", otlp_tls::cert),
    ("otlp.tls.key", otlp_tls::key),
    ("otlp.timeout", otlp::timeout),
    ("otlp.retry.enabled", otlp::retry_enabled),
    ("otlp.retry.max_elapsed_time", otlp::retry_max_elapsed_time),
    ("otlp.traces", otlp::traces),
    ("otlp.metrics", otlp::metrics_signal),
    ("otlp.logs", otlp::logs),
    ("otlp.sampling_ratio", otlp::sampling_ratio),
    ("otlp.keep_errors", otlp::keep_errors),
    ("otlp.keep_slower_than", otlp::keep_slower_than),
    ("otlp.metric_interval", otlp::metric_interval),
    ("otlp.temporality", otlp::temporality),
    ("otlp.histograms", otlp::histograms),
    ("metrics.max_series", process::max_series),
    ("metrics.native_histograms", process::native_histograms),
    ("metrics.exemplars", process::exemplars),
    ("metrics.expire_idle", process::expire_idle),
    ("secrets.required", secrets::required),
    ("secrets.allow_literals", secrets::allow_literals),
    ("secrets.start_timeout", vault::start_timeout),
    ("secrets.vault.address", vault::address),
    ("secrets.vault.namespace", vault::namespace),
    ("secrets.vault.auth", vault::auth),
    ("secrets.vault.mount", vault::mount),
    ("secrets.vault.role", vault::role),
    ("secrets.vault.token", vault::token),
    ("secrets.vault.service_account_file", vault::service_account_file),
    ("secrets.vault.role_id", vault::role_id),
    ("secrets.vault.secret_id", vault::secret_id),
    ("secrets.vault.jwt", vault::jwt),
    ("secrets.vault.ca", vault::ca),
    ("secrets.vault.cert", vault::cert),
    ("secrets.vault.key", vault::key),
    ("secrets.vault.refresh", vault::refresh),
    ("config.reload", config::reload),
    ("config.poll", config::poll),
    ("config.prepare_timeout", config::prepare_timeout),
    ("config.soak", config::soak),
    ("runtime.workers", process::workers),
];

/// Most tests wait for a process most of the time.
const THREADS: usize = 8;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let others: [(&str, fn()); 10] = [
        ("every_key_has_its_test", every_key_has_its_test),
        ("service_links", variables::service_links),
        ("a_span_of_a_secured_port_says_so", tls::a_span_of_a_secured_port_says_so),
        ("an_operator_raises_one_trace", debug::an_operator_raises_one_trace),
        ("who_may_raise_a_trace", debug::who_may_raise_a_trace),
        ("an_operator_sets_the_level_for_a_while", log_level::an_operator_sets_the_level_for_a_while),
        ("who_may_set_the_level", log_level::who_may_set_the_level),
        ("every_line_is_a_record", otlp::every_line_is_a_record),
        ("scraping_what_is_pushed_is_told_once", otlp::scraping_what_is_pushed_is_told_once),
        ("the_runtime_says_how_busy_it_is", process::the_runtime_says_how_busy_it_is),
    ];
    let trials = [KEYS, variables::VARIABLES, &others].concat().into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The table has exactly the keys that the binary itself takes, as its schema tells them.
fn every_key_has_its_test() {
    let schema = Command::new(env!("CARGO_BIN_EXE_fixture")).args(["config", "schema"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let mut keys = BTreeSet::new();
    leaves(&schema, "", &mut keys);
    let tested: BTreeSet<_> = KEYS.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(tested.len(), KEYS.len(), "a key is there twice");
    let untested: Vec<_> = keys.difference(&tested).collect();
    let unknown: Vec<_> = tested.difference(&keys).collect();
    assert!(untested.is_empty() && unknown.is_empty(), "without a test: {untested:?}; no keys: {unknown:?}");
}

/// A key is whatever has no keys of its own.
fn leaves(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) => {
            for (name, below) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(below, &path, keys);
            }
        }
        None => drop(keys.insert(path.to_owned())),
    }
}
