//! Certificates in files: read before anything uses them, and followed from then on.

#[cfg(not(feature = "__tls"))]
pub(crate) use absent::Certificates;
#[cfg(feature = "__tls")]
pub(crate) use present::Certificates;

/// Where a user of TLS has its certificates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// What they are for, as it is shown: `server`.
    #[cfg_attr(not(feature = "__tls"), expect(dead_code, reason = "without TLS nobody shows it"))]
    pub(crate) name: &'static str,
    /// The certificate with its chain, and its key, each with the setting that names it.
    pub(crate) cert: Option<(&'static str, std::path::PathBuf)>,
    pub(crate) key: Option<(&'static str, std::path::PathBuf)>,
    /// Whom to believe.
    pub(crate) roots: Option<(&'static str, std::path::PathBuf)>,
}

impl Files {
    /// Whether no setting names one.
    #[cfg_attr(not(feature = "__vault"), expect(dead_code, reason = "for those who can do without"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.asked_for().is_none()
    }

    /// The first setting that names one.
    fn asked_for(&self) -> Option<&'static str> {
        [&self.cert, &self.key, &self.roots].into_iter().flatten().map(|(setting, _)| *setting).next()
    }
}

#[cfg(not(feature = "__tls"))]
mod absent {
    use super::Files;
    use crate::error::StartError;

    /// There are none in this binary.
    pub(crate) struct Certificates;

    impl Certificates {
        pub(crate) fn new(_: std::time::Duration) -> Self {
            Self
        }

        pub(crate) fn check(files: &Files) -> Result<(), StartError> {
            files.asked_for().map_or(Ok(()), |setting| {
                Err(StartError::setting(setting, "this binary is built without prodkit's feature `tls`"))
            })
        }
    }
}

#[cfg(feature = "__tls")]
mod present {
    use std::collections::BTreeSet;
    use std::fs::{self, File};
    use std::io::{self, Read as _};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use prodkit_health::{Health, Importance, Reporter};
    use prodkit_metrics::Recorder;
    use prodkit_shutdown::Stop;
    use prodkit_tls::{Identity, Live, Roots, Updater};
    use prodkit_watch::{Look, Options, Watch};
    use tokio::time::sleep;
    use zeroize::Zeroizing;

    use super::Files;
    use crate::BoxError;
    use crate::error::{StartError, chain};

    /// The check that says how they are.
    const CHECK: &str = "certificates";
    /// More than any bundle of roots.
    const LARGEST: u64 = 4 << 20;
    /// How often the end of each is looked at, and what was refused is tried again.
    const PERIOD: Duration = Duration::from_secs(60);
    /// A certificate is about to end when less than a tenth of its life is left, but at most this long before.
    const WARNING: Duration = Duration::from_secs(7 * 86_400);

    const EXPIRY: &str = "prodkit_tls_certificate_expiry_timestamp_seconds";
    const RELOADS: &str = "prodkit_tls_certificate_reloads_total";

    /// All that is in use, and what it came from.
    pub(crate) struct Certificates {
        watch: Watch,
        held: Vec<Held>,
    }

    struct Held {
        files: Files,
        identity: Option<Updater<Identity>>,
        roots: Option<Updater<Roots>>,
        /// Why what is in the files now is not in use.
        refused: Option<String>,
    }

    /// What one user of TLS is given.
    #[derive(Clone)]
    pub(crate) struct Given {
        pub(crate) identity: Option<Live<Identity>>,
        pub(crate) roots: Option<Live<Roots>>,
    }

    impl Certificates {
        pub(crate) fn new(poll: Duration) -> Self {
            Self { watch: Watch::new(Options::default().poll(poll)), held: Vec::new() }
        }

        /// What can be said without looking at a file.
        pub(crate) fn check(files: &Files) -> Result<(), StartError> {
            match (&files.cert, &files.key) {
                (Some((setting, _)), None) => {
                    Err(StartError::setting(*setting, "it needs the key beside it"))
                }
                (None, Some((setting, _))) => {
                    Err(StartError::setting(*setting, "it needs the certificate beside it"))
                }
                _ => Ok(()),
            }
        }

        /// Reads the files for the first time, and follows them.
        pub(crate) fn add(&mut self, files: Files) -> Result<Given, StartError> {
            Self::check(&files)?;
            let before = self.held.iter().flat_map(|held| paths(&held.files));
            // first watch, then read
            self.watch.set(before.chain(paths(&files)).map(Path::to_owned).collect::<Vec<_>>());
            let Read { identity, roots } =
                read(&files).map_err(|(setting, error)| StartError::setting(setting, error))?;
            let held = Held {
                identity: identity.map(|identity| Live::channel(identity).0),
                roots: roots.map(|roots| Live::channel(roots).0),
                refused: None,
                files,
            };
            let given = Given {
                identity: held.identity.as_ref().map(Updater::live),
                roots: held.roots.as_ref().map(Updater::live),
            };
            self.held.push(held);
            Ok(given)
        }

        /// Follows the files and watches over the ends, until told to stop. `None` where there is nothing to follow.
        pub(crate) fn task(
            self,
            health: &Health,
            metrics: &Recorder,
        ) -> Result<Option<impl FnOnce(Stop) -> TaskFuture + use<>>, StartError> {
            if self.held.is_empty() {
                return Ok(None);
            }
            let check = health.reporter(CHECK, Importance::Optional, Instant::now());
            let check =
                check.map_err(|error| StartError::setup("the check of the certificates")(error.into()))?;
            metrics.describe(EXPIRY, None, "When a certificate in use ends.");
            metrics.describe(RELOADS, None, "Changed certificate files, by what came of them.");
            for held in &self.held {
                let identity = held.identity.as_ref().map(|identity| identity.live().get().to_string());
                tracing::info!(certificate = held.files.name, identity, "certificate loaded");
            }
            let follower = Follower { own: self, metrics: metrics.clone(), check };
            follower.judge();
            Ok(Some(move |stop: Stop| -> TaskFuture {
                Box::pin(async move {
                    // Nothing is lost with what was not taken.
                    let _ = stop.run_until_stopped(follower.run()).await;
                })
            }))
        }
    }

    type TaskFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

    struct Follower {
        own: Certificates,
        metrics: Recorder,
        check: Reporter,
    }

    impl Follower {
        async fn run(mut self) {
            loop {
                let look = tokio::select! {
                    look = self.own.watch.changed() => Some(look),
                    () = sleep(PERIOD) => None,
                };
                for held in &mut self.own.held {
                    if look.as_ref().map_or(held.refused.is_some(), |look| concerns(look, &held.files)) {
                        held.reload(&self.metrics).await;
                    }
                }
                self.judge();
            }
        }

        /// Tells the ends, and what is wrong.
        fn judge(&self) {
            let now = SystemTime::now();
            let (mut wrong, mut soon) = (Vec::new(), Vec::new());
            for Held { files, identity, refused, .. } in &self.own.held {
                if let Some(reason) = refused {
                    wrong.push(format!("{}: what is in the files now was refused: {reason}", files.name));
                }
                let Some(identity) = identity.as_ref().map(Updater::live) else { continue };
                let identity = identity.get();
                let end = identity.not_after().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.metrics.gauge(EXPIRY, &[("certificate", files.name)]).set(end.as_secs_f64());
                let left = identity.expires_in(now);
                if left.is_zero() {
                    wrong.push(format!("{}: expired: {identity}", files.name));
                } else if left < WARNING.min(identity.lifetime() / 10) {
                    soon.push(format!("{}: about to expire: {identity}", files.name));
                }
            }
            match (wrong.is_empty(), soon.is_empty()) {
                (true, true) => self.check.ok(Instant::now()),
                (true, false) => self.check.degraded(soon.join("; "), Instant::now()),
                (false, _) => {
                    wrong.append(&mut soon);
                    self.check.failing(wrong.join("; "), Instant::now());
                }
            }
        }
    }

    impl Held {
        /// Takes what the files hold now, all of it or nothing.
        async fn reload(&mut self, metrics: &Recorder) {
            let name = self.files.name;
            let count =
                |result| metrics.counter(RELOADS, &[("certificate", name), ("result", result)]).increment(1);
            match self.take().await {
                Ok(()) => {
                    self.refused = None;
                    count("taken");
                    let identity = self.identity.as_ref().map(|identity| identity.live().get().to_string());
                    tracing::info!(certificate = name, identity, "certificate reloaded");
                }
                Err(reason) if self.refused.as_ref() == Some(&reason) => {}
                Err(reason) => {
                    count("refused");
                    tracing::error!(
                        certificate = name,
                        error = reason,
                        "new certificate refused, the last good one stays"
                    );
                    self.refused = Some(reason);
                }
            }
        }

        async fn take(&self) -> Result<(), String> {
            let Read { identity, roots } =
                read(&self.files).map_err(|(setting, error)| format!("{setting}: {}", chain(&*error)))?;
            let identity = self.identity.as_ref().zip(identity).map(|(updater, new)| updater.stage(new));
            let roots = self.roots.as_ref().zip(roots).map(|(updater, new)| updater.stage(new));
            let change = match (identity, roots) {
                (Some(identity), Some(roots)) => identity.join(roots),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return Ok(()),
            };
            change.prepare().await.map_err(|error| chain(&error))?.commit();
            Ok(())
        }
    }

    struct Read {
        identity: Option<Identity>,
        roots: Option<Roots>,
    }

    /// What the files hold, or the setting at fault.
    fn read(files: &Files) -> Result<Read, (&'static str, BoxError)> {
        let bytes = |(setting, path): &(&'static str, PathBuf)| {
            bounded(path).map_err(|error| (*setting, format!("{}: {error}", path.display()).into()))
        };
        let identity = match files.cert.as_ref().zip(files.key.as_ref()) {
            None => None,
            Some((cert, key)) => {
                let identity = Identity::from_pem(&bytes(cert)?, &bytes(key)?, SystemTime::now());
                Some(identity.map_err(|error| (cert.0, with_path(&cert.1, &error)))?)
            }
        };
        let roots = match &files.roots {
            None => None,
            Some(file) => {
                let roots = Roots::from_pem(&bytes(file)?);
                Some(roots.map_err(|error| (file.0, with_path(&file.1, &error)))?)
            }
        };
        Ok(Read { identity, roots })
    }

    fn with_path(path: &Path, error: &prodkit_tls::Error) -> BoxError {
        format!("{}: {}", path.display(), chain(error)).into()
    }

    /// A regular file of a size that makes sense; nothing that could be waited for.
    fn bounded(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut bytes =
            Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len().min(LARGEST)).unwrap_or(0) + 1));
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            Err(io::Error::other("it is larger than 4 MiB"))
        } else {
            Ok(bytes)
        }
    }

    fn paths(files: &Files) -> impl Iterator<Item = &Path> {
        [&files.cert, &files.key, &files.roots].into_iter().flatten().map(|(_, path)| path.as_path())
    }

    fn concerns(look: &Look, files: &Files) -> bool {
        let changed: BTreeSet<_> = look.paths().iter().collect();
        look.forced()
            || paths(files).any(|path| std::path::absolute(path).is_ok_and(|path| changed.contains(&path)))
    }
}
