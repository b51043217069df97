//! The arithmetic of what became of everything offered.

use crate::Tally;

/// The books of one signal. What is settled, dropped or failed stays so; closing them settles the rest.
#[derive(Debug, Default)]
pub(crate) struct Books {
    offered: u64,
    exported: u64,
    dropped: u64,
    failed: u64,
    /// Sent and not settled yet.
    in_flight: u64,
    closed: bool,
}

/// How many items of a batch ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) exported: u64,
    pub(crate) failed: u64,
}

impl Books {
    pub(crate) fn offer(&mut self, n: u64) {
        self.offered += n;
    }

    pub(crate) fn drop(&mut self, n: u64) {
        self.dropped += n;
    }

    pub(crate) fn send(&mut self, n: u64) {
        self.in_flight += n;
    }

    /// Without effect once closed: what was in flight then has been written off.
    pub(crate) fn settle(&mut self, Settled { exported, failed }: Settled) {
        if !self.closed {
            self.exported += exported;
            self.failed += failed;
            self.in_flight = self.in_flight.saturating_sub(exported + failed);
        }
    }

    /// Counts what is in flight as failed, for good.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.failed += std::mem::take(&mut self.in_flight);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The numbers, with so many items waiting.
    pub(crate) fn tally(&self, waiting: u64) -> Tally {
        let Self { offered, exported, dropped, failed, in_flight, closed: _ } = *self;
        Tally { offered, exported, dropped, failed, queued: in_flight + waiting }
    }
}
