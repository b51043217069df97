//! What the process says of its own health, on either port: the probes, and their gRPC form where that is compiled in.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use prodkit_health::{Health, Probes};
use prodkit_http::Body;
#[cfg(feature = "grpc-health")]
use {futures_util::future::BoxFuture, prodkit_health::grpc, prodkit_shutdown::Stop};

/// An answer's body.
#[cfg(feature = "grpc-health")]
pub(crate) type Own = http_body_util::Either<Full<Bytes>, grpc::Body>;
#[cfg(not(feature = "grpc-health"))]
pub(crate) type Own = Full<Bytes>;

/// An answer: the probes' at once, gRPC's when its request has come.
#[cfg(feature = "grpc-health")]
pub(crate) type Answer =
    futures_util::future::Either<std::future::Ready<Response<Own>>, BoxFuture<'static, Response<Own>>>;
#[cfg(not(feature = "grpc-health"))]
pub(crate) type Answer = std::future::Ready<Response<Own>>;

/// Answers from memory.
#[derive(Clone)]
pub(crate) struct Vitals {
    probes: Probes,
    #[cfg(feature = "grpc-health")]
    grpc: grpc::Grpc,
}

impl Vitals {
    /// For the port that everybody reaches.
    pub(crate) fn public(health: Health) -> Self {
        Self::new(Probes::public(health.clone(), std::time::Instant::now), health)
    }

    /// For the operators' port.
    pub(crate) fn detailed(health: Health) -> Self {
        Self::new(Probes::detailed(health.clone(), std::time::Instant::now), health)
    }

    #[cfg(feature = "grpc-health")]
    fn new(probes: Probes, health: Health) -> Self {
        Self { probes, grpc: grpc::Grpc::new(health, std::time::Instant::now) }
    }

    #[cfg(not(feature = "grpc-health"))]
    fn new(probes: Probes, _: Health) -> Self {
        Self { probes }
    }

    /// Ends what has no end of its own when the port closes.
    #[cfg(feature = "grpc-health")]
    pub(crate) fn until(self, closed: &Stop) -> Self {
        let closed = closed.clone();
        let grpc = self.grpc.until(move || {
            let closed = closed.clone();
            async move { closed.stopped().await }
        });
        Self { grpc, ..self }
    }

    #[cfg(not(feature = "grpc-health"))]
    pub(crate) fn until(self, _: &prodkit_shutdown::Stop) -> Self {
        self
    }

    /// Whether a request for this path is for here.
    pub(crate) fn matches(&self, path: &str) -> bool {
        #[cfg(feature = "grpc-health")]
        if self.grpc.matches(path) {
            return true;
        }
        self.probes.matches(path)
    }

    /// Answers one request.
    #[cfg(feature = "grpc-health")]
    pub(crate) fn answer(&self, request: Request<Body>) -> Answer {
        use futures_util::FutureExt as _;
        use futures_util::future::Either;
        if self.grpc.matches(request.uri().path()) {
            let answer = self.grpc.clone().answer(request);
            return Either::Right(answer.map(|answer| answer.map(http_body_util::Either::Right)).boxed());
        }
        Either::Left(std::future::ready(own(self.probes.answer(&request))))
    }

    /// Answers one request.
    #[cfg(not(feature = "grpc-health"))]
    #[expect(clippy::needless_pass_by_value, reason = "the other one reads its body")]
    pub(crate) fn answer(&self, request: Request<Body>) -> Answer {
        std::future::ready(self.probes.answer(&request))
    }
}

/// An answer that was there already.
#[cfg(feature = "grpc-health")]
pub(crate) fn own(answer: Response<Full<Bytes>>) -> Response<Own> {
    answer.map(http_body_util::Either::Left)
}

/// An answer that was there already.
#[cfg(not(feature = "grpc-health"))]
pub(crate) fn own(answer: Response<Full<Bytes>>) -> Response<Own> {
    answer
}

/// A future that is ready with an answer that was there already.
#[cfg(feature = "grpc-health")]
pub(crate) fn at_once(answer: Response<Full<Bytes>>) -> Answer {
    futures_util::future::Either::Left(std::future::ready(own(answer)))
}

/// A future that is ready with an answer that was there already.
#[cfg(not(feature = "grpc-health"))]
pub(crate) fn at_once(answer: Response<Full<Bytes>>) -> Answer {
    std::future::ready(own(answer))
}
