//! The end of a server, in three moments.

use prodkit_shutdown::Stop;
use std::time::Duration;

/// When a server gets polite, closes, and gives up.
///
/// | moment | from then on |
/// |---|---|
/// | `polite` | everything is accepted and served as before; HTTP/1 responses carry `Connection: close`; each HTTP/2 connection gets a graceful GOAWAY at a random moment of the [`window`](Self::window) |
/// | `close` | what the kernel had already accepted is taken in, then the listener closes; idle connections close at once, HTTP/2 ones get their GOAWAY; requests in flight, streams and upgraded connections go on to their end |
/// | `abort` | what is left is cut |
///
/// The polite phase is what makes a rolling update lossless: clients that hold persistent connections leave of their
/// own accord, while nobody is refused yet.
#[derive(Clone, Debug)]
#[must_use = "a drain does nothing until given to `serve`"]
pub struct Drain {
    pub(crate) polite: Stop,
    pub(crate) close: Stop,
    pub(crate) abort: Stop,
    pub(crate) window: Duration,
}

impl Drain {
    /// Drains at these moments. A moment that comes before an earlier one includes it.
    pub fn new(polite: Stop, close: Stop, abort: Stop) -> Self {
        Self { polite, close, abort, window: Duration::ZERO }
    }

    /// The time from `polite` over which HTTP/2 connections are told to go, so that they do not all come back to the
    /// others in the same instant. Best the time that lies between `polite` and `close`. Default zero: all at once.
    pub fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }
}

impl Default for Drain {
    /// Never ends.
    fn default() -> Self {
        Self::new(Stop::never(), Stop::never(), Stop::never())
    }
}

/// How the end of a server went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were still open when `abort` came; 0 is a clean end.
    pub connections_cut: usize,
    /// Requests on them that were not answered in full, upgraded connections included.
    pub requests_cut: usize,
    /// The time from `close` to the end.
    pub took: Duration,
}

/// How far a server has come towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    Polite,
    Closing,
    Aborting,
}

impl Stage {
    pub(crate) fn from_u8(stage: u8) -> Self {
        match stage {
            0 => Self::Serving,
            1 => Self::Polite,
            2 => Self::Closing,
            _ => Self::Aborting,
        }
    }
}
