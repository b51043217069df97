//! Bucket bounds, checked once where they enter.

use std::fmt;
use std::sync::Arc;

/// The guide's bounds for request durations, in seconds.
const DEFAULT: [f64; 8] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// More bounds than this cost a scrape more than they tell anybody.
const MOST: usize = 64;

/// The upper, inclusive bounds of a histogram's buckets, in the unit of what is recorded.
///
/// The last bucket, `+Inf`, is always there and is not listed. The default is made for durations in seconds:
/// 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1 and 5.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets(Arc<[f64]>);

impl Buckets {
    /// Takes between 1 and 64 finite bounds in strictly increasing order.
    ///
    /// # Errors
    ///
    /// When there are none or too many, when one is not finite, or when one is not above its predecessor.
    pub fn new(bounds: &[f64]) -> Result<Self, Error> {
        if bounds.is_empty() || bounds.len() > MOST {
            return Err(Error(Flaw::Length(bounds.len())));
        }
        if let Some(bound) = bounds.iter().find(|bound| !bound.is_finite()) {
            return Err(Error(Flaw::NotFinite(*bound)));
        }
        if let Some(pair) = bounds.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Error(Flaw::Order { before: pair[0], after: pair[1] }));
        }
        Ok(Self(bounds.into()))
    }

    /// The bounds, increasing, without `+Inf`.
    pub fn bounds(&self) -> &[f64] {
        &self.0
    }

    pub(crate) fn share(&self) -> Arc<[f64]> {
        Arc::clone(&self.0)
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(Arc::new(DEFAULT))
    }
}

/// Why a list of bucket bounds was refused by [`Buckets::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Flaw);

#[derive(Clone, Debug, PartialEq)]
enum Flaw {
    Length(usize),
    NotFinite(f64),
    Order { before: f64, after: f64 },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Flaw::Length(length) => write!(f, "use {length} bucket bounds: 1 to {MOST} are allowed"),
            Flaw::NotFinite(bound) => write!(f, "use {bound} as a bucket bound: it is not a finite number"),
            Flaw::Order { before, after } => {
                write!(f, "use bucket bound {after} after {before}: bounds must increase")
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked() {
        let long: Vec<f64> = (0..65).map(f64::from).collect();
        for (bounds, message) in [
            (&[][..], "use 0 bucket bounds: 1 to 64 are allowed"),
            (&long[..], "use 65 bucket bounds: 1 to 64 are allowed"),
            (&[1.0, f64::NAN], "use NaN as a bucket bound: it is not a finite number"),
            (&[1.0, f64::INFINITY], "use inf as a bucket bound: it is not a finite number"),
            (&[1.0, 1.0], "use bucket bound 1 after 1: bounds must increase"),
            (&[2.0, 0.5], "use bucket bound 0.5 after 2: bounds must increase"),
        ] {
            assert_eq!(Buckets::new(bounds).unwrap_err().to_string(), message);
        }
        assert_eq!(Buckets::new(&long[..64]).unwrap().bounds(), &long[..64]);
    }
}
