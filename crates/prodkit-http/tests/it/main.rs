//! Real sockets, hand-written bytes.

mod bind;
mod drain;
mod drain_http2;
mod http1;
mod limits;
mod limits_http2;
mod observe;
mod observe_faults;
mod support;
mod upgrade;
