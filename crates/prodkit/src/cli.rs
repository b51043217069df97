//! The command line every app has.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};

use crate::Build;
use crate::exit::Exit;

/// Where settings come from, besides the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) optional_files: Vec<PathBuf>,
    pub(crate) set: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    Run,
    Health { probe: Probe },
    Config { what: Config },
    Otel { what: Otel },
    Version,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Otel {
    Doctor,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Config {
    Check,
    Show,
    #[cfg(feature = "schema")]
    Sample,
    #[cfg(feature = "schema")]
    Schema,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Probe {
    Startup,
    Live,
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

/// What may be said, as it is said, what the help has for it, and what it means. Words in brackets may be left out.
const COMMANDS: &[(&str, &str, Command)] = &[
    ("run", "Run the service (the default)", Command::Run),
    (
        "health [ready]",
        "Ask the running service whether it is ready: exit 0 when it is. For HEALTHCHECK and exec probes",
        Command::Health { probe: Probe::Ready },
    ),
    ("health startup", "The same for its startup", Command::Health { probe: Probe::Startup }),
    ("health live", "The same for its liveness", Command::Health { probe: Probe::Live }),
    (
        "config check",
        "Check the configuration: exit 0, or 78 with every error",
        Command::Config { what: Config::Check },
    ),
    (
        "config show",
        "Print every value that is set and where it was set",
        Command::Config { what: Config::Show },
    ),
    #[cfg(feature = "schema")]
    (
        "config sample",
        "Print a file with every key, what it means and its default; it loads as it is",
        Command::Config { what: Config::Sample },
    ),
    #[cfg(feature = "schema")]
    (
        "config schema",
        "Print the JSON Schema of the file, for editors and CI",
        Command::Config { what: Config::Schema },
    ),
    (
        "otel doctor",
        "Send the collector one of each that is exported, and print its answers: exit 0 when all is taken",
        Command::Otel { what: Otel::Doctor },
    ),
    ("version", "Print name, version, commit and build time", Command::Version),
];

const OPTIONS: &str = "\
Options, before or behind the command:
  -c, --config <PATH>           A configuration file or directory (YAML, TOML or JSON); later ones win
      --optional-config <PATH>  As --config, below every --config, and nothing where it does not exist: for the default
                                command of an image
      --set <KEY=VALUE>         One value, over every file and variable: --set server.port=8081
  -V, --version                 As the command
  -h, --help                    Print this

Exit codes:
   0  stopped in order
   1  the app or its job failed, or a port could not be bound
   2  ended at once by a second signal
   3  the grace period ran out
   4  a critical task failed
  64  the command line makes no sense
  78  the configuration is wrong
";

/// What a command line comes to.
#[derive(Debug)]
enum Asked {
    Do(Sources, Command),
    Help,
}

/// Reads the arguments. An `Err` has been printed: `--help` and mistakes end here.
pub(crate) fn parse(build: Build, arguments: Vec<OsString>) -> Result<(Sources, Command), Exit> {
    let mut parser = Parser::from_iter(arguments);
    let name = match build.name {
        Some(name) => name.to_owned(),
        None => parser.bin_name().unwrap_or("app").to_owned(),
    };
    // Either may be closed: there is nobody left to tell.
    match read(&mut parser) {
        Ok(Asked::Do(sources, command)) => Ok((sources, command)),
        Ok(Asked::Help) => {
            let _ = std::io::stdout().write_all(help(&name).as_bytes());
            Err(Exit::Clean)
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}\n\n`{name} --help` says what there is.");
            Err(Exit::Usage)
        }
    }
}

fn read(parser: &mut Parser) -> Result<Asked, lexopt::Error> {
    let (mut sources, mut words, mut is_version) = (Sources::default(), Vec::new(), false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('c') | Arg::Long("config") => sources.files.push(value(parser, "--config")?.into()),
            Arg::Long("optional-config") => {
                sources.optional_files.push(value(parser, "--optional-config")?.into());
            }
            Arg::Long("set") => sources.set.push(value(parser, "--set")?.string()?),
            Arg::Short('V') | Arg::Long("version") => is_version = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Value(word) => words.push(word.string()?),
            Arg::Short(_) | Arg::Long(_) => return Err(argument.unexpected()),
        }
    }
    let command = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        _ if is_version => Command::Version,
        [] => Command::Run,
        ["help", ..] => return Ok(Asked::Help),
        [first, ref rest @ ..] => command(first, rest)?,
    };
    Ok(Asked::Do(sources, command))
}

/// The value of an option, which is the next argument: one that looks like an option has to be joined to it by `=`.
fn value(parser: &mut Parser, option: &str) -> Result<OsString, lexopt::Error> {
    if let Some(value) = parser.optional_value() {
        return Ok(value);
    }
    let missing = || lexopt::Error::from(format!("{option} needs a value"));
    let mut rest = parser.raw_args()?;
    rest.next_if(|next| !next.as_encoded_bytes().starts_with(b"-") || next == "-").ok_or_else(missing)
}

fn command(first: &str, rest: &[&str]) -> Result<Command, lexopt::Error> {
    let words = [&[first], rest].concat();
    if let Some((.., command)) = COMMANDS.iter().find(|(said, ..)| says(said, &words)) {
        return Ok(*command);
    }
    let known = COMMANDS.iter().map(|(said, ..)| *said);
    let alike = known.filter(|said| said.split(' ').next() == Some(first)).collect::<Vec<_>>().join(", ");
    let words = words.join(" ");
    Err(match (&*alike, rest) {
        ("", _) => format!("there is no command {words:?}"),
        (_, []) => format!("{words:?} is not all of it: {alike}"),
        _ => format!("there is no command {words:?}, but {alike}"),
    }
    .into())
}

/// Whether these words are what is to be said.
fn says(said: &str, words: &[&str]) -> bool {
    let mut words = words.iter();
    let all =
        said.split(' ').all(|word| match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
            Some(word) => words.next().is_none_or(|next| *next == word),
            None => words.next() == Some(&word),
        });
    all && words.next().is_none()
}

fn help(name: &str) -> String {
    let widest = COMMANDS.iter().map(|(said, ..)| said.len()).max().unwrap_or_default();
    let lines = COMMANDS.iter().map(|(said, summary, _)| format!("  {said:widest$}  {summary}\n"));
    let commands: String = lines.collect();
    format!("Usage: {name} [OPTIONS] [COMMAND]\n\nCommands:\n{commands}\n{OPTIONS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(Sources, Command), Exit> {
        let arguments = std::iter::once("app").chain(line.split_whitespace()).map(OsString::from).collect();
        super::parse(Build::new("app", "0.0.0"), arguments)
    }

    fn mistake(line: &str) -> String {
        read(&mut Parser::from_args(line.split_whitespace())).unwrap_err().to_string()
    }

    #[test]
    fn each_command_is_what_the_help_calls_it() {
        for (said, _, command) in COMMANDS {
            let without = said.replace(['[', ']'], "");
            assert_eq!(parse(&without).unwrap().1, *command, "{said}");
            let least = said.split(" [").next().unwrap();
            assert_eq!(parse(least).unwrap().1, *command, "{said}");
        }
    }

    #[test]
    fn values_may_be_joined_and_are_none_where_an_option_follows() {
        let (sources, _) = parse("--config=a -cb -c=c --set=a=-1 --optional-config=--odd -c -").unwrap();
        assert_eq!(sources.files, ["a", "b", "c", "-"].map(PathBuf::from));
        assert_eq!((sources.set, sources.optional_files), (vec!["a=-1".to_owned()], vec!["--odd".into()]));
        for (line, said) in [
            ("--config", "--config needs a value"),
            ("-c --set a=1", "--config needs a value"),
            ("--set", "--set needs a value"),
            ("run --set -V", "--set needs a value"),
            ("--version=1", "unexpected argument for option '--version': \"1\""),
            ("--nonsense", "invalid option '--nonsense'"),
            ("nonsense", "there is no command \"nonsense\""),
            ("config", "\"config\" is not all of it: config check, config show"),
            (
                "health maybe",
                "there is no command \"health maybe\", but health [ready], health startup, health live",
            ),
            ("version extra", "there is no command \"version extra\", but version"),
        ] {
            let told = mistake(line);
            assert!(told.starts_with(said), "{line}: {told}");
        }
    }

    #[test]
    fn an_argument_that_is_no_text_is_a_path_at_most() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = OsString::from_vec(vec![0xff, b'a']);
        let Asked::Do(sources, _) = read(&mut Parser::from_args(["-c".into(), odd.clone()])).unwrap() else {
            panic!("no command");
        };
        assert_eq!(sources.files, [PathBuf::from(&odd)]);
        assert!(read(&mut Parser::from_args(["--set".into(), odd.clone()])).is_err());
        assert!(read(&mut Parser::from_args([odd])).is_err());
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
        let help = help("app");
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
        for line in ["--help", "-h", "help", "help config", "config show --help"] {
            assert_eq!(parse(line).unwrap_err(), Exit::Clean, "{line}");
        }
    }
}
