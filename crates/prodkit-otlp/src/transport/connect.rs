//! How a collector is connected to: the one place for it, whatever is spoken then.

#[cfg(feature = "__tls")]
mod secure;

use super::Why;
use crate::security::Security;
use hyper_util::client::legacy::connect::HttpConnector;
use std::error::Error;
use std::io;
use std::time::Duration;

#[cfg(not(feature = "__tls"))]
pub(super) type Connector = HttpConnector;
#[cfg(feature = "__tls")]
pub(super) use secure::Connector;
#[cfg(feature = "__tls")]
pub(crate) use secure::handshake;

/// Clients of one collector. What they connect with may change: then there is a new one, and what is under way ends on the
/// old one.
pub(super) enum Clients<C> {
    Plain(C),
    #[cfg(feature = "__tls")]
    Secure(Box<secure::Clients<C>>),
}

impl<C: Clone> Clients<C> {
    /// Connects to nothing yet.
    pub(super) fn new(
        security: Option<Security>,
        timeout: Duration,
        make: impl Fn(Connector) -> C + Send + Sync + 'static,
    ) -> Self {
        match security {
            #[cfg(not(feature = "__tls"))]
            None => Self::Plain(make(tcp(timeout))),
            #[cfg(not(feature = "__tls"))]
            Some(security) => match security {},
            #[cfg(feature = "__tls")]
            None => Self::Plain(make(Connector::plain(tcp(timeout)))),
            #[cfg(feature = "__tls")]
            Some(security) => {
                Self::Secure(Box::new(secure::Clients::new(security, tcp(timeout), timeout, make)))
            }
        }
    }

    /// The one for the next request.
    pub(super) fn get(&self) -> C {
        match self {
            Self::Plain(client) => client.clone(),
            #[cfg(feature = "__tls")]
            Self::Secure(clients) => clients.get(),
        }
    }
}

impl<C> std::fmt::Debug for Clients<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

fn tcp(timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(timeout));
    tcp.set_nodelay(true);
    // that the scheme may be https has been seen to
    tcp.enforce_http(false);
    tcp
}

/// Why there is no connection, or none any more, as far as one of the causes of `error` tells.
pub(crate) fn cause(error: &(dyn Error + 'static)) -> Option<Why> {
    let mut source = Some(error);
    while let Some(error) = source {
        #[cfg(feature = "__tls")]
        if let Some(why) = secure::cause(error) {
            return Some(why);
        }
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Some(Why::Unreachable);
        }
        source = error.source();
    }
    None
}
