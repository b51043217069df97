//! From the command line to what it asks for.

use std::fmt::Display;
use std::future::Future;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::certificates::Certificates;
use crate::cli::{self, Command, Config, Otel, Probe, Sources};
use crate::environment::Environment;
use crate::error::{StartError, chain};
use crate::exit::Exit;
use crate::identity::Identity;
use crate::load::LoadError;
use crate::settings::Settings;
use crate::{App, BoxError, Build, Context, lifecycle, load, otlp};

/// What the `health` command may take before no answer counts as a bad one: the kubelet's own default.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs `app`: reads settings, starts it, serves until told to stop, stops in order, and returns the exit code.
///
/// The name of the service comes from `service.name`, `OTEL_SERVICE_NAME` or the executable;
/// [`run!`](crate::run!) knows it from Cargo, with the version.
///
/// Name the function: a closure literal cannot infer its error type (E0283).
///
/// ```no_run
/// use prodkit::{App, BoxError, Context};
///
/// async fn app(_: Context) -> Result<App, BoxError> {
///     Ok(App::new())
/// }
///
/// fn main() -> std::process::ExitCode {
///     prodkit::run(app)
/// }
/// ```
pub fn run<C, F, Fut, E>(app: F) -> ExitCode
where
    C: DeserializeOwned + Send + Sync + 'static,
    F: FnOnce(Context<C>) -> Fut,
    Fut: Future<Output = Result<App, E>>,
    E: Into<BoxError>,
{
    Host::new(Build::unknown()).run(app)
}

/// [`run`] with knobs: what must be known before anything starts and is no setting of an operator.
#[derive(Clone, Debug)]
#[must_use = "a Host does nothing until `run`"]
pub struct Host {
    pub(crate) build: Build,
    pub(crate) buckets: Vec<(&'static str, &'static [f64])>,
    #[cfg(feature = "schema")]
    described: Option<crate::schema::Described>,
}

impl Host {
    /// A host for this build; see [`build!`](crate::build!).
    pub const fn new(build: Build) -> Self {
        Self {
            build,
            buckets: Vec::new(),
            #[cfg(feature = "schema")]
            described: None,
        }
    }

    /// The bucket bounds of the histogram `name`; others have 0.001 0.005 0.01 0.05 0.1 0.5 1 5.
    ///
    /// Bounds that are not finite and rising are an error at start.
    pub fn buckets(mut self, name: &'static str, bounds: &'static [f64]) -> Self {
        self.buckets.push((name, bounds));
        self
    }

    /// Describes the app's own configuration, so that `config sample` and `config schema` show all of the file. Feature
    /// `schema`.
    ///
    /// The doc comment of a field is what the operator reads. Its default is known where the type implements
    /// `Serialize`; what is required takes its value from `#[schemars(example = …)]`, or else a plain one of its type. A
    /// field with `#[serde(with = "duration")]` needs `#[schemars(with = "Duration")]` beside it; one of type `Duration`
    /// needs neither.
    ///
    /// ```no_run
    /// use prodkit::{App, BoxError, Context, Host};
    ///
    /// #[derive(Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
    /// #[serde(default)]
    /// struct Config {
    ///     /// What to say. Default: nothing.
    ///     greeting: String,
    /// }
    ///
    /// async fn app(_: Context<Config>) -> Result<App, BoxError> {
    ///     Ok(App::new())
    /// }
    ///
    /// fn main() -> std::process::ExitCode {
    ///     Host::new(prodkit::build!()).schema::<Config>().run(app)
    /// }
    /// ```
    ///
    /// Without it the two commands show the sections of prodkit only, and say so. If `C` is not what the app takes, they
    /// fail.
    #[cfg(feature = "schema")]
    pub fn schema<C: schemars::JsonSchema + 'static>(mut self) -> Self {
        self.described = Some(crate::schema::Described::new::<C>());
        self
    }

    /// Does what the command line says; without a command, runs `app` as [`run`] does.
    pub fn run<C, F, Fut, E>(self, app: F) -> ExitCode
    where
        C: DeserializeOwned + Send + Sync + 'static,
        F: FnOnce(Context<C>) -> Fut,
        Fut: Future<Output = Result<App, E>>,
        E: Into<BoxError>,
    {
        let exit = match cli::parse(self.build, std::env::args_os().collect()) {
            Ok((sources, command)) => self.obey(&sources, command, app),
            Err(exit) => exit,
        };
        exit.into()
    }

    fn obey<C, F, Fut, E>(&self, sources: &Sources, command: Command, app: F) -> Exit
    where
        C: DeserializeOwned + Send + Sync + 'static,
        F: FnOnce(Context<C>) -> Fut,
        Fut: Future<Output = Result<App, E>>,
        E: Into<BoxError>,
    {
        let environment = Environment::read().below(&sources.set);
        match command {
            Command::Run => return lifecycle::run(self, &environment, sources, app),
            // What a file may say has nothing to do with what it says now.
            #[cfg(feature = "schema")]
            Command::Config { what: what @ (Config::Sample | Config::Schema) } => {
                return self.describe::<C>(what == Config::Sample);
            }
            _ => {}
        }
        let load::Read { tree, loaded, warnings } = match load::both::<C>(sources, &environment) {
            Ok(read) => read,
            Err(errors) => return self.refuse(&errors),
        };
        match command {
            Command::Run => Exit::Clean,
            Command::Config { what } => {
                for warning in loaded.warnings.iter().map(ToString::to_string).chain(warnings) {
                    self.complain(format_args!("warning: {warning}"));
                }
                match what {
                    Config::Show => self.print(tree.show().hiding(&loaded.secrets)),
                    // Answered above.
                    #[cfg(feature = "schema")]
                    Config::Sample | Config::Schema => Exit::Clean,
                    Config::Check => otlp::check(&loaded.settings, &environment)
                        .and_then(|()| Certificates::check(&loaded.settings.server.tls.files()))
                        .map_or_else(|error| self.fail(&error), |()| Exit::Clean),
                }
            }
            Command::Health { probe } => self.health(&loaded.settings, probe),
            Command::Otel { what: Otel::Doctor } => self.doctor(&loaded.settings, &environment),
            Command::Version => self.version(&loaded.settings),
        }
    }

    #[cfg(feature = "schema")]
    fn describe<C: 'static>(&self, sample: bool) -> Exit {
        let app = match crate::schema::Described::of_app::<C>(self.described) {
            Ok(app) => app,
            Err(error) => {
                self.complain(error);
                return Exit::App;
            }
        };
        let executable = std::env::current_exe().ok();
        let service = Identity::new(self.build, &Settings::default().service, executable.as_deref()).name;
        let schema = crate::schema::file(&service, app);
        if sample {
            self.print(crate::sample::file(&service, &schema))
        } else {
            self.print(format_args!("{schema:#}"))
        }
    }

    fn version(&self, settings: &Settings) -> Exit {
        let identity = Identity::new(self.build, &settings.service, std::env::current_exe().ok().as_deref());
        let Build { commit, time, .. } = self.build;
        let version = identity.version.as_deref().unwrap_or("(unknown version)");
        let extra = |what: &str, value: Option<&str>| {
            value.map(|value| format!(" {what} {value}")).unwrap_or_default()
        };
        self.print(format_args!(
            "{} {version}{}{}",
            identity.name,
            extra("commit", commit),
            extra("built", time)
        ))
    }

    /// Asks the collector.
    fn doctor(&self, settings: &Settings, environment: &Environment) -> Exit {
        let identity = Identity::new(self.build, &settings.service, std::env::current_exe().ok().as_deref());
        let mut warnings = Vec::new();
        let findings = otlp::examine(settings, &identity, environment, &mut warnings);
        for warning in &warnings {
            self.complain(format_args!("warning: {warning}"));
        }
        match findings {
            Err(error) => self.fail(&error),
            Ok(findings) if findings.is_empty() => {
                self.complain("nothing is exported: set otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT");
                Exit::App
            }
            Ok(findings) => {
                let all_good = findings.iter().all(|(_, is_good)| *is_good);
                let said: Vec<_> = findings.into_iter().map(|(finding, _)| finding).collect();
                let printed = self.print(said.join("\n"));
                if all_good { printed } else { Exit::App }
            }
        }
    }

    /// Asks the running service. Blocking and without a runtime: a probe that execs this has a millisecond's worth of
    /// patience with it.
    fn health(&self, settings: &Settings, probe: Probe) -> Exit {
        match ask(&settings.admin.host, settings.admin.port, probe.path()) {
            Ok((200, body)) => self.print(body),
            Ok((status, body)) => {
                self.complain(format_args!("{} answered {status}: {body}", probe.path()));
                Exit::App
            }
            Err(error) => {
                self.complain(format_args!("failed to ask {}: {error}", probe.path()));
                Exit::App
            }
        }
    }

    /// For a configuration that is wrong.
    pub(crate) fn refuse(&self, errors: &LoadError) -> Exit {
        self.complain(format_args!("failed to load the configuration\n{errors}"));
        Exit::Config
    }

    /// For errors that come before there is a log.
    pub(crate) fn fail(&self, error: &StartError) -> Exit {
        self.complain(chain(error));
        error.exit()
    }

    fn print(&self, what: impl Display) -> Exit {
        let mut stdout = std::io::stdout();
        match writeln!(stdout, "{}", what.to_string().trim_end()).and_then(|()| stdout.flush()) {
            // Whoever closed standard output early, `head` for one, has read what it wanted.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                self.complain(format_args!("failed to write to standard output: {error}"));
                Exit::App
            }
            _ => Exit::Clean,
        }
    }

    fn complain(&self, what: impl Display) {
        let name = self.build.name.unwrap_or("prodkit");
        // Standard error may be closed; there is nobody left to tell.
        let _ = writeln!(std::io::stderr(), "{name}: {what}");
    }
}

/// One GET to the admin port of this machine; status and body.
fn ask(host: &str, port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let (address, mut stream) = connect(host, port)?;
    stream.set_read_timeout(Some(HEALTH_TIMEOUT))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(ErrorKind::InvalidData)?, body.to_owned()))
}

/// To where the server listens: it takes the first address of a name that can be bound, so any of them may be it.
fn connect(host: &str, port: u16) -> std::io::Result<(SocketAddr, TcpStream)> {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses: Vec<_> = match name.parse::<IpAddr>() {
        // "every address" is where a server listens, not where a client connects; `::` may have become `0.0.0.0`
        Ok(ip) if ip.is_unspecified() => local.map(|ip| SocketAddr::new(ip, port)).into(),
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => (name, port).to_socket_addrs()?.collect(),
    };
    let mut failure = ErrorKind::NotFound.into();
    for address in addresses {
        match TcpStream::connect_timeout(&address, HEALTH_TIMEOUT) {
            Ok(stream) => return Ok((address, stream)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_health_command_finds_the_server_wherever_its_host_lets_it_listen() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        for host in ["0.0.0.0", "127.0.0.1", "localhost", "::", "[::]"] {
            assert!(connect(host, v4.local_addr().unwrap().port()).is_ok(), "{host}");
        }
        // not every machine has IPv6
        if let Ok(v6) = TcpListener::bind("[::1]:0") {
            for host in ["::1", "[::1]", "::"] {
                assert!(connect(host, v6.local_addr().unwrap().port()).is_ok(), "{host}");
            }
        }
    }
}
