//! A service of four methods on tonic as its generated code would be, with texts for messages, and a client of it.

use crate::support::{Server, stream_of, within};
use bytes::{Buf as _, BufMut as _};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

type Stream = Pin<Box<dyn futures_core::Stream<Item = Result<String, Status>> + Send>>;

/// Messages that are texts.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        String::from_utf8(bytes.into()).map(Some).map_err(|_| Status::invalid_argument("not UTF-8"))
    }
}

/// `test.v1.Calls`, and what it is told from outside.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>>);

impl Calls {
    /// A message on all streams that are held.
    pub(crate) fn say(&self, message: &str) {
        for held in &*self.0.lock().expect("no panic") {
            held.send(message.to_owned()).expect("held");
        }
    }

    /// Streams that are held.
    pub(crate) fn held(&self) -> usize {
        self.0.lock().expect("no panic").iter().filter(|held| !held.is_closed()).count()
    }

    /// Ends them.
    pub(crate) fn end(&self) {
        self.0.lock().expect("no panic").clear();
    }

    /// `3` is three messages, `3 5` is three and a failure, `hold` is one and whatever comes.
    fn down(&self, ask: &str) -> Stream {
        if ask == "hold" {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            sender.send("0".to_owned()).expect("open");
            self.0.lock().expect("no panic").push(sender);
            return Box::pin(stream_of(move |cx| receiver.poll_recv(cx).map(|message| message.map(Ok))));
        }
        let mut words = ask.split(' ').map(|word| word.parse::<i32>().expect("a number"));
        let (count, code) = (words.next().expect("a number"), words.next());
        let mut messages: Vec<_> = (0..count).map(|number| Ok(number.to_string())).collect();
        messages.extend(code.map(|code| Err(Status::new(code.into(), "as asked"))));
        let mut messages = messages.into_iter();
        Box::pin(stream_of(move |_| Poll::Ready(messages.next())))
    }
}

async fn unary(request: Request<String>) -> Result<Response<String>, Status> {
    let message = request.into_inner();
    match message.split_once(' ') {
        Some(("fail", code)) => Err(Status::new(code.parse::<i32>().expect("a code").into(), "as asked")),
        _ if message == "panic" => panic!("as asked"),
        _ if message == "hang" => std::future::pending().await,
        _ => Ok(Response::new(message)),
    }
}

async fn all(mut stream: Streaming<String>) -> Result<Vec<String>, Status> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

impl tonic::server::NamedService for Calls {
    const NAME: &'static str = "test.v1.Calls";
}

impl tower::Service<http::Request<tonic::body::Body>> for Calls {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let calls = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Text);
            let path = request.uri().path().to_owned();
            Ok(match path.strip_prefix("/test.v1.Calls/") {
                Some("Unary") => grpc.unary(tower::service_fn(unary), request).await,
                Some("Down") => {
                    let down = tower::service_fn(move |request: Request<String>| {
                        let stream = calls.down(request.get_ref());
                        async { Ok::<_, Status>(Response::new(stream)) }
                    });
                    grpc.server_streaming(down, request).await
                }
                Some("Up") => {
                    let up = tower::service_fn(async |request: Request<Streaming<String>>| {
                        Ok::<_, Status>(Response::new(all(request.into_inner()).await?.join(" ")))
                    });
                    grpc.client_streaming(up, request).await
                }
                Some("Both") => {
                    let both = tower::service_fn(async |request: Request<Streaming<String>>| {
                        let stream: Stream = Box::pin(request.into_inner());
                        Ok::<_, Status>(Response::new(stream))
                    });
                    grpc.streaming(both, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// The service as an app serves it.
pub(crate) fn routes(calls: &Calls) -> tonic::service::Routes {
    tonic::service::Routes::new(calls.clone()).prepare()
}

/// What the generated client would be.
pub(crate) struct Client(tonic::client::Grpc<Channel>);

pub(crate) async fn client(server: &Server) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).expect("an address");
    Client(tonic::client::Grpc::new(within("connect", endpoint.connect()).await.expect("connected")))
}

fn path(path: &str) -> http::uri::PathAndQuery {
    path.parse().expect("a path")
}

impl Client {
    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unknown(error.to_string()))
    }

    pub(crate) async fn ask(&mut self, to: String, message: &str) -> Result<String, Status> {
        self.ready().await?;
        let request = Request::new(message.to_owned());
        within("an answer", self.0.unary::<String, String, _>(request, path(&to), Text))
            .await
            .map(Response::into_inner)
    }

    pub(crate) async fn unary(&mut self, message: &str) -> Result<String, Status> {
        self.ask("/test.v1.Calls/Unary".to_owned(), message).await
    }

    pub(crate) async fn down(&mut self, message: &str) -> Result<Answers, Status> {
        self.ready().await?;
        let request = Request::new(message.to_owned());
        let answer = self.0.server_streaming(request, path("/test.v1.Calls/Down"), Text);
        within("a head", answer).await.map(|answer| Answers(answer.into_inner()))
    }

    pub(crate) async fn up(&mut self, messages: &[&str]) -> Result<String, Status> {
        self.ready().await?;
        let request = Request::new(sent(messages));
        let answer = self.0.client_streaming(request, path("/test.v1.Calls/Up"), Text);
        within("an answer", answer).await.map(Response::into_inner)
    }

    pub(crate) async fn both(&mut self, messages: &[&str]) -> Result<Answers, Status> {
        self.ready().await?;
        let request = Request::new(sent(messages));
        let answer = self.0.streaming(request, path("/test.v1.Calls/Both"), Text);
        within("a head", answer).await.map(|answer| Answers(answer.into_inner()))
    }
}

fn sent(messages: &[&str]) -> impl futures_core::Stream<Item = String> + Send + 'static {
    let mut messages = messages.iter().map(|message| (*message).to_owned()).collect::<Vec<_>>().into_iter();
    stream_of(move |_| Poll::Ready(messages.next()))
}

pub(crate) struct Answers(Streaming<String>);

impl Answers {
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Status> {
        within("a message", self.0.message()).await
    }

    pub(crate) async fn all(&mut self) -> Result<Vec<String>, Status> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await? {
            messages.push(message);
        }
        Ok(messages)
    }
}
