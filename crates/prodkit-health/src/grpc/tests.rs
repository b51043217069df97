use super::*;
use crate::{Check, Settings};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::Full;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn clock() -> Instant {
    *START
}

/// A request as a client frames it.
fn ask(method: &str, service: &str) -> Request<Full<Bytes>> {
    let mut frame = vec![0, 0, 0, 0, u8::try_from(service.len()).unwrap() + 2, 0x0a, service.len() as u8];
    frame.extend(service.bytes());
    let request = Request::post(format!("{SERVICE}{method}")).version(Version::HTTP_2);
    request.header(CONTENT_TYPE, "application/grpc").body(Full::from(frame)).unwrap()
}

/// Runs what never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The next frame: the status in a message, or the code in the trailers.
fn next(body: &mut Body, waker: &Waker) -> Poll<Option<i64>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(waker)).map(|frame| {
        let frame = frame?.unwrap();
        Some(match frame.into_data() {
            Ok(message) => i64::from(message[6]),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap();
                -trailers["grpc-status"].to_str().unwrap().parse::<i64>().unwrap()
            }
        })
    })
}

/// The status and the code of one call of `Check`.
fn check(health: &Health, service: &str) -> (Option<i64>, i64) {
    let mut response = now(Grpc::new(health.clone(), clock).answer(ask("Check", service)));
    assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc");
    if let Some(code) = response.headers().get("grpc-status") {
        assert!(response.body().is_end_stream());
        return (None, code.to_str().unwrap().parse().unwrap());
    }
    let mut frames = std::iter::from_fn(|| match next(response.body_mut(), Waker::noop()) {
        Poll::Ready(frame) => frame,
        Poll::Pending => panic!("it waits"),
    });
    let (status, code) = (frames.next().unwrap(), frames.next().unwrap());
    assert_eq!(frames.next(), None);
    (Some(status), -code)
}

const SERVING: (Option<i64>, i64) = (Some(1), 0);
const NOT_SERVING: (Option<i64>, i64) = (Some(2), 0);

#[test]
fn each_name_has_its_answer() {
    let health = Health::new(Settings::default(), *START);
    let db = health.check("db", Check::critical().unhealthy_after(1), *START).unwrap();
    let cache = health.check("cache", Check::optional().unhealthy_after(1), *START).unwrap();
    health.group("orders.v1.Orders", ["cache"], *START).unwrap();
    let all = |health: &Health| {
        ["", "readiness", "liveness", "startup", "orders.v1.Orders"].map(|name| check(health, name))
    };
    assert_eq!(all(&health), [NOT_SERVING, NOT_SERVING, SERVING, NOT_SERVING, NOT_SERVING]);
    health.started(*START);
    db.record(Ok(()), Duration::ZERO, *START);
    cache.record(Err("cold".to_owned()), Duration::ZERO, *START);
    assert_eq!(all(&health), [SERVING; 5], "degraded serves");
    db.record(Err("gone".to_owned()), Duration::ZERO, *START);
    assert_eq!(all(&health), [NOT_SERVING, NOT_SERVING, SERVING, SERVING, SERVING]);
    health.draining(*START);
    assert_eq!(all(&health), [NOT_SERVING, NOT_SERVING, SERVING, SERVING, NOT_SERVING]);
    assert_eq!(check(&health, "other"), (None, 5), "NOT_FOUND");
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_watch_tells_each_change_once_and_ends_when_the_port_closes() {
    let health = Health::new(Settings::default(), *START);
    let closed = Arc::new(Mutex::new(None::<Waker>));
    let open = Arc::new(AtomicUsize::new(1));
    let grpc = Grpc::new(health.clone(), clock).until({
        let (closed, open) = (closed.clone(), open.clone());
        move || {
            let (closed, open) = (closed.clone(), open.clone());
            std::future::poll_fn(move |cx| {
                *closed.lock().unwrap() = Some(cx.waker().clone());
                if open.load(Ordering::Relaxed) == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
        }
    });
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut ready = now(grpc.clone().answer(ask("Watch", ""))).into_body();
    let mut later = now(grpc.answer(ask("Watch", "later"))).into_body();
    assert_eq!(next(&mut ready, &waker), Poll::Ready(Some(2)));
    assert_eq!(next(&mut ready, &waker), Poll::Pending);
    assert_eq!(next(&mut later, &waker), Poll::Ready(Some(3)), "SERVICE_UNKNOWN, and it goes on");
    assert_eq!(next(&mut later, &waker), Poll::Pending);

    health.started(*START);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert_eq!(next(&mut ready, &waker), Poll::Ready(Some(1)));
    assert_eq!(next(&mut ready, &waker), Poll::Pending);
    health.group("later", [], *START).unwrap();
    assert_eq!(next(&mut later, &waker), Poll::Ready(Some(1)), "the name has turned up");
    assert_eq!(next(&mut later, &waker), Poll::Pending);

    health.draining(*START);
    for body in [&mut ready, &mut later] {
        assert_eq!(next(body, &waker), Poll::Ready(Some(2)));
        assert_eq!(next(body, &waker), Poll::Pending, "while the port is open");
    }
    open.store(0, Ordering::Relaxed);
    closed.lock().unwrap().take().unwrap().wake();
    for body in [&mut ready, &mut later] {
        assert_eq!(next(body, &waker), Poll::Ready(Some(-14)), "UNAVAILABLE");
        assert_eq!(next(body, &waker), Poll::Ready(None));
        assert!(body.is_end_stream());
    }
}

#[test]
fn silence_wakes_a_watch_when_somebody_notes_it() {
    static LATER: AtomicUsize = AtomicUsize::new(0);
    let health = Health::new(Settings::default(), *START);
    let db = health.check("db", Check::critical(), *START).unwrap();
    health.started(*START);
    db.record(Ok(()), Duration::ZERO, *START);
    let clock = || *START + Duration::from_secs(LATER.load(Ordering::Relaxed) as u64);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut body = now(Grpc::new(health.clone(), clock).answer(ask("Watch", "readiness"))).into_body();
    assert_eq!(next(&mut body, &waker), Poll::Ready(Some(1)));
    assert_eq!(next(&mut body, &waker), Poll::Pending);
    LATER.store(30, Ordering::Relaxed);
    health.advance(clock());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(next(&mut body, &waker), Poll::Ready(Some(2)));
}

#[test]
fn watches_are_bounded_and_their_places_come_back() {
    let health = Health::new(Settings::default(), *START);
    let watch = || now(Grpc::new(health.clone(), clock).answer(ask("Watch", "")));
    let code = |response: &Response<Body>| response.headers().get("grpc-status").cloned();
    let many: Vec<_> = (0..1_024).map(|_| watch()).collect();
    assert!(many.iter().all(|response| code(response).is_none()));
    assert_eq!(code(&watch()).unwrap(), "8", "RESOURCE_EXHAUSTED");
    drop(many);
    assert_eq!(code(&watch()), None);
}

#[test]
fn what_is_no_grpc_is_refused_in_http_and_what_is_not_understood_in_grpc() {
    let answer = |request| now(Grpc::new(Health::new(Settings::default(), *START), clock).answer(request));
    let mut get = ask("Check", "");
    *get.method_mut() = Method::GET;
    assert_eq!(answer(get).status(), 405);
    let mut old = ask("Check", "");
    *old.version_mut() = Version::HTTP_11;
    assert_eq!(answer(old).status(), 505);
    for kind in ["application/json", "application/grpc-web", "application/grpc+json", ""] {
        let mut other = ask("Check", "");
        other.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        assert_eq!(answer(other).status(), 415, "{kind}");
    }
    let code = |request| answer(request).headers()["grpc-status"].to_str().unwrap().to_owned();
    assert_eq!(code(ask("List", "")), "12", "UNIMPLEMENTED");
    assert_eq!(code(ask("Check", "").map(|_| Full::from("\0\0\0\0\x09nonsense"))), "3", "INVALID_ARGUMENT");
    assert_eq!(code(ask("Watch", "").map(|_| Full::from(vec![0; 2_000]))), "8", "RESOURCE_EXHAUSTED");
}
