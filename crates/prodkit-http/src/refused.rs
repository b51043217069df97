//! What no service gets to see, counted by its reason.

use crate::outcomes::Outcomes;
use http::StatusCode;
use metrics::Recorder;

/// Why a request, or a connection on which one would have come, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// 400: its framing, its target or its host.
    BadRequest,
    /// 501: a transfer coding that nobody has.
    NotImplemented,
    /// 431 or 414.
    HeadTooLarge,
    /// Nothing was sent in time.
    FirstByteTimeout,
    /// A head was begun and not ended in time.
    HeaderTimeout,
    /// The limit was reached: from then on newcomers wait.
    MaxConnections,
    /// 413: its length, as declared.
    BodyTooLarge,
    /// 503: too many others are in flight.
    Shed,
}

impl Refused {
    const ALL: [(Self, &'static str); 8] = [
        (Self::BadRequest, "bad_request"),
        (Self::NotImplemented, "not_implemented"),
        (Self::HeadTooLarge, "head_too_large"),
        (Self::FirstByteTimeout, "first_byte_timeout"),
        (Self::HeaderTimeout, "header_timeout"),
        (Self::MaxConnections, "max_connections"),
        (Self::BodyTooLarge, "body_too_large"),
        (Self::Shed, "shed"),
    ];

    /// Of a request whose head could be read.
    pub(crate) fn with(status: StatusCode) -> Self {
        if status == StatusCode::NOT_IMPLEMENTED { Self::NotImplemented } else { Self::BadRequest }
    }

    /// Of what hyper could not read, and has answered; `None` for the end of a connection that has another reason.
    pub(crate) fn by(error: &hyper::Error) -> Option<Self> {
        match () {
            () if error.is_parse_too_large() => Some(Self::HeadTooLarge),
            () if error.is_parse() => Some(Self::BadRequest),
            () => None,
        }
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(refused, _)| *refused == self).map_or("", |(_, name)| name)
    }
}

/// A counter for each reason.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Outcomes<{ Refused::ALL.len() }>);

impl Refusals {
    pub(crate) fn measure(&self, recorder: &dyn Recorder) {
        self.0.measure(
            recorder,
            "http_server_refused_total",
            "Requests and connections that no service got to see, by reason.",
            "reason",
            Refused::ALL.map(|(_, name)| name),
        );
    }

    #[cold]
    pub(crate) fn count(&self, refused: Refused) {
        tracing::debug!(reason = refused.name(), "refused");
        self.0.count(Refused::ALL.iter().position(|(one, _)| *one == refused));
    }
}
