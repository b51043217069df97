use std::borrow::Cow;
use std::fmt;

/// Why the process stops. Its text reads well in the middle of a log line: `SIGTERM`, `task outbox-relay failed`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system asked.
    Signal(Signal),
    /// A task that the process cannot do without ended with an error or a panic.
    TaskFailed {
        /// The task's name.
        task: Cow<'static, str>,
    },
    /// Somebody inside asked: the application, or an operator through the admin port.
    Requested {
        /// Who asked, as one word or two: `application`, `admin`.
        by: Cow<'static, str>,
    },
}

impl Cause {
    /// [`Cause::TaskFailed`].
    pub fn task_failed(task: impl Into<Cow<'static, str>>) -> Self {
        Self::TaskFailed { task: task.into() }
    }

    /// [`Cause::Requested`].
    pub fn requested(by: impl Into<Cow<'static, str>>) -> Self {
        Self::Requested { by: by.into() }
    }

    /// Whether the platform knows that this process is going away.
    ///
    /// Kubernetes sends a signal and takes the pod out of its endpoints at the same moment. In every other case it
    /// learns of the stop only from failing readiness probes, which takes longer.
    pub fn is_announced(&self) -> bool {
        matches!(self, Self::Signal(_))
    }
}

impl From<Signal> for Cause {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::TaskFailed { task } => write!(f, "task {task} failed"),
            Self::Requested { by } => write!(f, "requested by {by}"),
        }
    }
}

/// A signal that means something to a service. Its text is the signal's POSIX name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGHUP`: look at the configuration again. The one signal here that does not ask to stop.
    Hangup,
    /// `SIGINT`: stop, asked from a terminal.
    Interrupt,
    /// `SIGTERM`: stop, asked by a supervisor. Kubernetes, systemd and Docker send it.
    Terminate,
}

impl Signal {
    /// The POSIX name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// Whether the signal asks the process to stop.
    pub fn asks_to_stop(self) -> bool {
        matches!(self, Self::Interrupt | Self::Terminate)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well_in_a_log_line() {
        let table = [
            (Cause::Signal(Signal::Terminate), "SIGTERM", true),
            (Cause::from(Signal::Interrupt), "SIGINT", true),
            (Cause::task_failed("outbox-relay"), "task outbox-relay failed", false),
            (Cause::requested("admin"), "requested by admin", false),
        ];
        for (cause, text, announced) in table {
            assert_eq!(cause.to_string(), text);
            assert_eq!(cause.is_announced(), announced, "{text}");
        }
    }

    #[test]
    fn a_hangup_does_not_ask_to_stop() {
        assert!(!Signal::Hangup.asks_to_stop());
        assert!(Signal::Interrupt.asks_to_stop() && Signal::Terminate.asks_to_stop());
    }
}
