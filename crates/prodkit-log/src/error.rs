use std::fmt;

/// Why a filter was refused, or why the bridge from the `log` crate could not be installed.
///
/// The message is lowercase, fits "failed to {…}" and names the directive at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Kind>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another crate installed its own logger for the `log` crate first.
    BridgeTaken,
    Empty,
    /// `[span{field=value}]=level`, which only a per-span filter could honour.
    SpanDirective(String),
    Target(String),
    TooLong {
        what: &'static str,
        most: usize,
    },
    UnknownLevel {
        directive: String,
        level: String,
        hint: Option<&'static str>,
    },
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::BridgeTaken => f.write_str("install the log bridge: another logger is already installed"),
            Kind::Empty => f.write_str("parse log filter: it is empty; write a level such as `info`"),
            Kind::SpanDirective(directive) => {
                write!(
                    f,
                    "parse log filter: `{directive}`: span and field directives are not supported; write `target=level`"
                )
            }
            Kind::Target(directive) => {
                write!(f, "parse log filter: `{directive}`: the target before `=` is empty or not a path")
            }
            Kind::TooLong { what, most } => write!(f, "parse log filter: more than {most} {what}"),
            Kind::UnknownLevel { directive, level, hint } => {
                write!(f, "parse log filter: `{directive}`: unknown level `{level}`")?;
                match hint {
                    Some(hint) => write!(f, " (did you mean `{hint}`?)"),
                    None if !directive.contains('=') => {
                        write!(f, "; for a target write `{directive}=debug`")
                    }
                    None => f.write_str("; one of off, error, warn, info, debug, trace"),
                }
            }
        }
    }
}

impl std::error::Error for Error {}
