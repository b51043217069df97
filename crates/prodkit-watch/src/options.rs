use std::time::Duration;

/// How to watch. The defaults suit a service's configuration and secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Options {
    pub(crate) poll: Duration,
    pub(crate) quiet: Duration,
    pub(crate) events: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { poll: Duration::from_secs(15), quiet: Duration::from_millis(100), events: true }
    }
}

impl Options {
    /// How often everything is checked without an event: 15 seconds by default, between 10 milliseconds and a
    /// day.
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every.clamp(Duration::from_millis(10), Duration::from_secs(86_400));
        self
    }

    /// How long a file that is being written must be quiet before it is looked at: 100 milliseconds by default. A file
    /// whose writer closes it is not waited for, one whose writer never stops is looked at after a second.
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet.min(crate::signs::LONGEST);
        self
    }

    /// Does without events of the operating system, for a file system known to send none.
    pub fn poll_only(mut self) -> Self {
        self.events = false;
        self
    }
}
