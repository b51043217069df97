//! Settings and the app's configuration out of files, environment and flags.

use std::fmt;

use prodkit_config::{Errors, Layers, Loaded, Reload, Tree, WatchOptions};
use serde::de::DeserializeOwned;

use crate::cli::Sources;
use crate::environment::Environment;
use crate::keeper::{Keeper, SecretErrors};
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
    ("VAULT_ADDR", "secrets.vault.address"),
    ("VAULT_NAMESPACE", "secrets.vault.namespace"),
    ("VAULT_TOKEN", "secrets.vault.token"),
    ("VAULT_CACERT", "secrets.vault.ca"),
    ("VAULT_CLIENT_CERT", "secrets.vault.cert"),
    ("VAULT_CLIENT_KEY", "secrets.vault.key"),
];

/// What was loaded, and what keeps it up to date.
pub(crate) struct Watched<C> {
    pub(crate) loaded: Loaded<Settings, C>,
    pub(crate) reload: Reload<Settings, C>,
    pub(crate) secrets: Keeper,
}

/// What was read, to be looked at rather than run with.
pub(crate) struct Read<C> {
    pub(crate) tree: Tree,
    pub(crate) loaded: Loaded<Settings, C>,
    /// About where secrets are.
    pub(crate) warnings: Vec<String>,
}

/// Why nothing was loaded: all that is wrong of one kind.
#[derive(Debug)]
pub(crate) enum LoadError {
    Config(Errors),
    Secrets(SecretErrors),
}

/// What the process runs with, and what keeps it up to date. All errors of both halves at once.
pub(crate) fn watched<C: DeserializeOwned>(
    sources: &Sources,
    environment: &Environment,
) -> Result<Watched<C>, LoadError> {
    let layers = layers(sources, environment);
    let (started, found) =
        prodkit_secrets::collect(|| Reload::<Settings, C>::start(layers, SECTIONS, WatchOptions::default()));
    let (loaded, reload) = started.map_err(LoadError::Config)?;
    let secrets = Keeper::new(found, &loaded.settings, environment, reload.tree());
    let secrets = secrets.map_err(LoadError::Secrets)?;
    let settings::Config { poll, prepare_timeout, .. } = loaded.settings.config;
    // another watch is another thread, which a start need not wait for
    let options = WatchOptions::default().poll(poll);
    let reload = if options == WatchOptions::default() { reload } else { reload.watching(options) };
    let reload = reload.prepare_timeout(prepare_timeout).resolving(secrets.resolving());
    Ok(Watched { loaded, reload, secrets })
}

/// Reads every source into one tree, and types it, all errors of both halves at once. Secrets are looked at where they are
/// on this machine, and may be elsewhere.
pub(crate) fn both<C: DeserializeOwned>(
    sources: &Sources,
    environment: &Environment,
) -> Result<Read<C>, LoadError> {
    let tree = layers(sources, environment).read().map_err(LoadError::Config)?;
    let (loaded, found) = prodkit_secrets::collect(|| tree.load::<Settings, C>(SECTIONS));
    let loaded = loaded.map_err(LoadError::Config)?;
    let looked = Keeper::looking(found, &loaded.settings, environment, &tree);
    let (secrets, _) = looked.map_err(LoadError::Secrets)?;
    Ok(Read { tree, loaded, warnings: secrets.warnings().to_vec() })
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Secrets(errors) => errors.fmt(f),
        }
    }
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
