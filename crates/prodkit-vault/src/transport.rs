//! HTTP to Vault: every call bounded in time and size, at most one redirect, no environment, no proxy.

use crate::failure::Failure;
use crate::settings::{Base, Error, Settings, Tls};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// A call, connection and redirect included.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer; a secret has at most 1 MiB.
const LARGEST: usize = 4 << 20;
/// Calls under way, and connections kept.
pub(crate) const AT_ONCE: usize = 32;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

#[derive(Debug)]
pub(crate) struct Transport {
    client: Http,
    base: Base,
    headers: HeaderMap,
}

/// TLS only where it is asked for: a plain address, such as that of an agent beside us, needs no provider of cryptography.
#[derive(Debug)]
enum Http {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Secure(Secure),
}

/// A client for as long as its configuration is the one of the moment.
struct Secure {
    tls: Tls,
    current: Mutex<Option<(Arc<rustls::ClientConfig>, SecureClient)>>,
}

type SecureClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Secure {
    /// Connections of a configuration that was replaced are not used again.
    fn get(&self) -> Option<SecureClient> {
        let config = (self.tls.0)()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((of, client)) if Arc::ptr_eq(of, &config) => Some(client.clone()),
            _ => {
                let client = Self::client(&config);
                *current = Some((config, client.clone()));
                Some(client)
            }
        }
    }

    fn client(config: &rustls::ClientConfig) -> SecureClient {
        let mut config = config.clone();
        // the builder sets them, and panics where they are set
        config.alpn_protocols.clear();
        let mut tcp = tcp();
        tcp.enforce_http(false);
        let secure = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        builder().build(secure.wrap_connector(tcp))
    }
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secure")
    }
}

fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(TIMEOUT));
    connector.set_nodelay(true);
    connector
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(AT_ONCE);
    builder
}

/// What is asked.
pub(crate) struct Question {
    pub(crate) method: Method,
    /// Without `/v1/`.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// What came back, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let client = match &settings.tls {
            _ if !settings.base.is_https() => Http::Plain(builder().build(tcp())),
            Some(tls) => Http::Secure(Secure { tls: tls.clone(), current: Mutex::default() }),
            None => {
                return Err(Error("the address of Vault is https, and nothing says whom to trust".into()));
            }
        };
        let mut headers = HeaderMap::new();
        // Vault refuses what a browser could be made to send, where it is told to ask for this header
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let agent = concat!("prodkit-vault/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        if let Some(namespace) = &settings.namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        Ok(Self { client, base: settings.base.clone(), headers })
    }

    /// Asks, with a token where one is needed.
    ///
    /// # Errors
    ///
    /// When nothing that may be an answer of Vault comes back in time.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        token: Option<&HeaderValue>,
    ) -> Result<Reply, Failure> {
        tokio::time::timeout(TIMEOUT, self.exchange(question, token)).await.unwrap_or_else(|_| {
            Err(Failure::unavailable(format!("no answer within {} s", TIMEOUT.as_secs())))
        })
    }

    async fn exchange(&self, question: &Question, token: Option<&HeaderValue>) -> Result<Reply, Failure> {
        let Question { path, query, .. } = question;
        let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let uri = format!("{}/v1/{}{query}", self.base.0, path.trim().trim_start_matches('/'));
        let uri: Uri = uri.parse().map_err(|_| Failure::refused("the path makes no URL"))?;
        let answer = self.send(question, uri.clone(), token).await?;
        if answer.status() != StatusCode::TEMPORARY_REDIRECT {
            return read(answer).await;
        }
        // a standby that does not forward: to the active node, once
        let onward =
            location(&answer, &uri).ok_or_else(|| Failure::unavailable("it redirects to nowhere"))?;
        let answer = self.send(question, onward, token).await?;
        match answer.status() {
            StatusCode::TEMPORARY_REDIRECT => Err(Failure::unavailable("it redirects twice")),
            _ => read(answer).await,
        }
    }

    async fn send(
        &self,
        question: &Question,
        uri: Uri,
        token: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(&question.body)));
        *request.method_mut() = question.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        if let Some(token) = token {
            headers.insert(TOKEN, token.clone());
        }
        if !question.body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let answering = match &self.client {
            Http::Plain(client) => client.request(request),
            Http::Secure(secure) => {
                let client =
                    secure.get().ok_or_else(|| Failure::unavailable("whom to trust is not known yet"))?;
                client.request(request)
            }
        };
        answering.await.map_err(|error| {
            // the cause of the cause says it: refused, unknown certificate, reset
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            let what = if error.is_connect() { "no connection" } else { "the connection broke" };
            Failure::unavailable(format!("{what}: {cause}"))
        })
    }
}

async fn read(answer: Response<Incoming>) -> Result<Reply, Failure> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Failure::unavailable("its answer is larger than 4 MiB")
        } else {
            Failure::unavailable("its answer breaks off")
        }
    })?;
    let retry_after =
        head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Ok(Reply {
        status: head.status.as_u16(),
        retry_after: retry_after.map(Duration::from_secs),
        body: Zeroizing::new(Vec::from(body.to_bytes())),
    })
}

/// Where a redirect leads; only to the same scheme, so that a token never leaves TLS.
fn location<B>(answer: &Response<B>, from: &Uri) -> Option<Uri> {
    let uri: Uri = answer.headers().get(header::LOCATION)?.to_str().ok()?.parse().ok()?;
    (uri.scheme() == from.scheme() && uri.authority().is_some()).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_within_its_scheme() {
        for (from, to, allowed) in [
            ("https://a/v1/x", "https://b:8200/v1/x", true),
            ("http://a/v1/x", "http://b/v1/x", true),
            ("https://a/v1/x", "http://a/v1/x", false),
            ("http://a/v1/x", "https://a/v1/x", false),
            ("http://a/v1/x", "/v1/y", false),
            ("http://a/v1/x", "file:///etc/passwd", false),
        ] {
            let answer = Response::builder().header(header::LOCATION, to).body(()).unwrap();
            assert_eq!(location(&answer, &Uri::from_static(from)).is_some(), allowed, "{from} {to}");
        }
        assert_eq!(location(&Response::new(()), &Uri::from_static("http://a/")), None);
    }
}
