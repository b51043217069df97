//! What the store knows about itself.

/// What a [`Recorder`](crate::Recorder) holds and what it had to turn away, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Metrics known.
    pub metrics: usize,
    /// Series held, overflow series included.
    pub series: usize,
    /// Series that expired.
    pub expired: u64,
    /// Registrations that were sent to an overflow series.
    pub overflowed: u64,
    /// Registrations that were dropped because their name is another metric's, or there are too many names.
    pub conflicts: u64,
    /// Values that no histogram can hold: NaN and the infinities.
    pub rejected: u64,
}
