//! The command line every app has.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::Build;
use crate::exit::Exit;

#[derive(Debug, Parser)]
#[command(disable_version_flag = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print name, version, commit and build time
    #[arg(long, short = 'V', display_order = 998)]
    version: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  stopped in order
   1  the app or its job failed, or a port could not be bound
   2  ended at once by a second signal
   3  the grace period ran out
   4  a critical task failed
  64  the command line makes no sense
  78  the configuration is wrong";

// Where settings come from, besides the environment. (A doc comment would become the head of the help.)
//
// Given to each command by itself: clap's `global` forgets what stands in front of a command when there is some behind it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Sources {
    /// A configuration file or directory (YAML, TOML or JSON); later ones win
    #[arg(long = "config", short = 'c', value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// As --config, below every --config, and nothing where it does not exist: for the default command of an image
    #[arg(long = "optional-config", value_name = "PATH")]
    pub(crate) optional_files: Vec<PathBuf>,
    /// One value, over every file and variable: --set server.port=8081
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Sources {
    fn for_all(command: clap::Command) -> clap::Command {
        Self::augment_args(command).mut_subcommands(Self::for_all)
    }

    /// Those of the whole line, from left to right.
    fn of_all(mut matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut all = Self::from_arg_matches(matches)?;
        while let Some((_, command)) = matches.subcommand() {
            let Self { files, optional_files, set } = Self::from_arg_matches(command)?;
            all.files.extend(files);
            all.optional_files.extend(optional_files);
            all.set.extend(set);
            matches = command;
        }
        Ok(all)
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Subcommand)]
pub(crate) enum Command {
    /// Run the service (the default)
    #[default]
    Run,
    /// Ask the running service for its health: exit 0 when good. For HEALTHCHECK and exec probes
    Health {
        /// Which probe to ask
        #[arg(value_enum, default_value_t)]
        probe: Probe,
    },
    /// Look at the configuration without starting
    Config {
        #[command(subcommand)]
        what: Config,
    },
    /// Look at where telemetry goes
    Otel {
        #[command(subcommand)]
        what: Otel,
    },
    /// Print name, version, commit and build time
    Version,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Otel {
    /// Connect to the collector, send one of each that is exported, and print what it answers: exit 0 when all is taken
    Doctor,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Config {
    /// Check it: exit 0, or 78 with every error
    Check,
    /// Print every value that is set and where it was set
    Show,
    /// Print a file with every key, what it means and its default; it loads as it is
    #[cfg(feature = "schema")]
    Sample,
    /// Print the JSON Schema of the file, for editors and CI
    #[cfg(feature = "schema")]
    Schema,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Probe {
    Startup,
    Live,
    #[default]
    Ready,
}

impl Probe {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Startup => "/health/startup",
            Self::Live => "/health/live",
            Self::Ready => "/health/ready",
        }
    }
}

impl Cli {
    /// Parses the arguments after the program's name. An `Err` has been printed: `--help` and usage errors end here.
    pub(crate) fn parse_from(build: Build, arguments: Vec<OsString>) -> Result<(Sources, Command), Exit> {
        let command = match build.name {
            Some(name) => Self::command().name(name),
            None => Self::command(),
        };
        let parsed = Sources::for_all(command)
            .try_get_matches_from(arguments)
            .and_then(|matches| Ok((Sources::of_all(&matches)?, Self::from_arg_matches(&matches)?)));
        match parsed {
            Ok((sources, Self { version: true, .. })) => Ok((sources, Command::Version)),
            Ok((sources, Self { command, .. })) => Ok((sources, command.unwrap_or_default())),
            Err(error) => {
                // Standard output may be closed; there is nobody left to tell.
                let _ = error.print();
                Err(if error.use_stderr() { Exit::Usage } else { Exit::Clean })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(Sources, Command), Exit> {
        let arguments = std::iter::once("app").chain(line.split_whitespace()).map(OsString::from).collect();
        Cli::parse_from(Build::new("app", "0.0.0"), arguments)
    }

    #[test]
    fn the_command_line_is_sound() {
        Sources::for_all(Cli::command()).debug_assert();
    }

    #[test]
    fn running_is_the_default_and_sources_may_stand_on_either_side() {
        assert_eq!(parse("").unwrap().1, Command::Run);
        for line in ["--config a --set b.c=1 config show", "config show --config a --set b.c=1"] {
            let (sources, command) = parse(line).unwrap();
            assert_eq!(command, Command::Config { what: Config::Show });
            assert_eq!((sources.files, sources.set), (vec![PathBuf::from("a")], vec!["b.c=1".to_owned()]));
        }
        let (sources, _) = parse("-c a --set a=1 config -c b show -c c --set b=2").unwrap();
        assert_eq!(sources.files, [PathBuf::from("a"), PathBuf::from("b"), PathBuf::from("c")]);
        assert_eq!(sources.set, ["a=1", "b=2"], "on both sides");
        let (sources, _) = parse("-c a -c b").unwrap();
        assert_eq!(sources.files, [PathBuf::from("a"), PathBuf::from("b")]);
    }

    #[test]
    fn the_version_may_be_asked_for_either_way() {
        for line in ["version", "--version", "-V"] {
            assert_eq!(parse(line).unwrap().1, Command::Version, "{line}");
        }
    }

    #[test]
    fn help_speaks_of_the_service() {
        let help = Sources::for_all(Cli::command().name("app")).render_help().to_string();
        assert!(help.starts_with("Usage: app"), "{help}");
        assert!(help.contains("--config") && help.contains("78  the configuration is wrong"), "{help}");
    }

    #[test]
    fn readiness_is_what_health_asks_for() {
        assert_eq!(parse("health").unwrap().1, Command::Health { probe: Probe::Ready });
        assert_eq!(parse("health live").unwrap().1, Command::Health { probe: Probe::Live });
    }

    #[test]
    fn what_a_file_may_say_is_asked_for_where_the_feature_is() {
        for line in ["config sample", "config schema"] {
            assert_eq!(parse(line).is_ok(), cfg!(feature = "schema"), "{line}");
        }
    }

    #[test]
    fn nonsense_is_a_usage_error_and_help_is_not() {
        assert_eq!(parse("otel doctor").unwrap().1, Command::Otel { what: Otel::Doctor });
        for line in ["--nonsense", "health maybe", "config", "otel", "version extra"] {
            assert_eq!(parse(line).unwrap_err(), Exit::Usage, "{line}");
        }
        assert_eq!(parse("--help").unwrap_err(), Exit::Clean);
    }
}
