//! How a collector is connected to: the one place for it, whatever is spoken then.

use hyper_util::client::legacy::connect::HttpConnector;
use std::time::Duration;

pub(super) type Connector = HttpConnector;

/// Connects to nothing yet.
pub(super) fn connector(timeout: Duration) -> Connector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(timeout));
    connector.set_nodelay(true);
    connector
}
