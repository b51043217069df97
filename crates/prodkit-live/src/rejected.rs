//! Why a new value was not taken.

use std::{
    any::{Any, type_name},
    error::Error,
    fmt,
    panic::Location,
    sync::Arc,
};

/// A new value was refused, and nothing changed.
///
/// The text names the derived value that said no, by its type and by the place that derived it; the reason it gave (or
/// the message it panicked with) is the [`source`](Error::source). The text itself never contains the refused value.
#[derive(Clone)]
pub struct Rejected(Arc<Kind>);

/// A derived value, as an operator can find it: its type and the line that derived it.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    type_name: &'static str,
    location: &'static Location<'static>,
}

enum Kind {
    Busy,
    #[cfg(feature = "serde")]
    Gone {
        path: String,
    },
    #[cfg(feature = "serde")]
    Mismatch {
        path: String,
        current: &'static str,
        newer: &'static str,
    },
    Refused {
        by: Origin,
        reason: Box<dyn Error + Send + Sync>,
    },
    Waits {
        by: Origin,
    },
}

impl Rejected {
    /// The type of the derived value that said no (as [`std::any::type_name`] prints it), where one did.
    pub fn by(&self) -> Option<&'static str> {
        self.origin().map(|origin| origin.type_name)
    }

    /// Where the derived value that said no was derived, where one did.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.origin().map(|origin| origin.location)
    }

    /// Whether the value was not even tried, because another change stands prepared: trying again later may succeed.
    ///
    /// Only [`Updater::set`](crate::Updater::set) answers so; `prepare` waits instead.
    pub fn is_busy(&self) -> bool {
        matches!(*self.0, Kind::Busy)
    }

    fn origin(&self) -> Option<Origin> {
        match &*self.0 {
            Kind::Busy => None,
            #[cfg(feature = "serde")]
            Kind::Gone { .. } | Kind::Mismatch { .. } => None,
            Kind::Refused { by, .. } | Kind::Waits { by } => Some(*by),
        }
    }

    pub(crate) fn busy() -> Self {
        Self(Arc::new(Kind::Busy))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn gone(path: &str) -> Self {
        Self(Arc::new(Kind::Gone { path: path.to_owned() }))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn mismatch(path: &str, current: &'static str, newer: &'static str) -> Self {
        Self(Arc::new(Kind::Mismatch { path: path.to_owned(), current, newer }))
    }

    /// A panic is a refusal too; its message is the reason.
    pub(crate) fn panicked(by: Origin, payload: &(dyn Any + Send)) -> Self {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (None, Some(text)) => text.as_str(),
            (None, None) => "with a payload that is not text",
        };
        Self::refused(by, format!("it panicked: {message}").into())
    }

    pub(crate) fn refused(by: Origin, reason: Box<dyn Error + Send + Sync>) -> Self {
        Self(Arc::new(Kind::Refused { by, reason }))
    }

    pub(crate) fn waits(by: Origin) -> Self {
        Self(Arc::new(Kind::Waits { by }))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("apply the new value: ")?;
        match &*self.0 {
            Kind::Busy => f.write_str("another change stands prepared"),
            #[cfg(feature = "serde")]
            Kind::Gone { path } => write!(f, "the newer value of `{path}` was dropped before it was staged"),
            #[cfg(feature = "serde")]
            Kind::Mismatch { path, current, newer } => {
                write!(f, "`{path}` holds a `{current}`, which cannot become a `{newer}`")
            }
            Kind::Refused { by, .. } => write!(f, "{by} refused it"),
            Kind::Waits { by } => write!(f, "{by} has to verify it first, which takes `prepare`"),
        }
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("Rejected");
        debug.field(&format_args!("{self}"));
        if let Some(reason) = self.source() {
            debug.field(&reason);
        }
        debug.finish()
    }
}

impl Error for Rejected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Refused { reason, .. } => Some(&**reason),
            _ => None,
        }
    }
}

impl Origin {
    #[track_caller]
    pub(crate) fn here<T>() -> Self {
        Self { type_name: type_name::<T>(), location: Location::caller() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_name, location } = self;
        write!(f, "`{type_name}` at {location}")
    }
}
