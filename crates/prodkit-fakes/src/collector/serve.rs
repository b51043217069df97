//! The server behind the fake: an accept loop that can close its port, and one function from request to response.

use super::{Behaviour, Received, Shared};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Accepts until `stopped` resolves.
pub(super) async fn run(
    listener: std::net::TcpListener,
    addr: SocketAddr,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    tokio::select! {
        _ = stopped => {}
        served = accept(listener, addr, shared) => {
            #[expect(clippy::print_stderr, reason = "the only way to tell why a test fails")]
            if let Err(error) = served { eprintln!("fake collector: {error}"); }
        }
    }
}

async fn accept(listener: std::net::TcpListener, addr: SocketAddr, shared: Arc<Shared>) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener)?;
    let mut behaviour = shared.behaviour.subscribe();
    loop {
        tokio::select! {
            biased;
            refused = behaviour.wait_for(Behaviour::refuses) => drop(refused),
            failed = connections(listener, &shared) => failed?,
        }
        shared.listening.send_replace(false);
        drop(behaviour.wait_for(|now| !now.refuses()).await);
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        listener = socket.listen(128)?;
        shared.listening.send_replace(true);
    }
}

/// Serves every connection of `listener`; dropping the future closes the port and cuts them all.
async fn connections(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = open.join_next() => {}
            stream = listener.accept() => {
                let shared = shared.clone();
                let service = hyper::service::service_fn(move |request| answer(request, shared.clone()));
                let io = TokioIo::new(stream?.0);
                open.spawn(async move {
                    // clients that go away are the point of many tests
                    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
                });
            }
        }
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let mut body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let grpc =
        head.headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        body = body.slice(body.len().min(5)..);
    }
    // decided before anybody can know of the request: what a test sets once it has seen it is for the next one
    let behaviour = shared.behaviour.borrow().clone();
    shared.receive(Received { path: head.uri.path().to_owned(), headers: head.headers, body });

    Ok(match behaviour {
        Behaviour::Answer => success(grpc, Bytes::new()),
        Behaviour::Body(message) => success(grpc, message),
        Behaviour::Slow(delay) => {
            tokio::time::sleep(delay).await;
            success(grpc, Bytes::new())
        }
        Behaviour::Status(status, headers) if grpc => grpc_error(status, headers),
        Behaviour::Status(status, headers) => {
            let mut response = Response::new(frames(Vec::new()));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Behaviour::Hang | Behaviour::Refuse => std::future::pending().await,
        Behaviour::Reset => {
            let broken = vec![Ok(Frame::data(Bytes::from_static(&[10]))), Err(io::Error::other("reset"))];
            let mut response = Response::new(frames(broken));
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
            response
        }
    })
}

fn success(grpc: bool, message: Bytes) -> Response<Body> {
    if !grpc {
        let mut response = Response::new(frames(vec![Ok(Frame::data(message))]));
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        response.headers_mut().insert(header::CONTENT_TYPE, protobuf);
        return response;
    }
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response =
        Response::new(frames(vec![Ok(Frame::data(framed.freeze())), Ok(Frame::trailers(trailers))]));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A response of headers only, as gRPC has it for errors.
fn grpc_error(status: StatusCode, headers: HeaderMap) -> Response<Body> {
    let code = if matches!(status.as_u16(), 429 | 502 | 503 | 504) { "14" } else { "3" };
    let mut response = Response::new(frames(Vec::new()));
    *response.headers_mut() = headers;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert("grpc-status", HeaderValue::from_static(code));
    response
}

fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> Body {
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
