//! Connections that may be over TLS.

use super::{HttpConnector, Why};
use crate::security::Security;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use prodkit_tls::ClientConfig;
use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};
use tokio_util::either::Either;
use tower_service::Service;

/// Connects, and shakes hands where there is a configuration for that.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Option<(Arc<ClientConfig>, Duration)>,
}

impl Connector {
    pub(super) fn plain(tcp: HttpConnector) -> Self {
        Self { tcp, tls: None }
    }
}

type Failure = Box<dyn Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Socket>, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (tls, connecting) = (self.tls.clone(), self.tcp.call(uri.clone()));
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            let Some((config, timeout)) = tls else { return Ok(TokioIo::new(Socket(Either::Left(stream)))) };
            // a client goes on connecting when the request that asked for it is gone
            let shaken = tokio::time::timeout(timeout, handshake(config, &uri, stream)).await;
            let stream = shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(TokioIo::new(Socket(Either::Right(Box::new(stream)))))
        })
    }
}

/// Makes a connection one over TLS, to the host that the URI names.
pub(crate) async fn handshake(
    config: Arc<ClientConfig>,
    uri: &Uri,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = host.try_into().map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}

/// A connection, in the clear or not.
#[derive(Debug)]
pub(crate) struct Socket(Either<TcpStream, Box<TlsStream<TcpStream>>>);

impl Connection for Socket {
    fn connected(&self) -> Connected {
        match &self.0 {
            Either::Left(stream) => stream.connected(),
            Either::Right(stream) => stream.get_ref().0.connected(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

/// Clients whose connections are over TLS: one, until what it shows or believes has changed.
pub(crate) struct Clients<C> {
    security: Security,
    make: Box<dyn Fn(Arc<ClientConfig>) -> C + Send + Sync>,
    current: Mutex<(Arc<ClientConfig>, C)>,
}

impl<C: Clone> Clients<C> {
    pub(super) fn new(
        security: Security,
        tcp: HttpConnector,
        timeout: Duration,
        make: impl Fn(Connector) -> C + Send + Sync + 'static,
    ) -> Self {
        let make = move |config| make(Connector { tcp: tcp.clone(), tls: Some((config, timeout)) });
        let config = security.load();
        let current = Mutex::new((config.clone(), make(config)));
        Self { security, make: Box::new(make), current }
    }

    pub(super) fn get(&self) -> C {
        let config = self.security.load();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current.0, &config) {
            *current = (config.clone(), (self.make)(config));
        }
        current.1.clone()
    }
}

/// What TLS says in this error, without what lies behind it.
pub(super) fn cause(error: &(dyn Error + 'static)) -> Option<Why> {
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let error = error.downcast_ref().or_else(|| within?.downcast_ref::<rustls::Error>())?;
    Some(Why::Tls(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            // that of one whose name is known may be signed by another
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the collector's certificate is of no authority that is trusted"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the collector's certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the collector's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the collector's certificate is not valid yet"
            }
            _ => "the collector's certificate is not valid",
        },
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the collector demands a client certificate"
        }
        rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError,
        ) => "the collector refuses the client certificate",
        rustls::Error::AlertReceived(_) => "the collector refuses the handshake",
        rustls::Error::InvalidMessage(_) => "the collector does not speak TLS",
        _ => "the handshake fails",
    }))
}
