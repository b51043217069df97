//! Calls to others, under load and with those who do not answer.

use crate::support::{Counts, Witness, text, within};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use prodkit_http::client::{Breaker, Error, Outbound, Retry};
use prodkit_http::{Body, BoxError, deadline};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

type Payload = Full<&'static [u8]>;

fn request(method: Method) -> Request<Payload> {
    let request =
        Request::builder().method(method).uri("http://Payments:8080/pay").body(Full::new(&b"3 EUR"[..]));
    request.expect("a request")
}

/// Answers with these, one after the other, and the last one from then on; 0 is no answer, 1 is an error.
fn network(
    script: &'static [u16],
    calls: Arc<AtomicU32>,
) -> impl Service<Request<Payload>, Response = Response<()>, Error = BoxError, Future: Send> + Clone + Send + 'static
{
    tower::service_fn(move |_: Request<Payload>| {
        let call = calls.fetch_add(1, Relaxed) as usize;
        async move {
            match script[call.min(script.len() - 1)] {
                0 => std::future::pending().await,
                1 => Err("no connection".into()),
                status => {
                    let mut response = Response::new(());
                    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                    Ok(response)
                }
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_idempotent_is_tried_again_and_nothing_else() {
    for (method, script, calls, expected) in [
        (Method::GET, &[503, 200][..], 2, Some(200)),
        (Method::PUT, &[1, 502, 200], 3, Some(200)),
        (Method::DELETE, &[429, 504, 503, 200], 3, Some(503)),
        (Method::GET, &[500, 200], 1, Some(500)),
        (Method::GET, &[1], 3, None),
        (Method::POST, &[503, 200], 1, Some(503)),
        (Method::POST, &[1, 200], 1, None),
        (Method::PATCH, &[1, 200], 1, None),
    ] {
        let made = Arc::<AtomicU32>::default();
        let client = Retry::new(&metrics::NoopRecorder).layer(network(script, made.clone()));
        let answer = client.oneshot(request(method.clone())).await;
        assert_eq!(
            answer.as_ref().ok().map(|answer| answer.status().as_u16()),
            expected,
            "{method} {script:?}"
        );
        assert_eq!(made.load(Relaxed), calls, "{method} {script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_a_target_sees_a_tenth_more() {
    let (made, counts) = (Arc::<AtomicU32>::default(), Arc::<Counts>::default());
    let client = Retry::new(&counts).pause(Duration::ZERO).layer(network(&[503], made.clone()));
    for _ in 0..1_000 {
        let answer = client.clone().oneshot(request(Method::GET)).await.expect("an answer");
        assert_eq!(answer.status(), 503);
    }
    // what was saved up, a tenth, and what a second or two of pauses gave
    let made = made.load(Relaxed);
    assert!((1_190..=1_300).contains(&made), "{made}");
    let tried = counts.values().iter().find(|(name, _)| name.contains("outcome=tried")).expect("counted").1;
    assert_eq!(tried, f64::from(made - 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_dropped_and_a_circuit_opens_and_closes() {
    let (made, counts) = (Arc::<AtomicU32>::default(), Arc::<Counts>::default());
    let breaker = {
        let mut breaker = Breaker::default();
        breaker.calls = 4;
        breaker
    };
    let outbound = Outbound::new(counts.clone()).timeout(Duration::from_secs(1)).breaker(breaker);
    let client = outbound.layer(network(&[0, 1, 500, 503, 200], made.clone()));
    let call = async || client.clone().oneshot(request(Method::GET)).await;

    let late = call().await.expect_err("no answer");
    assert_eq!(late.to_string(), "call payments:8080: no answer within 1s");
    call().await.expect_err("an error");
    for status in [500, 503] {
        assert_eq!(call().await.expect("an answer").status(), status);
    }
    let open = call().await.expect_err("not sent");
    assert!(
        matches!(open.downcast_ref(), Some(Error::Open { wait, .. }) if *wait <= Duration::from_secs(1)),
        "{open}"
    );
    assert_eq!(made.load(Relaxed), 4);
    let value = |name: &str| counts.values().iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    assert_eq!(value("http_client_circuit_open{server=payments:8080}"), Some(1.0));

    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(call().await.expect("an answer").status(), 200);
    assert_eq!(value("http_client_circuit_open{server=payments:8080}"), Some(0.0));
    for (status, count) in
        [("timeout", 1.0), ("error", 1.0), ("500", 1.0), ("503", 1.0), ("open", 1.0), ("200", 1.0)]
    {
        let name = format!(
            "http_client_request_duration_seconds{{server=payments:8080,method=GET,status={status}}}"
        );
        assert_eq!(value(&name), Some(count), "{name}");
    }
    assert_eq!(value("http_client_active_requests{server=payments:8080}"), Some(0.0));
}

/// Hosts may come from those who call us.
#[tokio::test]
async fn servers_without_number_share_what_is_counted() {
    let counts = Arc::<Counts>::default();
    let client = Outbound::new(counts.clone()).layer(network(&[200], Arc::default()));
    for port in 1..=500 {
        let request = Request::get(format!("http://a:{port}/")).body(Full::default()).expect("a request");
        client.clone().oneshot(request).await.expect("an answer");
    }
    let series = counts.values().iter().filter(|(name, _)| name.starts_with("http_client_active")).count();
    assert_eq!(series, 201);
}

/// In a request being served: its trace goes along, and what is left of its time bounds the call.
#[tokio::test(start_paused = true)]
async fn a_call_inside_of_a_request_has_its_trace_and_its_time() {
    let witness = Arc::<Witness>::default();
    let client = ServiceBuilder::new()
        .layer(Outbound::new(Arc::new(metrics::NoopRecorder)).timeout(Duration::from_secs(100)))
        .service(tower::service_fn(async |request: Request<Payload>| {
            let trace = request.headers()["traceparent"].to_str().expect("text").to_owned();
            let timeout = request.headers()["grpc-timeout"].to_str().expect("text").to_owned();
            assert!(deadline().is_some());
            Ok::<_, Infallible>(Response::new(format!("{trace} {timeout}")))
        }));
    let server = witness.observe().timeout(Duration::from_secs(10)).layer(tower::service_fn(
        move |_: Request<Body>| {
            let client = client.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                let mut inner = request(Method::POST);
                inner
                    .headers_mut()
                    .insert("content-type", http::HeaderValue::from_static("application/grpc"));
                Ok::<_, BoxError>(text(client.oneshot(inner).await?.into_body()))
            }
        },
    ));
    let answer = within("answer", server.oneshot(Request::new(Body::empty()))).await.expect("an answer");
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    let seen = witness.exchange().await;
    assert!(body.starts_with(&format!("00-{}-", seen.trace_id)), "{body}");
    let micros: u64 =
        body.split_once(' ').expect("two").1.trim_end_matches('u').parse().expect("microseconds");
    assert!((6_900_000..=7_000_000).contains(&micros), "{body}");
    assert_eq!(deadline(), None);
}
