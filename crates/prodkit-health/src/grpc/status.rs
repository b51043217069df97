use http::{HeaderMap, HeaderName, HeaderValue};

/// How a call ended, by the codes of gRPC's `doc/statuscodes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    code: u16,
    /// Printable ASCII without `%`, so that it need not be encoded.
    message: &'static str,
}

impl Status {
    pub(crate) const OK: Self = Self { code: 0, message: "" };

    pub(crate) const fn cancelled(message: &'static str) -> Self {
        Self { code: 1, message }
    }

    pub(crate) const fn invalid_argument(message: &'static str) -> Self {
        Self { code: 3, message }
    }

    pub(crate) const fn not_found(message: &'static str) -> Self {
        Self { code: 5, message }
    }

    pub(crate) const fn resource_exhausted(message: &'static str) -> Self {
        Self { code: 8, message }
    }

    pub(crate) const fn unimplemented(message: &'static str) -> Self {
        Self { code: 12, message }
    }

    pub(crate) const fn unavailable(message: &'static str) -> Self {
        Self { code: 14, message }
    }

    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(self.code));
        if !self.message.is_empty() {
            headers.insert(HeaderName::from_static("grpc-message"), HeaderValue::from_static(self.message));
        }
    }

    pub(crate) fn trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(2);
        self.write(&mut trailers);
        trailers
    }
}
