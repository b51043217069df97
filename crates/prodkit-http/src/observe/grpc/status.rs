//! The status codes of gRPC.

use http::{HeaderValue, StatusCode};

/// A status code of gRPC (its `doc/statuscodes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus(u8);

/// By number: the name, and the status of HTTP that says the same (`google/rpc/code.proto`). Those of 500 and more are the
/// codes that OpenTelemetry has for errors of a server.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

impl GrpcStatus {
    pub(super) const CANCELLED: Self = Self(1);
    pub(super) const UNKNOWN: Self = Self(2);
    pub(super) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(super) const PERMISSION_DENIED: Self = Self(7);
    pub(super) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(super) const UNIMPLEMENTED: Self = Self(12);
    pub(super) const INTERNAL: Self = Self(13);
    pub(super) const UNAVAILABLE: Self = Self(14);
    pub(super) const UNAUTHENTICATED: Self = Self(16);

    /// Its number, from 0 to 16.
    pub fn code(self) -> u8 {
        self.0
    }

    /// Its name, such as `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The status of HTTP that says the same: 499 for `CANCELLED`, 404 for `NOT_FOUND`, 500 or more where the server is to
    /// blame.
    pub fn http_status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn row(self) -> (&'static str, u16) {
        CODES.get(usize::from(self.0)).copied().unwrap_or(("UNKNOWN", 500))
    }

    /// What is in `grpc-status`; a number that nobody knows is `UNKNOWN`.
    pub(super) fn parse(value: &HeaderValue) -> Self {
        let number = value.to_str().ok().and_then(|text| text.parse().ok());
        number.filter(|number| usize::from(*number) < CODES.len()).map_or(Self::UNKNOWN, Self)
    }

    /// Of an answer without one, as a client has to read it (`doc/http-grpc-status-mapping.md`).
    pub(super) fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that OpenTelemetry's conventions for gRPC have for errors of a server.
    #[test]
    fn the_server_is_to_blame_for_six_codes() {
        let blamed: Vec<_> = (0..17)
            .map(GrpcStatus)
            .filter(|status| status.http_status().is_server_error())
            .map(GrpcStatus::name)
            .collect();
        let expected =
            ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];
        assert_eq!(blamed, expected);
        for (text, code) in [("0", 0), ("16", 16), ("17", 2), ("-1", 2), ("256", 2), ("x", 2), ("", 2)] {
            let value = HeaderValue::from_str(text).expect("a value");
            assert_eq!(GrpcStatus::parse(&value).code(), code, "{text}");
        }
    }
}
