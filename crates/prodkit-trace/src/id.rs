//! The two ids of a span.

use crate::{hex, random};
use std::cell::Cell;
use std::fmt;
use std::num::{NonZero, NonZeroU64, NonZeroU128};

thread_local! {
    // A request writes its id into a header, and then into a line.
    static LAST: Cell<(u128, [u8; 32])> = const { Cell::new((0, [b'0'; 32])) };
}

/// The id of a whole trace: 128 bits, never zero (W3C Trace Context Level 2, section 3.2.2.3).
///
/// Displays as 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The id with this value; `None` for zero, which the format forbids.
    pub const fn from_u128(value: u128) -> Option<Self> {
        match NonZero::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The value; its big-endian bytes are the id's bytes on the wire.
    pub const fn to_u128(self) -> u128 {
        self.0.get()
    }

    /// Reads exactly 32 lowercase hexadecimal digits; `None` for anything else and for zero.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        Self::from_u128(hex::decode_u128(digits.try_into().ok()?)?)
    }

    /// The 32 lowercase hexadecimal digits, as ASCII.
    pub fn hex(&self) -> [u8; 32] {
        let value = self.to_u128();
        LAST.with(|last| {
            let (known, digits) = last.get();
            if known == value {
                return digits;
            }
            let digits = hex::encode_u128(value);
            last.set((value, digits));
            digits
        })
    }

    /// A new id, all 128 bits uniformly random, so it satisfies [`TraceFlags::RANDOM`](crate::TraceFlags::RANDOM).
    ///
    /// Made by a generator of the calling thread, seeded once from the operating system. Ids do not collide in
    /// practice, across threads and processes, but they **are not secrets**: who has seen a few can compute the next.
    /// A process duplicated by a bare `fork` repeats its parent's ids.
    pub fn random() -> Self {
        loop {
            let value = u128::from(random::next_u64()) << 64 | u128::from(random::next_u64());
            if let Some(id) = Self::from_u128(value) {
                return id;
            }
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// The id of one span within a trace: 64 bits, never zero (W3C Trace Context Level 2, section 3.2.2.4, where it is
/// called `parent-id`).
///
/// Displays as 16 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// The id with this value; `None` for zero, which the format forbids.
    pub const fn from_u64(value: u64) -> Option<Self> {
        match NonZero::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The value; its big-endian bytes are the id's bytes on the wire.
    pub const fn to_u64(self) -> u64 {
        self.0.get()
    }

    /// Reads exactly 16 lowercase hexadecimal digits; `None` for anything else and for zero.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        Self::from_u64(hex::decode_u64(digits.try_into().ok()?)?)
    }

    /// The 16 lowercase hexadecimal digits, as ASCII.
    pub fn hex(&self) -> [u8; 16] {
        hex::encode_u64(self.to_u64())
    }

    /// A new id, uniformly random. See [`TraceId::random`] for what that promises and what not.
    pub fn random() -> Self {
        loop {
            if let Some(id) = Self::from_u64(random::next_u64()) {
                return id;
            }
        }
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}
