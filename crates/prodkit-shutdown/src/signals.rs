use crate::Signal;
use futures_util::StreamExt as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::{fmt, io};

/// The signals sent to this process, one after the other.
///
/// Install before anything slow: until then a `SIGTERM` kills the process on the spot. Keep it for the whole life of
/// the process and go on receiving: once installed, the default action never comes back, so a second signal that
/// nobody receives is swallowed.
pub struct Signals {
    stream: signal_hook_tokio::Signals,
}

impl Signals {
    /// Takes over `SIGTERM`, `SIGINT` and `SIGHUP` for this process.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime, and when the operating system refuses a handler or a socket pair.
    ///
    /// # Panics
    ///
    /// When the tokio runtime around it was built without I/O (`Builder::enable_io`).
    pub fn install() -> io::Result<Self> {
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let stream = signal_hook_tokio::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        Ok(Self { stream })
    }

    /// Waits for the next signal. Equal signals that arrive faster than they are received may count as one.
    ///
    /// Cancel safe. `None` means that no signal can come any more, which does not happen while this value lives.
    pub async fn recv(&mut self) -> Option<Signal> {
        loop {
            match self.stream.next().await? {
                SIGTERM => return Some(Signal::Terminate),
                SIGINT => return Some(Signal::Interrupt),
                SIGHUP => return Some(Signal::Hangup),
                _ => {}
            }
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}
