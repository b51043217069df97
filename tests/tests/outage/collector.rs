//! The collectors, and how they fail.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prodkit_fakes::{Behaviour, FakeAuthority, FakeCollector};
use prost::Message as _;

use crate::{FLUSH, LONG_FLUSH, network};

/// That of the collectors that speak TLS.
static AUTHORITY: LazyLock<FakeAuthority> = LazyLock::new(FakeAuthority::new);

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Refuses,
    /// No answer to a connection at all: those that wait to be accepted are too many already.
    Swallows,
    /// No answer to a connection at all: every packet is dropped on the way.
    Drops,
    /// Connections are made and nothing is ever answered.
    Silent,
    /// Every answer takes its time, but comes.
    Slow,
    /// The answer ends in the middle.
    Resets,
    /// 429, with an hour of `Retry-After`.
    Limits,
    /// 503.
    Unavailable,
    /// A part of each batch is rejected.
    Partial,
    /// The port speaks TLS, and we do not.
    Tls,
    /// We speak TLS, and the port does not.
    Plain,
    /// Its certificate is of an authority that nobody told us of.
    Untrusted,
    /// It demands a certificate, and we have none.
    Demands,
    /// 401: will not pass by waiting.
    Forbids,
}

pub(crate) const WAYS: [Way; 14] = [
    Way::Refuses,
    Way::Swallows,
    Way::Drops,
    Way::Silent,
    Way::Slow,
    Way::Resets,
    Way::Limits,
    Way::Unavailable,
    Way::Partial,
    Way::Tls,
    Way::Plain,
    Way::Untrusted,
    Way::Demands,
    Way::Forbids,
];

/// The collector, and what keeps it failing.
pub(crate) enum Collector {
    Fake(FakeCollector),
    Socket {
        address: SocketAddr,
        /// They keep the backlog full.
        _waiting: Vec<TcpStream>,
        _listener: Option<TcpListener>,
    },
}

impl Way {
    /// It answers, so that waiting for it is worth it.
    pub(crate) fn answers(self) -> bool {
        matches!(self, Self::Slow | Self::Partial)
    }

    /// It is spoken to over TLS, by those who believe the authority in this file.
    pub(crate) fn over_tls(self, folder: &Path) -> Option<PathBuf> {
        let trusted = match self {
            Self::Plain | Self::Untrusted => FakeAuthority::new().certificate(),
            Self::Demands => AUTHORITY.certificate(),
            _ => return None,
        };
        fs::write(folder.join("ca.crt"), trusted).unwrap();
        Some(folder.join("ca.crt"))
    }

    /// The collector's address as one is told who speaks to it this way.
    pub(crate) fn spell(self, url: &str) -> String {
        let secure = matches!(self, Self::Plain | Self::Untrusted | Self::Demands);
        if secure { url.replace("http:", "https:") } else { url.to_owned() }
    }

    pub(crate) fn flush(self) -> Duration {
        if self.answers() { LONG_FLUSH } else { FLUSH }
    }
}

impl Collector {
    pub(crate) fn start(way: Way) -> Self {
        let fake = |behaviour| {
            let collector = FakeCollector::start();
            collector.behave(behaviour);
            Self::Fake(collector)
        };
        match way {
            Way::Refuses => {
                // bound and closed again: nobody listens there
                let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                Self::Socket { address, _waiting: Vec::new(), _listener: None }
            }
            Way::Swallows => swallow(),
            Way::Drops => Self::Socket {
                address: network::COLLECTOR.parse().unwrap(),
                _waiting: Vec::new(),
                _listener: None,
            },
            Way::Tls => alert(),
            Way::Plain => fake(Behaviour::Answer),
            Way::Untrusted | Way::Demands => {
                let collector = FakeCollector::start();
                let clients = (way == Way::Demands).then_some(&*AUTHORITY);
                collector.tls(&AUTHORITY.issue(&["127.0.0.1"]), clients);
                Self::Fake(collector)
            }
            Way::Silent => fake(Behaviour::Hang),
            Way::Slow => fake(Behaviour::Slow(Duration::from_millis(100))),
            Way::Resets => fake(Behaviour::Reset),
            Way::Limits => fake(Behaviour::status(429).header("retry-after", "3600")),
            Way::Unavailable => fake(Behaviour::status(503)),
            Way::Forbids => fake(Behaviour::status(401)),
            Way::Partial => {
                let partial =
                    ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".into() };
                let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
                fake(Behaviour::Body(answer.encode_to_vec().into()))
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Fake(collector) => collector.url(),
            Self::Socket { address, .. } => format!("http://{address}"),
        }
    }
}

/// A listener that accepts nothing and whose backlog is full: the kernel drops what comes.
fn swallow() -> Collector {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the backlog has no end");
    }
    Collector::Socket { address, _waiting: waiting, _listener: Some(listener) }
}

/// What a TLS server answers to plain text: an alert, and the end.
fn alert() -> Collector {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            // whatever of this fails, the client sees a connection that makes no sense
            let _ = stream.read(&mut [0; 16]);
            let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 0x46]);
        }
    });
    Collector::Socket { address, _waiting: Vec::new(), _listener: None }
}
