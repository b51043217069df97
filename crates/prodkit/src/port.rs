//! The main port: how it is opened, secured and closed.

use prodkit_http::{Drained, Listener};
use prodkit_shutdown::{Cause, Deadlines, Trigger};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::certificates::Certificates;
use crate::error::StartError;
use crate::keeper::Keeper;
use crate::settings::{self, Settings};

/// The main port, and its three moments of ending.
pub(crate) struct Port {
    pub(crate) polite: Trigger,
    pub(crate) close: Trigger,
    pub(crate) abort: Trigger,
    pub(crate) drained: oneshot::Receiver<Drained>,
}

impl Port {
    /// Waits for what is in flight, and cuts what is left when the time is over.
    pub(crate) async fn drain(mut self, deadlines: Deadlines) -> Option<Drained> {
        if let Ok(drained) = timeout_at(deadlines.drain(Instant::now()), &mut self.drained).await {
            return drained.ok();
        }
        self.abort.fire(Cause::requested("the deadline"));
        self.drained.await.ok()
    }
}

/// The certificates that are followed, and what the main port has of them.
#[cfg_attr(not(feature = "__tls"), derive(Default))]
pub(crate) struct Secured {
    #[cfg(feature = "__tls")]
    pub(crate) certificates: Certificates,
    #[cfg(feature = "__tls")]
    server: Option<prodkit_tls::Live<prodkit_tls::ServerConfig>>,
}

#[cfg(feature = "__tls")]
pub(crate) fn secured(
    settings: &Settings,
    mut certificates: Certificates,
    secrets: &Keeper,
) -> Result<Secured, StartError> {
    use prodkit_tls::{HTTP, server_config};
    let files = settings.server.tls.files();
    secrets.trust().establish(&settings.secrets.vault, &mut certificates)?;
    if files.cert.is_none() && files.key.is_none() {
        if let Some((setting, _)) = files.roots {
            return Err(StartError::setting(setting, "it needs `server.tls.cert` and `server.tls.key`"));
        }
        return Ok(Secured { certificates, server: None });
    }
    let given = certificates.add(files)?;
    let config =
        given.identity.map(|identity| server_config(&identity, given.roots.as_ref(), HTTP)).transpose();
    let server = config.map_err(|error| StartError::setting("server.tls.cert", error))?;
    Ok(Secured { certificates, server })
}

#[cfg(not(feature = "__tls"))]
pub(crate) fn secured(settings: &Settings, _: Certificates, _: &Keeper) -> Result<Secured, StartError> {
    Certificates::check(&settings.server.tls.files()).map(|()| Secured::default())
}

#[cfg_attr(not(feature = "__tls"), expect(unused_variables, reason = "nothing is secured"))]
pub(crate) async fn bind(server: &settings::Server, secured: &Secured) -> Result<Listener, StartError> {
    let settings::Server { host, port, socket_mode, proxy_protocol, .. } = server;
    let listener = match host.strip_prefix("unix:") {
        Some(path) => Listener::bind_unix(path, socket_mode.0),
        None => Listener::bind(host, *port).await,
    };
    let mut listener = listener.map_err(|error| StartError::setup("the main port")(error.into()))?;
    if *proxy_protocol == settings::ProxyProtocol::Required {
        listener = listener.proxy_protocol();
    }
    #[cfg(feature = "__tls")]
    if let Some(config) = &secured.server {
        return Ok(listener.tls(config.clone()));
    }
    Ok(listener)
}
