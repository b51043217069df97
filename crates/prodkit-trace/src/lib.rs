//! The W3C trace context of the running work
