//! The invariants of `ARCHITECTURE.md`, held against the manifests and the sources as they are.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every edge between crates of ours, normal and build dependencies alike. A new one needs a decision record.
const EDGES: &[(&str, &[&str])] = &[
    ("config", &["live", "watch"]),
    ("fakes", &[]),
    ("health", &[]),
    ("http", &["shutdown", "tls", "trace"]),
    ("live", &[]),
    ("log", &["trace"]),
    ("metrics", &["trace"]),
    ("otlp", &["metrics", "tls", "trace"]),
    ("process", &[]),
    ("secrets", &["live", "watch"]),
    ("shutdown", &[]),
    ("tasks", &["shutdown"]),
    ("tls", &["live"]),
    ("trace", &[]),
    ("vault", &["secrets"]),
    ("watch", &[]),
];

/// Crates any other may test with, because they depend on nothing of ours.
const TEST_KITS: &[&str] = &["prodkit-fakes"];

/// What prodkit is built on: each is a normal dependency of a crate of ours.
const FOUNDATIONS: &[&str] = &[
    "tokio",
    "tower",
    "hyper",
    "opentelemetry",
    "opentelemetry-otlp",
    "tracing",
    "tracing-subscriber",
    "metrics",
    "arc-swap",
    "signal-hook-tokio",
    "notify",
    "secrecy",
    "vaultrs",
];

/// Only `tasks` and `http` start tasks; all other background work is a future that the facade runs as a named task. The
/// fakes stand for other processes.
const MAY_SPAWN_TASKS: &[&str] = &["prodkit-tasks", "prodkit-http", "prodkit-fakes"];
/// Threads: the admin listener, the OTLP runtime, the log writer; and the fakes, which stand for other processes. That of
/// `prodkit-watch` is started by notify, which takes no name for it.
const MAY_START_THREADS: &[&str] = &["prodkit", "prodkit-otlp", "prodkit-log", "prodkit-fakes"];
/// The one file that sets what exists once per process.
const GLOBALS: &str = "crates/prodkit/src/globals.rs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

struct Package {
    name: String,
    manifest: PathBuf,
    /// (dependency, kind)
    dependencies: Vec<(String, String)>,
}

impl Package {
    fn is_library_of_ours(&self) -> bool {
        self.manifest.starts_with(root().join("crates"))
    }

    fn depends_on<'a>(&'a self, kinds: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.dependencies
            .iter()
            .filter(|(_, kind)| kinds.contains(&kind.as_str()))
            .map(|(name, _)| name.as_str())
    }
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("normal").to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter().map(|package| Package {
        name: text(&package["name"]),
        manifest: text(&package["manifest_path"]).into(),
        dependencies: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dependency| (text(&dependency["name"]), text(&dependency["kind"])))
            .collect(),
    });
    packages.collect()
}

#[test]
fn edges_run_one_way_and_are_all_known() {
    let known: BTreeMap<_, BTreeSet<_>> = EDGES
        .iter()
        .map(|(name, edges)| {
            (format!("prodkit-{name}"), edges.iter().map(|edge| format!("prodkit-{edge}")).collect())
        })
        .collect();
    for package in
        packages().into_iter().filter(|package| package.is_library_of_ours() && package.name != "prodkit")
    {
        let allowed = known.get(&package.name).unwrap_or_else(|| panic!("{} is not in EDGES", package.name));
        let ours =
            |kinds| package.depends_on(kinds).filter(|name| name.starts_with("prodkit")).map(str::to_owned);
        let edges: BTreeSet<_> = ours(&["normal", "build"]).collect();
        assert_eq!(&edges, allowed, "edges of {}", package.name);
        for kit in ours(&["dev"]) {
            assert!(
                TEST_KITS.contains(&kit.as_str()) || allowed.contains(&kit),
                "{} tests with {kit}, which is not below it",
                package.name
            );
        }
    }
}

#[test]
fn folders_are_named_as_their_crates_and_none_is_a_heap() {
    for package in packages().iter().filter(|package| package.is_library_of_ours()) {
        let folder = package.manifest.parent().unwrap().file_name().unwrap();
        assert_eq!(folder, package.name.as_str());
        for heap in ["-core", "-common", "-util", "-utils"] {
            assert!(!package.name.ends_with(heap), "{} names no thing", package.name);
        }
    }
}

#[test]
fn the_foundations_are_dependencies_and_what_is_owed_is_not() {
    let packages = packages();
    let used: BTreeSet<_> = packages
        .iter()
        .filter(|package| package.is_library_of_ours())
        .flat_map(|package| package.depends_on(&["normal"]))
        .collect();
    let missing: Vec<_> = FOUNDATIONS.iter().filter(|name| !used.contains(**name)).collect();
    assert!(missing.is_empty(), "not a normal dependency of any crate: {missing:?}");
}

#[test]
fn the_example_to_copy_inherits_nothing() {
    let manifest = fs::read_to_string(root().join("examples/order-service/Cargo.toml")).unwrap();
    assert!(!manifest.contains("workspace"), "order-service must build outside of this workspace");
}

#[test]
fn rivals_are_measured_beside_the_workspace_not_in_it() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for rival in ["foundations", "witchcraft-server", "axum-prometheus", "axum-tracing-opentelemetry"] {
        assert!(!lock.contains(&format!("name = \"{rival}\"")), "{rival} is in the root lock file");
    }
}

#[test]
fn only_tasks_and_http_spawn() {
    let patterns = [
        "tokio::spawn",
        "task::spawn",
        "spawn_blocking",
        "spawn_local",
        "JoinSet",
        "handle.spawn(",
        "runtime.spawn(",
    ];
    forbid_outside(MAY_SPAWN_TASKS, &patterns);
}

#[test]
fn threads_are_the_four_that_are_named() {
    forbid_outside(MAY_START_THREADS, &["thread::spawn", "thread::Builder"]);
}

#[test]
fn process_globals_are_set_in_one_file() {
    let patterns = [
        "set_global_default",
        "set_global_recorder",
        "set_tracer_provider",
        "set_meter_provider",
        "set_text_map_propagator",
        "panic::set_hook",
        "process::exit",
        "Signals::install",
    ];
    for (path, line, text) in code() {
        if path != Path::new(GLOBALS)
            && let Some(pattern) = patterns.iter().find(|pattern| text.contains(**pattern))
        {
            panic!("{}:{line}: {pattern} belongs in {GLOBALS}", path.display());
        }
    }
}

/// `docs/guide-parity.md` and `docs/reload.md` name, in the last column of each row, the test that shows it:
/// `crate/file::function`.
#[test]
fn the_tests_on_the_parity_page_exist() {
    for (page, least) in [("guide-parity", 50), ("reload", 60)] {
        let text = fs::read_to_string(root().join("docs").join(page).with_extension("md")).unwrap();
        let mut found = 0;
        for row in text.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |")) {
            let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            let tests: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
            assert!(cell == "no test" || !tests.is_empty(), "neither a test nor its absence: {row}");
            for test in tests {
                assert!(is_a_function(test), "no such test: {test} in {row}");
                found += 1;
            }
        }
        assert!(found > least, "{page} was not understood");
    }
}

/// Every variable of the OpenTelemetry specification that `docs/otel-env.md` must have a row for.
const OTEL_VARIABLES: &[&str] = &[
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_CONFIG_FILE",
    "OTEL_ENTITIES",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_EXPORTER_PROMETHEUS_HOST",
    "OTEL_EXPORTER_PROMETHEUS_PORT",
    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_LOGS_EXPORTER",
    "OTEL_LOG_LEVEL",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_PROPAGATORS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
    "OTEL_SERVICE_NAME",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
];

/// What the exporter has for all signals and for each.
const OTLP_OPTIONS: &[&str] = &[
    "ENDPOINT",
    "PROTOCOL",
    "HEADERS",
    "COMPRESSION",
    "TIMEOUT",
    "CERTIFICATE",
    "CLIENT_KEY",
    "CLIENT_CERTIFICATE",
    "INSECURE",
];

/// `docs/otel-env.md` has a row for each variable, and each row a test.
#[test]
fn each_variable_of_opentelemetry_has_a_row_and_each_row_a_test() {
    let page = fs::read_to_string(root().join("docs/otel-env.md")).unwrap();
    let mut told = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [variables, _, _, tests] = cells[..] else { panic!("not four cells: {row}") };
        told.extend(variables.split('`').skip(1).step_by(2).map(str::to_owned));
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        tests.iter().for_each(|test| assert!(is_a_function(test), "no such test as {test}: {row}"));
    }
    let signals = ["", "TRACES_", "METRICS_", "LOGS_"];
    let options = OTLP_OPTIONS
        .iter()
        .flat_map(|option| signals.iter().map(move |signal| format!("OTEL_EXPORTER_OTLP_{signal}{option}")));
    let missing: Vec<_> = OTEL_VARIABLES
        .iter()
        .map(|&name| name.to_owned())
        .chain(options)
        .filter(|name| !told.contains(name))
        .collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    assert!(told.len() > 80, "the page was not understood");
}

/// Whether `http/it/drain::x` or its like is there.
fn is_a_function(test: &str) -> bool {
    let (file, function) = test.split_once("::").unwrap_or_default();
    let (krate, file) = file.split_once('/').unwrap_or_default();
    let folders = match krate {
        "e2e" => vec!["tests/tests".to_owned()],
        "prodkit" => vec!["crates/prodkit/src".to_owned()],
        "order-service" => vec!["examples/order-service/tests".to_owned()],
        _ => ["src", "tests"].map(|folder| format!("crates/prodkit-{krate}/{folder}")).into(),
    };
    folders.iter().any(|folder| {
        let text =
            fs::read_to_string(root().join(folder).join(file).with_extension("rs")).unwrap_or_default();
        text.contains(&format!("fn {function}("))
    })
}

fn forbid_outside(allowed: &[&str], patterns: &[&str]) {
    for (path, line, text) in code() {
        let krate = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
        if !allowed.contains(&krate)
            && let Some(pattern) = patterns.iter().find(|pattern| text.contains(**pattern))
        {
            panic!("{}:{line}: {pattern} is not for {krate}", path.display());
        }
    }
}

/// Every line of code in `crates/*/src`: not comments, not what follows `#[cfg(test)]`, not test files.
fn code() -> Vec<(PathBuf, usize, String)> {
    let mut lines = Vec::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_test = matches!(name, "tests" | "tests.rs" | "target" | "benches" | "examples" | "fuzz");
            if is_test {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let relative = path.strip_prefix(root()).unwrap().to_path_buf();
                let code = text.lines().enumerate().take_while(|(_, line)| !line.contains("#[cfg(test)]"));
                let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
                lines.extend(code.map(|(index, line)| (relative.clone(), index + 1, line.to_owned())));
            }
        }
    }
    assert!(lines.len() > 1_000, "the sources were not found");
    lines
}
