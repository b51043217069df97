//! Who this binary is: captured in the crate that is built, because a function cannot know its caller's crate.

/// Name, version, commit and time of a build. Made by [`build!`](crate::build!).
///
/// Unknown parts are left out of logs, metrics and the OTLP resource; none is ever made up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Build {
    pub(crate) name: Option<&'static str>,
    pub(crate) version: Option<&'static str>,
    pub(crate) commit: Option<&'static str>,
    pub(crate) time: Option<&'static str>,
}

impl Build {
    /// A build of which nothing is known: the name comes from `service.name`, `OTEL_SERVICE_NAME` or the executable.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { name: None, version: None, commit: None, time: None }
    }

    /// A build of the package `name` at `version`.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name: Some(name), version: Some(version), ..Self::unknown() }
    }

    /// The source revision, where known.
    #[must_use]
    pub const fn commit(mut self, commit: Option<&'static str>) -> Self {
        self.commit = commit;
        self
    }

    /// When it was built, where known: seconds since 1970 (`SOURCE_DATE_EPOCH`) or any text.
    #[must_use]
    pub const fn time(mut self, time: Option<&'static str>) -> Self {
        self.time = time;
        self
    }
}

/// The [`Build`] of the crate that calls it.
///
/// Name and version are Cargo's. The commit and the time come from `GIT_COMMIT` and `SOURCE_DATE_EPOCH` (the variable of
/// reproducible-builds.org) in the environment of the *build*; set them in the image build, no build script is needed.
///
/// ```
/// let build = prodkit::build!();
/// assert_ne!(build, prodkit::Build::unknown());
/// ```
#[macro_export]
macro_rules! build {
    () => {
        $crate::Build::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .commit(option_env!("GIT_COMMIT"))
            .time(option_env!("SOURCE_DATE_EPOCH"))
    };
}

/// [`run`](fn@crate::run) with the name and the version of the calling crate: `Host::new(prodkit::build!()).run(app)`.
///
/// ```no_run
/// # use prodkit::{App, BoxError, Context};
/// async fn app(_: Context) -> Result<App, BoxError> {
///     Ok(App::new())
/// }
///
/// fn main() -> std::process::ExitCode {
///     prodkit::run!(app)
/// }
/// ```
#[macro_export]
macro_rules! run {
    ($app:expr) => {
        $crate::Host::new($crate::build!()).run($app)
    };
}
