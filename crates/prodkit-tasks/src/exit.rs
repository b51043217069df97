use crate::BoxError;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How many causes of an error are written out; an error may name itself as its own source.
const DEPTH: usize = 8;

/// How a task or a hook ended. Its text continues a name: `outbox-relay failed: connection refused`.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Exit {
    /// It ended well.
    Completed,
    /// It ended with an error. The text names its sources as well.
    Failed(Arc<dyn Error + Send + Sync>),
    /// It panicked, with this message.
    Panicked(String),
    /// It was still running at its deadline, and was left behind.
    Abandoned,
}

impl Exit {
    /// Whether it ended well.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Completed)
    }

    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&'static str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "with a payload that is not text".to_owned()))
    }
}

impl From<Result<(), BoxError>> for Exit {
    fn from(result: Result<(), BoxError>) -> Self {
        match result {
            Ok(()) => Self::Completed,
            Err(error) => Self::Failed(error.into()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Failed(error) => {
                let mut text = error.to_string();
                write!(f, "failed: {text}")?;
                let mut source = error.source();
                for _ in 0..DEPTH {
                    let Some(error) = source else { break };
                    let next = error.to_string();
                    // Many errors repeat their source in their own text.
                    if !text.ends_with(&next) {
                        write!(f, ": {next}")?;
                    }
                    text = next;
                    source = error.source();
                }
                Ok(())
            }
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

/// What a step of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Runs once, when the group stops.
    Hook,
    /// Runs until it is told to stop, and is started again when it fails.
    Supervised,
    /// Runs until it is told to stop. The service cannot do without it.
    Task,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hook => "hook",
            Self::Supervised => "supervised",
            Self::Task => "task",
        })
    }
}

/// How one step ended when its group stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// The step's name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// How it ended: long ago, or now.
    pub exit: Exit,
    /// How long the group waited for it.
    pub took: Duration,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind: _, exit, took } = self;
        write!(f, "{name} {exit} ({took:.1?})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Chain(&'static str, Option<Box<Chain>>);

    impl fmt::Display for Chain {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Chain {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|chain| chain as _)
        }
    }

    fn chain(texts: &[&'static str]) -> Exit {
        let chain = texts.iter().rev().fold(None, |below, text| Some(Box::new(Chain(text, below))));
        Exit::from(Err(chain.unwrap() as BoxError))
    }

    #[test]
    fn an_exit_continues_the_name() {
        let table = [
            (Exit::Completed, "completed"),
            (Exit::Abandoned, "abandoned"),
            (Exit::from(Err("no route".into())), "failed: no route"),
            (chain(&["send", "connect", "refused"]), "failed: send: connect: refused"),
            (chain(&["send: refused", "refused", "refused"]), "failed: send: refused"),
            (chain(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]), "failed: 0: 1: 2: 3: 4: 5: 6: 7: 8"),
            (Exit::panicked(&"text"), "panicked: text"),
            (Exit::panicked(&"owned".to_owned()), "panicked: owned"),
            (Exit::panicked(&7), "panicked: with a payload that is not text"),
        ];
        for (exit, text) in table {
            assert_eq!(exit.to_string(), text);
        }
        let took = Duration::from_millis(1234);
        let ended = Ended { name: "relay", kind: Kind::Task, exit: Exit::Abandoned, took };
        assert_eq!(ended.to_string(), "relay abandoned (1.2s)");
    }
}
