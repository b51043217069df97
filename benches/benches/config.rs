//! What a reload of a large file costs: 1 MB in some 4,000 sections of ten values, each of which changes.
//!
//! ```text
//! cargo bench -p prodkit-benches --bench config
//! ```
//!
//! `from rename to value` is what a reader waits: the change is seen, the file hashed, read, compared and typed, and all
//! routes are moved. `from rename to commit` is all of it: the new hash is made, too. `reload` is the part that reads: all
//! layers, whether they say something new, and their type. Beside it, the parsers alone, each filling the same types without
//! a single place or source to show for it.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use prodkit_config::{Layers, Outcome, Reload, Tree, WatchOptions};
use prodkit_live::Live;
use serde::Deserialize;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{collections::BTreeMap, fmt::Write as _, fs, hint::black_box, path::Path};

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct Config {
    name: String,
    routes: BTreeMap<String, Route>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct Route {
    upstream: String,
    retries: u32,
    enabled: bool,
    weight: f64,
    tags: Vec<String>,
    limits: Limits,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct Limits {
    in_flight: u64,
    per_second: u64,
}

/// The same, where the routes move.
#[derive(Deserialize)]
struct Moving {
    #[expect(dead_code, reason = "only filled")]
    name: String,
    routes: Live<BTreeMap<String, Route>>,
}

#[derive(Deserialize)]
struct Settings {}

const LENGTH: usize = 1_000_000;

/// As many routes as it takes.
fn routes(mut text: String, route: impl Fn(&mut String, usize)) -> String {
    for n in 0.. {
        if text.len() >= LENGTH {
            break;
        }
        route(&mut text, n);
    }
    text
}

fn yaml() -> String {
    routes("# made for the bench\nname: gateway\nroutes:\n".to_owned(), |text, n| {
        let _ = write!(
            text,
            "  route-{n:05}:\n    upstream: http://service-{n:05}.orders.svc.cluster.local:8080/api/v1\n    \
             retries: 3\n    enabled: true\n    weight: 0.5 # of the traffic\n    tags: [stable, 'eu-west']\n    \
             limits:\n      in_flight: {n}\n      per_second: 1000\n"
        );
    })
}

fn toml() -> String {
    routes("# made for the bench\nname = \"gateway\"\n".to_owned(), |text, n| {
        let _ = write!(
            text,
            "[routes.route-{n:05}]\nupstream = \"http://service-{n:05}.orders.svc.cluster.local:8080/api/v1\"\n\
             retries = 3\nenabled = true\nweight = 0.5 # of the traffic\ntags = [\"stable\", 'eu-west']\n\
             limits = {{ in_flight = {n}, per_second = 1000 }}\n"
        );
    })
}

fn json() -> String {
    let routes = routes(String::new(), |text, n| {
        let _ = write!(
            text,
            "{comma}\n    \"route-{n:05}\": {{\n      \"upstream\": \
             \"http://service-{n:05}.orders.svc.cluster.local:8080/api/v1\", \"retries\": 3, \"enabled\": true,\n      \
             \"weight\": 0.5, \"tags\": [\"stable\", \"eu-west\"],\n      \
             \"limits\": {{\"in_flight\": {n}, \"per_second\": 1000}}\n    }}",
            comma = if n > 0 { "," } else { "" }
        );
    });
    format!("{{\n  \"name\": \"gateway\",\n  \"routes\": {{{routes}\n  }}\n}}\n")
}

fn read(path: &Path) -> Tree {
    Layers::new().file(path).read().unwrap_or_else(|errors| unreachable!("{errors}"))
}

fn typed(tree: &Tree) -> Config {
    tree.load_one().unwrap_or_else(|errors| unreachable!("{errors}")).config
}

fn formats(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| unreachable!("{error}"));
    for (extension, text) in [("yaml", yaml()), ("toml", toml()), ("json", json())] {
        let path = directory.path().join(format!("config.{extension}"));
        fs::write(&path, &text).unwrap_or_else(|error| unreachable!("{error}"));
        let before = read(&path);

        let mut group = c.benchmark_group(format!("{extension}, {} kB", text.len() / 1000));
        group.sample_size(20).measurement_time(Duration::from_secs(4));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("from rename to value", |b| {
            b.iter_custom(|changes| committed(&path, &text, changes).iter().map(|took| took.seen).sum());
        });
        group.bench_function("from rename to commit", |b| {
            b.iter_custom(|changes| committed(&path, &text, changes).iter().map(|took| took.told).sum());
        });
        group.bench_function("reload", |b| {
            b.iter_with_large_drop(|| {
                let tree = read(&path);
                assert!(tree == before);
                (typed(&tree), tree)
            });
        });
        group.bench_function("read", |b| b.iter_with_large_drop(|| read(&path)));
        group.bench_function("type", |b| b.iter_with_large_drop(|| typed(&before)));
        group.bench_function("compare", |b| {
            b.iter_batched_ref(|| read(&path), |tree| black_box(*tree == before), BatchSize::PerIteration);
        });
        group.bench_function("the parser alone", |b| b.iter_with_large_drop(|| alone(extension, &text)));
        group.finish();
    }
}

/// How long a change took from the moment the new file was in place.
struct Took {
    /// Until somebody who waits for the value has it.
    seen: Duration,
    /// Until the reload says so, with the hash of what is loaded.
    told: Duration,
}

fn committed(path: &Path, text: &str, changes: u64) -> Vec<Took> {
    // Every route changes, and no name of one.
    let texts = [text.replace("0.5", "0.6"), text.to_owned()];
    let new = path.with_file_name("new");
    let put = |text: &str| fs::write(&new, text).and_then(|()| fs::rename(&new, path));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| unreachable!("{error}"));
    let started = Reload::<Settings, Moving>::start(Layers::new().file(path), &[], WatchOptions::default());
    let (loaded, mut reload) = started.unwrap_or_else(|errors| unreachable!("{errors}"));
    let mut values = loaded.config.routes.changes();
    let (see, seen) = channel();
    let reader = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap_or_else(|error| unreachable!("{error}")).block_on(async {
            for _ in 0..changes {
                black_box(values.changed().await);
                let _ = see.send(Instant::now());
            }
        });
    });
    let changed = texts.iter().cycle().zip(0..changes).map(|(text, _)| {
        // Apart from each other, as changes are.
        std::thread::park_timeout(Duration::from_millis(50));
        put(text).unwrap_or_else(|error| unreachable!("{error}"));
        let start = Instant::now();
        let outcome = runtime.block_on(reload.next());
        let told = start.elapsed();
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        let seen = seen.recv().unwrap_or_else(|error| unreachable!("{error}"));
        Took { seen: seen.duration_since(start), told }
    });
    let took = changed.collect();
    let _ = reader.join();
    assert_eq!(loaded.config.routes.generation(), changes);
    put(text).unwrap_or_else(|error| unreachable!("{error}"));
    took
}

fn alone(extension: &str, text: &str) -> Config {
    let config = match extension {
        "yaml" => serde_saphyr::from_str(text).ok(),
        "toml" => toml::from_str(text).ok(),
        _ => serde_json::from_str(text).ok(),
    };
    config.unwrap_or_else(|| unreachable!("it is well-formed"))
}

criterion_group!(benches, formats);
criterion_main!(benches);
