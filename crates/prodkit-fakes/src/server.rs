//! What the fake servers have in common: a thread, a port that closes and opens again, TLS, and bodies that break off.

mod tls;

use crate::{Behaviour, FakeAuthority, FakePair};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How long a waiting helper waits before it declares the test failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on its own thread and runtime. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    gate: Arc<Gate>,
    /// Dropping it ends the server's thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the test turns while the server runs.
#[derive(Debug)]
pub(crate) struct Gate {
    behaviour: watch::Sender<Behaviour>,
    /// Whether a listener is bound right now.
    listening: watch::Sender<bool>,
    /// How connections begin; `None` in the clear.
    tls: watch::Sender<Option<Arc<ServerConfig>>>,
}

/// The certificate that the client of a request has shown, as DER.
#[derive(Clone, Debug)]
pub(crate) struct Shown(pub(crate) Bytes);

impl Gate {
    pub(crate) fn behaviour(&self) -> Behaviour {
        self.behaviour.borrow().clone()
    }
}

impl Server {
    /// Starts a server on a free loopback port that gives each request to `answer`.
    #[expect(clippy::expect_used, reason = "a test without its server cannot go on")]
    pub(crate) fn start<F, Fut>(name: &'static str, answer: F) -> Self
    where
        F: Fn(Request<Incoming>, Arc<Gate>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Response<Body>>> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a non-blocking listener");

        let gate = Arc::new(Gate {
            behaviour: watch::Sender::new(Behaviour::Answer),
            listening: watch::Sender::new(true),
            tls: watch::Sender::new(None),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let serving = run(name, listener, addr, gate.clone(), stopped, answer);
        let thread = thread::Builder::new().name(name.into()).spawn(move || runtime.block_on(serving));
        Self { addr, gate, stop: Some(stop), thread: Some(thread.expect("a thread")) }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.gate.behaviour.send_replace(behaviour);
    }

    /// Speaks TLS from the next connection on, with this certificate. With `clients`, a client must show one of theirs.
    pub(crate) fn tls(&self, own: &FakePair, clients: Option<&FakeAuthority>) {
        self.gate.tls.send_replace(Some(tls::config(own, clients)));
    }

    pub(crate) async fn listening(&self, open: bool) {
        let mut listening = self.gate.listening.subscribe();
        patiently("the port to open or close", async { drop(listening.wait_for(|now| *now == open).await) })
            .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // a panic of the server's thread has already been printed
            drop(thread.join());
        }
    }
}

/// Accepts until `stopped` resolves.
async fn run<F, Fut>(
    name: &'static str,
    listener: std::net::TcpListener,
    addr: SocketAddr,
    gate: Arc<Gate>,
    stopped: oneshot::Receiver<()>,
    answer: F,
) where
    F: Fn(Request<Incoming>, Arc<Gate>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    tokio::select! {
        _ = stopped => {}
        served = accept(listener, addr, gate, answer) => {
            #[expect(clippy::print_stderr, reason = "the only way to tell why a test fails")]
            if let Err(error) = served { eprintln!("{name}: {error}"); }
        }
    }
}

async fn accept<F, Fut>(
    listener: std::net::TcpListener,
    addr: SocketAddr,
    gate: Arc<Gate>,
    answer: F,
) -> io::Result<()>
where
    F: Fn(Request<Incoming>, Arc<Gate>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    let mut listener = TcpListener::from_std(listener)?;
    let mut behaviour = gate.behaviour.subscribe();
    loop {
        tokio::select! {
            biased;
            refused = behaviour.wait_for(Behaviour::refuses) => drop(refused),
            failed = connections(listener, &gate, &answer) => failed?,
        }
        gate.listening.send_replace(false);
        drop(behaviour.wait_for(|now| !now.refuses()).await);
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        listener = socket.listen(128)?;
        gate.listening.send_replace(true);
    }
}

/// Serves every connection of `listener`; dropping the future closes the port and cuts them all.
async fn connections<F, Fut>(listener: TcpListener, gate: &Arc<Gate>, answer: &F) -> io::Result<()>
where
    F: Fn(Request<Incoming>, Arc<Gate>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = open.join_next() => {}
            stream = listener.accept() => {
                let (answer, gate) = (answer.clone(), gate.clone());
                let config = gate.tls.borrow().clone();
                let stream = stream?.0;
                stream.set_nodelay(true)?;
                open.spawn(async move {
                    let Some(config) = config else {
                        return serve(stream, None, gate, answer).await;
                    };
                    // clients that cannot be agreed with are the point of some tests
                    if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                        let shown = stream.get_ref().1.peer_certificates();
                        let shown = shown.and_then(<[_]>::first).map(|der| Bytes::copy_from_slice(der));
                        serve(stream, shown.map(Shown), gate, answer).await;
                    }
                });
            }
        }
    }
}

async fn serve<F, Fut>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    shown: Option<Shown>,
    gate: Arc<Gate>,
    answer: F,
) where
    F: Fn(Request<Incoming>, Arc<Gate>) -> Fut,
    Fut: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        if let Some(shown) = &shown {
            request.extensions_mut().insert(shown.clone());
        }
        answer(request, gate.clone())
    });
    // clients that go away are the point of many tests
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

/// Promises a body of 1,000 bytes, sends `part` of it and drops the connection.
pub(crate) fn broken_off(part: &'static [u8]) -> Response<Body> {
    let broken = vec![Ok(Frame::data(Bytes::from_static(part))), Err(io::Error::other("reset"))];
    let mut response = Response::new(frames(broken));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response
}

pub(crate) fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> Body {
    Frames(frames.into_iter()).boxed_unsync()
}

/// Frames that are all there from the start.
struct Frames(std::vec::IntoIter<io::Result<Frame<Bytes>>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.next())
    }

    fn size_hint(&self) -> SizeHint {
        let sizes: io::Result<Vec<usize>> = (self.0.as_slice().iter())
            .map(|frame| match frame {
                Ok(frame) => Ok(frame.data_ref().map_or(0, Bytes::len)),
                Err(error) => Err(error.kind().into()),
            })
            .collect();
        // what breaks off has no length to declare
        sizes.map_or_else(
            |_| SizeHint::default(),
            |sizes| SizeHint::with_exact(sizes.iter().sum::<usize>() as u64),
        )
    }
}

/// Awaits `future` for at most [`PATIENCE`], on whatever runtime the test has, paused clock or none at all.
pub(crate) async fn patiently(what: &str, future: impl Future<Output = ()>) {
    let (timer, over) = oneshot::channel::<()>();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    // real time and no runtime: a thread that ends with the wait
    let thread = thread::Builder::new().name("fake-patience".into()).spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = timer.send(());
        }
    });
    let late = async {
        if over.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = future => drop((done, thread)),
        () = late => panic!("waited {PATIENCE:?} for {what}"),
    }
}
