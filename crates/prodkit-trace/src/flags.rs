//! The flags that travel with a trace.

use crate::hex;
use std::fmt;
use std::ops::BitOr;

/// The eight flag bits of `traceparent` (W3C Trace Context Level 2, section 3.2.2.5).
///
/// Only the bits that level 2 defines are ever set: the specification has implementations send all others as zero.
/// Displays as two lowercase hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// No flag set.
    pub const NONE: Self = Self(0);
    /// The caller may have recorded this trace, and suggests that everyone below does.
    pub const SAMPLED: Self = Self(0x01);
    /// At least the right-most 7 bytes of the trace id are uniformly random, so they can decide sampling or sharding.
    /// Whoever continues a trace passes this bit on as it came.
    pub const RANDOM: Self = Self(0x02);

    /// The flags of this byte; bits that level 2 does not define are cleared.
    pub const fn from_u8(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// The flags as they stand on the wire.
    pub const fn to_u8(self) -> u8 {
        self.0
    }

    /// Whether [`SAMPLED`](Self::SAMPLED) is set.
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether [`RANDOM`](Self::RANDOM) is set.
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The same flags with [`SAMPLED`](Self::SAMPLED) set or cleared.
    #[must_use = "returns the changed flags"]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self(self.0 & !Self::SAMPLED.0 | sampled as u8)
    }

    /// The two lowercase hexadecimal digits, as ASCII.
    pub fn hex(&self) -> [u8; 2] {
        hex::encode_u8(self.0)
    }
}

impl BitOr for TraceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl fmt::Debug for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceFlags({self})")
    }
}
