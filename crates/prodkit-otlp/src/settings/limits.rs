//! How much a span or a log record may hold.

/// What is kept of a span and of a log record; what is beyond it is left out, and counted where OTLP has a count for it.
/// The variables `OTEL_ATTRIBUTE_…`, `OTEL_SPAN_…`, `OTEL_EVENT_…`, `OTEL_LINK_…` and `OTEL_LOGRECORD_…` set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Attributes of a span. Default: 128.
    pub attributes: usize,
    /// Characters of text in an attribute of a span, its events and its links. Default: no limit.
    pub value_length: Option<usize>,
    /// Events of a span. Default: 128.
    pub events: usize,
    /// Attributes of one event. Default: 128.
    pub event_attributes: usize,
    /// Links of a span. Default: 128.
    pub links: usize,
    /// Attributes of one link. Default: 128.
    pub link_attributes: usize,
    /// Attributes of a log record. Default: 128.
    pub log_attributes: usize,
    /// Characters of text in an attribute of a log record. Default: no limit.
    pub log_value_length: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        const COUNT: usize = 128;
        Self {
            attributes: COUNT,
            value_length: None,
            events: COUNT,
            event_attributes: COUNT,
            links: COUNT,
            link_attributes: COUNT,
            log_attributes: COUNT,
            log_value_length: None,
        }
    }
}
