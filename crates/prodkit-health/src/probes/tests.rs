use super::*;
use crate::{Check, CheckHandle, Importance, Reporter, Settings};
use http_body_util::BodyExt as _;
use std::sync::LazyLock;
use std::time::Duration;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that stands still: two seconds after the start.
fn clock() -> Instant {
    *START + Duration::from_secs(2)
}

/// A running process whose database fails and whose cache is slow, or one that is still starting.
fn health(started: bool) -> (Health, CheckHandle, Reporter) {
    let settings = Settings {
        service: Some("order-service".into()),
        version: Some("1.2.3".into()),
        ..Settings::default()
    };
    let health = Health::new(settings, *START);
    let db = health.check("order-db", Check::critical(), *START).unwrap();
    let cache = health.reporter("cache", Importance::Optional, *START).unwrap();
    if started {
        health.started(*START);
    }
    cache.degraded("slow", *START);
    db.record(
        Err("connect \"db\": refused".into()),
        Duration::from_millis(12),
        *START + Duration::from_secs(1),
    );
    (health, db, cache)
}

fn body(response: Response<Full<Bytes>>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Some(frame)) = std::pin::pin!(body.frame()).poll(&mut cx) {
        text.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
    String::from_utf8(text).unwrap()
}

fn get(probes: &Probes, target: &str) -> (u16, String) {
    let response = probes.answer(&Request::get(target).body(()).unwrap());
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    (response.status().as_u16(), body(response))
}

#[test]
fn the_bodies_are_the_ones_that_were_promised() {
    let (health, db, cache) = health(false);
    let probes = Probes::public(health.clone(), clock);
    let table = |expect: [(u16, &str); 3]| {
        let paths =
            [["/health/startup", "/startupz"], ["/health/live", "/livez"], ["/health/ready", "/readyz"]];
        for (paths, (status, text)) in paths.into_iter().zip(expect) {
            for path in paths {
                assert_eq!(get(&probes, path), (status, text.to_owned()), "{path}");
            }
        }
    };
    let ok = r#"{"status":"ok","type":"startup"}"#;
    let alive = r#"{"status":"alive","type":"liveness"}"#;
    let not_ready = r#"{"status":"not_ready","type":"readiness"}"#;
    table([(503, r#"{"status":"initializing","type":"startup"}"#), (200, alive), (503, not_ready)]);
    health.started(clock());
    table([(200, ok), (200, alive), (503, not_ready)]);
    db.record(Ok(()), Duration::ZERO, clock());
    table([(200, ok), (200, alive), (200, r#"{"status":"degraded","type":"readiness"}"#)]);
    cache.ok(clock());
    table([(200, ok), (200, alive), (200, r#"{"status":"ready","type":"readiness"}"#)]);
    health.draining(clock());
    table([(200, ok), (200, alive), (503, not_ready)]);
    health.fail_liveness("stall", "no progress", clock());
    table([(200, ok), (503, r#"{"status":"dead","type":"liveness"}"#), (503, not_ready)]);
}

#[test]
fn the_public_port_tells_no_names_and_no_reasons() {
    let (health, _db, _cache) = health(true);
    let probes = Probes::public(health, clock);
    let short = (503, r#"{"status":"not_ready","type":"readiness"}"#.to_owned());
    for query in
        ["?verbose", "?exclude=order-db", "?verbose&exclude=nope", &format!("?{}", "x".repeat(10_000))]
    {
        assert_eq!(get(&probes, &format!("/health/ready{query}")), short, "{query}");
    }
    assert_eq!(get(&probes, "/health/ready/order-db"), get(&probes, "/health/ready/nope"));
    let request = Request::get("/readyz?verbose").header(ACCEPT, "application/health+json").body(()).unwrap();
    assert_eq!(body(probes.answer(&request)), r#"{"status":"fail"}"#);
}

#[test]
fn the_operators_port_tells_everything_when_asked() {
    let (health, db, _cache) = health(false);
    let hold = health.hold("warm-up", clock() - Duration::from_secs(1));
    let probes = Probes::detailed(health.clone(), clock);
    assert_eq!(get(&probes, "/readyz").1, r#"{"status":"not_ready","type":"readiness"}"#);
    assert_eq!(
        get(&probes, "/startupz?verbose").1,
        r#"{"status":"initializing","type":"startup","lifecycle":"starting","reasons":["still starting","waits for warm-up"],"pending":[{"name":"warm-up","for_ms":1000}]}"#
    );
    drop(hold);
    health.started(clock());
    assert_eq!(
        get(&probes, "/livez?verbose=1").1,
        r#"{"status":"alive","type":"liveness","lifecycle":"running"}"#
    );
    let (status, text) = get(&probes, "/readyz?verbose");
    assert_eq!(status, 503);
    assert_eq!(
        text,
        concat!(
            r#"{"status":"not_ready","type":"readiness","lifecycle":"running","#,
            r#""reasons":["critical check order-db is failing: connect \"db\": refused","optional check cache is degraded: slow"],"#,
            r#""checks":[{"name":"order-db","status":"failing","importance":"critical","reason":"connect \"db\": refused","streak":1,"took_ms":12,"p99_ms":12,"age_ms":1000,"was":"unknown","since_ms":1000},"#,
            r#"{"name":"cache","status":"degraded","importance":"optional","reason":"slow","streak":1,"age_ms":2000,"was":"unknown","since_ms":2000}]}"#
        )
    );

    assert_eq!(
        get(&probes, "/readyz?exclude=order-db"),
        (200, r#"{"status":"degraded","type":"readiness"}"#.into())
    );
    assert_eq!(get(&probes, "/readyz?exclude=order-db&exclude=cache").0, 200);
    assert_eq!(get(&probes, "/readyz?exclude=cache,order-db").1, r#"{"status":"ready","type":"readiness"}"#);
    assert_eq!(get(&probes, "/readyz?exclude=nope").0, 503);
    let warned = get(&probes, "/readyz?exclude=nope&exclude=order-db&verbose").1;
    assert!(
        warned.contains(r#""warnings":["no check is called \"nope\", so none was left out"]"#),
        "{warned}"
    );
    assert!(warned.contains(r#""importance":"critical","excluded":true"#), "{warned}");
    assert_eq!(get(&probes, "/livez?exclude=order-db").0, 200);

    assert_eq!(
        get(&probes, "/health/ready/order-db"),
        (503, r#"{"status":"failing","type":"check"}"#.into())
    );
    assert_eq!(get(&probes, "/health/ready/cache"), (200, r#"{"status":"degraded","type":"check"}"#.into()));
    assert!(get(&probes, "/health/ready/order-db?verbose").1.contains("refused"));
    assert_eq!(get(&probes, "/health/ready/nope"), (404, r#"{"error":"no check has this name"}"#.into()));
    db.record(Ok(()), Duration::ZERO, clock());
    assert_eq!(get(&probes, "/health/ready/order-db").0, 200);
}

#[test]
fn health_json_for_who_asks_for_it() {
    let (health, _db, _cache) = health(true);
    let probes = Probes::detailed(health, clock);
    let ask = |accept: &str| {
        let response = probes.answer(&Request::get("/health/ready").header(ACCEPT, accept).body(()).unwrap());
        (response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned(), body(response))
    };
    let yes = [
        "application/health+json",
        "text/html, Application/Health+JSON;q=0.5",
        "application/health+json; q=1",
    ];
    for accept in yes {
        assert_eq!(ask(accept).0, "application/health+json", "{accept}");
    }
    let no = [
        "*/*",
        "application/*",
        "application/json",
        "",
        "application/health+json;q=0",
        "application/health+jsonx",
    ];
    for accept in no {
        assert_eq!(ask(accept).0, "application/json", "{accept}");
    }
    assert_eq!(
        ask(yes[0]).1,
        concat!(
            r#"{"status":"fail","version":"1.2.3","serviceId":"order-service","#,
            r#""output":"critical check order-db is failing: connect \"db\": refused; optional check cache is degraded: slow","#,
            r#""checks":{"cache":[{"componentId":"cache","componentType":"component","status":"warn","output":"slow"}],"#,
            r#""order-db:responseTime":[{"componentId":"order-db","componentType":"component","status":"fail","observedValue":12,"observedUnit":"ms","output":"connect \"db\": refused"}]}}"#
        )
    );
}

#[test]
fn only_get_and_head_and_only_its_own_paths() {
    let (health, ..) = health(true);
    let probes = Probes::detailed(health.clone(), clock);
    for method in
        [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::from_bytes(b"X").unwrap()]
    {
        let response = probes.answer(&Request::builder().method(method).uri("/livez").body(()).unwrap());
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
    }
    let head = probes.answer(&Request::head("/livez").body(()).unwrap());
    assert_eq!((head.status(), &head.headers()[CONTENT_LENGTH]), (StatusCode::OK, &HeaderValue::from(36)));
    assert_eq!(get(&probes, "/livez").1.len(), 36);
    assert_eq!(body(head), "");

    let public = Probes::public(health, clock);
    for path in ["/health/startup", "/health/live", "/health/ready", "/startupz", "/livez", "/readyz"] {
        assert!(probes.matches(path) && public.matches(path), "{path}");
    }
    for path in ["/", "", "*", "/health", "/health/", "/livez/", "/health/live/x", "/HEALTH/LIVE", "//livez"]
    {
        assert!(!probes.matches(path) && !public.matches(path), "{path}");
    }
    assert!(probes.matches("/health/ready/order-db") && !public.matches("/health/ready/order-db"));
    assert_eq!(get(&probes, "/health"), (404, r#"{"error":"not found"}"#.into()));
}

#[test]
fn hostile_queries_are_refused_or_mean_nothing() {
    let (health, ..) = health(true);
    let probes = Probes::detailed(health, clock);
    let many = format!("exclude={}", vec!["a"; 65].join(","));
    for (query, status) in [
        (&*many, 400),
        (&*"x".repeat(4097), 400),
        ("exclude", 503),
        ("exclude=", 503),
        ("exclude=%6frder-db", 503),
        ("&&&==&verbose&", 503),
        ("verbose=false", 503),
    ] {
        assert_eq!(get(&probes, &format!("/readyz?{query}")).0, status, "{query}");
    }
}

#[test]
fn it_is_a_service_that_is_ready_at_once() {
    let (health, ..) = health(true);
    let mut probes = Probes::public(health, clock);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(Service::<Request<String>>::poll_ready(&mut probes, &mut cx).is_ready());
    let mut answer = std::pin::pin!(probes.call(Request::get("/livez").body("any body".to_owned()).unwrap()));
    assert!(matches!(answer.as_mut().poll(&mut cx), Poll::Ready(Ok(response)) if response.status() == 200));
}
