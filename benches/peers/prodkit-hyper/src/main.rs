//! prodkit around a plain tower service, everything on. Settings come from arguments and environment, as always.

use std::convert::Infallible;
use std::process::ExitCode;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use prodkit::http::{Body, set_route};
use prodkit::{App, BoxError, Context};

async fn answer(request: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/" {
        set_route("/");
        return Ok(text("text/plain", Bytes::from_static(peer_answer::HELLO.as_bytes())));
    }
    Ok(match peer_answer::order_id(path) {
        Some(id) => {
            set_route(peer_answer::ORDER_ROUTE);
            text(peer_answer::JSON, peer_answer::order(id).into())
        }
        None => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    })
}

fn text(media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// As in the images of the examples.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn app(_: Context) -> Result<App, BoxError> {
    Ok(App::new().http(tower::service_fn(answer)))
}

fn main() -> ExitCode {
    prodkit::run!(app)
}
