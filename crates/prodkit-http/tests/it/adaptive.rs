//! The limit that follows how long requests take, on a clock of its own.

use crate::support::{Witness, spawn, text};
use http::{Request, Response, StatusCode};
use prodkit_http::BoxError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tower::{Layer as _, ServiceExt as _};

const LIMIT: &str = "prodkit_http_in_flight_limit{}";

/// Answers after a hundredth of a second, with the status that the path is.
async fn slow(request: Request<()>) -> Result<Response<http_body_util::Full<bytes::Bytes>>, BoxError> {
    sleep(Duration::from_millis(10)).await;
    let mut answer = text("done");
    *answer.status_mut() = request.uri().path()[1..].parse::<StatusCode>()?;
    Ok(answer)
}

fn limit(witness: &Witness) -> usize {
    let values = witness.counts.values();
    values.iter().find(|(name, _)| name == LIMIT).map_or(0, |(_, limit)| *limit as usize)
}

/// So many requests at a time for some seconds; how many of them got 503 from the layer.
async fn load(
    witness: &Arc<Witness>,
    observe: &prodkit_http::Observe,
    path: &'static str,
    seconds: u64,
) -> usize {
    let (mut refused, end) = (0, Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < end {
        let at_a_time = limit(witness) + 1;
        let requests: Vec<_> = (0..at_a_time)
            .map(|_| {
                let observed = observe.layer(tower::service_fn(slow));
                let request = Request::get(path).body(()).expect("a request");
                spawn(async move { observed.oneshot(request).await.expect("an answer").headers().clone() })
            })
            .collect();
        for request in requests {
            refused += usize::from(request.await.expect("no panic").contains_key("retry-after"));
        }
    }
    refused
}

#[tokio::test(start_paused = true)]
async fn the_limit_grows_while_requests_take_no_longer_and_refuses_the_next_one() {
    let witness = Arc::<Witness>::default();
    let observe = witness.observe().adaptive_in_flight(2, 20);
    assert_eq!(limit(&witness), 2);
    let refused = load(&witness, &observe, "/200", 1).await;
    assert_eq!(refused, 100, "one of three each time");
    load(&witness, &observe, "/404", 10).await;
    assert_eq!((limit(&witness), observe.in_flight()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_fails_says_nothing_of_the_time() {
    let witness = Arc::<Witness>::default();
    let observe = witness.observe().adaptive_in_flight(2, 20);
    load(&witness, &observe, "/500", 10).await;
    assert_eq!(limit(&witness), 2);
}
