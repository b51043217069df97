//! Secrets of the settings and of the app: found before the app starts, then kept current, and told apart by name.

mod literals;
mod task;
mod vault;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use prodkit_config::{Resolve, Tree, WatchOptions};
use prodkit_secrets::{ErrorKind, Errors, Found, Resolved, Secret, Secrets};
use prodkit_tasks::Backoff;
use tokio::time::{Instant, sleep, timeout_at};

use crate::BoxError;
use crate::environment::Environment;
use crate::error::chain;
use crate::settings::Settings;

pub(crate) use task::task;
pub(crate) use vault::Trust;

/// How long providers may take to give back what they leased; what they do not give back runs out by itself.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Settings that are in use before any provider beyond this machine can be asked.
const EARLY: &str = "otlp.headers.";

/// Secrets that have been found in a configuration, and what is known of them so far.
pub(crate) struct Keeper {
    secrets: Secrets,
    found: Vec<Found>,
    required: bool,
    allow_literals: bool,
    /// How long the start waits for a provider that does not answer.
    patience: Duration,
    token: Option<Secret>,
    /// Where `vault:` is looked up.
    vault: Option<String>,
    trust: Trust,
    warnings: Vec<String>,
}

/// What is wrong with secrets, all of it, by path and reference.
#[derive(Debug)]
pub(crate) struct SecretErrors(Vec<String>);

impl Keeper {
    /// Takes what is on this machine, variables and files; the rest is asked for by [`start`](Self::start).
    ///
    /// Fails where something is written in a way that cannot work, and where something is missing that is needed at once.
    pub(crate) fn new(
        found: Vec<Found>,
        settings: &Settings,
        environment: &Environment,
        tree: &Tree,
    ) -> Result<Self, SecretErrors> {
        let (keeper, missing) = Self::looking(found, settings, environment, tree)?;
        let Some(missing) = missing else { return Ok(keeper) };
        let early =
            missing.iter().filter(|failure| failure.path().is_some_and(|path| path.starts_with(EARLY)));
        let early: Vec<String> = early
            .map(|failure| match failure.error().kind() {
                ErrorKind::Unavailable => {
                    let (path, reference) = (failure.path().unwrap_or_default(), failure.reference());
                    format!(
                        "{path} ({reference}): telemetry starts before Vault is asked; have an agent write the header to a file, \
                         and name that with `file:`"
                    )
                }
                _ => failure.to_string(),
            })
            .collect();
        if early.is_empty() { Ok(keeper) } else { Err(SecretErrors(early)) }
    }

    /// As [`new`](Self::new), where nothing is started: whatever is missing may be there elsewhere.
    pub(crate) fn looking(
        found: Vec<Found>,
        settings: &Settings,
        environment: &Environment,
        tree: &Tree,
    ) -> Result<(Self, Option<Errors>), SecretErrors> {
        let variables = environment.clone();
        let watch = WatchOptions::default().poll(settings.config.poll);
        let secrets = Secrets::new(move |name| variables.given(name).map(Into::into), watch)
            .prepare_timeout(settings.config.prepare_timeout);
        let (secrets, trust) = vault::behind(secrets, &settings.secrets.vault, environment, &found, tree)?;
        let mut keeper = Self {
            secrets,
            found,
            required: settings.secrets.required,
            allow_literals: settings.secrets.allow_literals,
            patience: settings.secrets.start_timeout,
            token: settings.admin.token.clone(),
            vault: settings.secrets.vault.address.clone(),
            trust,
            warnings: Vec::new(),
        };
        Secrets::check(&keeper.found).map_err(|errors| SecretErrors(vec![errors.to_string()]))?;
        keeper.warnings.extend(literals::look(&keeper.found, tree, keeper.allow_literals)?);
        let (resolved, missing) = keeper.secrets.glance(&keeper.found);
        keeper.warnings.extend(resolved.warnings().iter().cloned());
        keeper.check_token()?;
        Ok((keeper, missing))
    }

    /// What there was to say before there was a log.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Whom a Vault is believed by.
    #[cfg_attr(not(feature = "__tls"), expect(dead_code, reason = "nothing is followed"))]
    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Finds all of them. What does not answer is waited for, up to a limit.
    pub(crate) async fn start(&self) -> Result<(), SecretErrors> {
        let until = Instant::now() + self.patience;
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        loop {
            let asked = Instant::now();
            let (resolved, missing) = self.secrets.attempt(&self.found).await;
            let Some(missing) = missing else {
                self.check_token()?;
                self.secrets.keep(resolved);
                return Ok(());
            };
            if missing.is_transient() && Instant::now() < until {
                let pause =
                    backoff.next(asked.elapsed()).min(until.saturating_duration_since(Instant::now()));
                let missing = missing.to_string();
                tracing::warn!(missing, ?pause, "waiting for secrets");
                sleep(pause).await;
                continue;
            }
            if self.required {
                let waited = self.vault.as_ref().filter(|_| missing.is_transient()).map(|vault| {
                    format!("waited {:?} (secrets.start_timeout) for the Vault at {vault} (secrets.vault.address)", self.patience)
                });
                return Err(SecretErrors(std::iter::once(missing.to_string()).chain(waited).collect()));
            }
            tracing::warn!(
                missing = missing.to_string(),
                "starting without some secrets, as secrets.required is false"
            );
            self.secrets.keep(resolved);
            return Ok(());
        }
    }

    /// The error without any secret that it quotes: who is handed one may do so.
    pub(crate) fn masked(&self, error: BoxError) -> BoxError {
        let text = chain(&*error);
        let masked = self.secrets.mask(&text);
        if masked == text { error } else { masked.into() }
    }

    /// For a configuration that changes.
    pub(crate) fn resolving(&self) -> impl Resolve + use<> {
        Resolving {
            secrets: self.secrets.clone(),
            allow_literals: self.allow_literals,
            found: Vec::new(),
            refused: None,
            resolved: None,
        }
    }

    /// A header carries it, and a space at its end would be lost on the way.
    fn check_token(&self) -> Result<(), SecretErrors> {
        let Some(token) = &self.token else { return Ok(()) };
        let value = token.get();
        let fits = value.is_missing()
            || !value.expose_bytes().is_empty() && value.expose_bytes().iter().all(u8::is_ascii_graphic);
        if fits {
            Ok(())
        } else {
            Err(SecretErrors::of("admin.token: a token is one word of visible ASCII characters"))
        }
    }
}

/// Has every provider give back what it leased, after all who used it have stopped.
pub(crate) async fn close(secrets: &Secrets, deadline: Instant) {
    let deadline = deadline.min(Instant::now() + LAST_WORDS);
    if timeout_at(deadline, secrets.close()).await.is_err() {
        tracing::warn!("secrets that were leased could not be given back in time, and run out by themselves");
    }
}

/// The secrets of a configuration that is on its way.
struct Resolving {
    secrets: Secrets,
    allow_literals: bool,
    found: Vec<Found>,
    refused: Option<SecretErrors>,
    resolved: Option<Resolved>,
}

impl Resolve for Resolving {
    fn note(&mut self, tree: &Tree, load: &mut dyn FnMut()) {
        let ((), found) = prodkit_secrets::collect(load);
        self.refused = literals::look(&found, tree, self.allow_literals).err();
        self.resolved = None;
        self.found = found;
    }

    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + '_>> {
        Box::pin(async {
            if let Some(refused) = self.refused.take() {
                return Err(refused.into());
            }
            self.resolved = Some(self.secrets.resolve(&self.found).await?);
            Ok(())
        })
    }

    fn taken(&mut self) {
        if let Some(resolved) = self.resolved.take() {
            for warning in resolved.warnings() {
                tracing::warn!("{warning}");
            }
            self.secrets.keep(resolved);
        }
    }
}

impl SecretErrors {
    fn of(text: &str) -> Self {
        Self(vec![text.to_owned()])
    }
}

impl fmt::Display for SecretErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for SecretErrors {}
