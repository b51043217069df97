//! Settings and the app's configuration out of files, environment and flags.

use prodkit_config::{Errors, Layers, Loaded, Reload, Tree, WatchOptions};
use serde::de::DeserializeOwned;

use crate::cli::Sources;
use crate::environment::Environment;
use crate::settings::{self, SECTIONS, Settings};

/// The one generic prefix; `APP__DATABASE__HOST` is `database.host`.
pub(crate) const PREFIX: &str = "APP__";

/// Variables with a meaning of their own, later ones winning.
const WELL_KNOWN: &[(&str, &str)] = &[
    ("PORT", "server.port"),
    ("HTTP_TIMEOUT", "server.timeout"),
    ("LOG_LEVEL", "log.level"),
    ("RUST_LOG", "log.level"),
    ("APP_ENV", "service.environment"),
    ("OTEL_SERVICE_NAME", "service.name"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint"),
];

/// What was loaded, and what keeps it up to date.
type Watched<C> = (Loaded<Settings, C>, Reload<Settings, C>);

/// What the process runs with, and what keeps it up to date. All errors of both halves at once.
pub(crate) fn watched<C: DeserializeOwned>(
    sources: &Sources,
    environment: &Environment,
) -> Result<Watched<C>, Errors> {
    let layers = layers(sources, environment);
    let (loaded, reload) = Reload::<Settings, C>::start(layers, SECTIONS, WatchOptions::default())?;
    let settings::Config { poll, prepare_timeout, .. } = loaded.settings.config;
    let reload = reload.watching(WatchOptions::default().poll(poll)).prepare_timeout(prepare_timeout);
    Ok((loaded, reload))
}

/// Reads every source into one tree, and types it, all errors of both halves at once.
pub(crate) fn both<C: DeserializeOwned>(
    sources: &Sources,
    environment: &Environment,
) -> Result<(Tree, Loaded<Settings, C>), Errors> {
    let tree = layers(sources, environment).read()?;
    let loaded = tree.load(SECTIONS)?;
    Ok((tree, loaded))
}

fn layers(sources: &Sources, environment: &Environment) -> Layers {
    let layers = sources.optional_files.iter().fold(Layers::new(), |layers, file| layers.optional_file(file));
    let layers = sources.files.iter().fold(layers, |layers, file| layers.file(file));
    let layers = layers.env(PREFIX, environment.iter());
    let layers = WELL_KNOWN.iter().fold(layers, |layers, (variable, path)| match environment.get(variable) {
        Some(value) => layers.alias(*variable, *path, value),
        None => layers,
    });
    sources.set.iter().fold(layers, |layers, assignment| layers.set(assignment))
}
