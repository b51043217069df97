//! What a scrape looks like, to the letter.

use crate::{open_metrics, recorder, text};
use prodkit_metrics::{Buckets, Options, Recorder, Select, Unit};

#[test]
fn the_guides_metrics_come_out_exactly_so() {
    let recorder = recorder();
    recorder.describe("http_requests_total", Some(Unit::Count), "Requests answered.");
    recorder.describe("http_request_duration_seconds", Some(Unit::Seconds), "Time to answer.");
    recorder
        .counter("http_requests_total", &[("method", "GET"), ("endpoint", "/orders/{id}"), ("status", "200")])
        .increment(3);
    recorder.gauge("active_connections", &[]).set(7.0);
    let duration = recorder.histogram("http_request_duration_seconds", &[("endpoint", "/")]);
    [0.001, 0.0011, 0.3, 9.0].into_iter().for_each(|value| duration.record(value));

    let histogram = r#"http_request_duration_seconds_bucket{endpoint="/",le="0.001"} 1
http_request_duration_seconds_bucket{endpoint="/",le="0.005"} 2
http_request_duration_seconds_bucket{endpoint="/",le="0.01"} 2
http_request_duration_seconds_bucket{endpoint="/",le="0.05"} 2
http_request_duration_seconds_bucket{endpoint="/",le="0.1"} 2
http_request_duration_seconds_bucket{endpoint="/",le="0.5"} 3
http_request_duration_seconds_bucket{endpoint="/",le="1"} 3
http_request_duration_seconds_bucket{endpoint="/",le="5"} 3
http_request_duration_seconds_bucket{endpoint="/",le="+Inf"} 4
http_request_duration_seconds_sum{endpoint="/"} 9.3021
http_request_duration_seconds_count{endpoint="/"} 4
"#;
    let counter = r#"http_requests_total{endpoint="/orders/{id}",method="GET",status="200"} 3"#;
    assert_eq!(
        text(&recorder),
        format!(
            "# TYPE active_connections gauge\nactive_connections 7\n\
             # HELP http_request_duration_seconds Time to answer.\n\
             # TYPE http_request_duration_seconds histogram\n{histogram}\
             # HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n{counter}\n"
        )
    );
    assert_eq!(
        open_metrics(&recorder),
        format!(
            "# TYPE active_connections gauge\nactive_connections 7\n\
             # HELP http_request_duration_seconds Time to answer.\n\
             # TYPE http_request_duration_seconds histogram\n\
             # UNIT http_request_duration_seconds seconds\n{histogram}\
             # HELP http_requests Requests answered.\n# TYPE http_requests counter\n{counter}\n# EOF\n"
        )
    );
}

#[test]
fn nothing_is_an_empty_scrape() {
    let recorder = recorder();
    recorder.describe("later", None, "Not there yet.");
    assert_eq!(text(&recorder), "");
    assert_eq!(open_metrics(&recorder), "# EOF\n");
}

#[test]
fn a_unit_described_late_renames_what_is_there() {
    let recorder = recorder();
    let wait = recorder.gauge("queue.wait", &[("queue", "mail")]);
    wait.set(0.25);
    assert!(text(&recorder).contains("queue_wait{queue=\"mail\"} 0.25\n"));
    recorder.describe("queue.wait", Some(Unit::Seconds), "Say \"how\\long\"\nit is.");
    wait.increment(1.0);
    assert_eq!(
        text(&recorder),
        "# HELP queue_wait_seconds Say \"how\\\\long\"\\nit is.\n# TYPE queue_wait_seconds gauge\n\
         queue_wait_seconds{queue=\"mail\"} 1.25\n"
    );
    assert!(open_metrics(&recorder).contains("# HELP queue_wait_seconds Say \\\"how\\\\long\\\"\\nit is.\n"));
    // The first unit stays.
    recorder.describe("queue.wait", Some(Unit::Bytes), "");
    assert!(text(&recorder).contains("queue_wait_seconds{"));
}

#[test]
fn unit_suffixes_can_be_off() {
    let recorder = Recorder::new(Options::new().unit_suffix(false));
    recorder.describe("size", Some(Unit::Bytes), "");
    recorder.gauge("size", &[]).set(f64::NAN);
    assert_eq!(open_metrics(&recorder), "# TYPE size gauge\nsize NaN\n# EOF\n");
}

#[test]
fn names_shown_alike_are_one_metric() {
    let recorder = recorder();
    recorder.counter("jobs.done", &[("queue.name", "a")]).increment(1);
    recorder.counter("jobs_done", &[("queue_name", "a")]).increment(2);
    recorder.counter("jobs_done_total", &[]).increment(4);
    assert_eq!(
        text(&recorder),
        "# TYPE jobs_done_total counter\njobs_done_total 4\njobs_done_total{queue_name=\"a\"} 3\n"
    );
}

#[test]
fn a_counter_keeps_its_name_beside_a_gauge_in_open_metrics() {
    let recorder = recorder();
    recorder.gauge("jobs", &[]).set(1.0);
    recorder.counter("jobs_total", &[]).increment(2);
    assert_eq!(text(&recorder), "# TYPE jobs gauge\njobs 1\n# TYPE jobs_total counter\njobs_total 2\n");
    assert_eq!(
        open_metrics(&recorder),
        "# TYPE jobs gauge\njobs 1\n# TYPE jobs_total unknown\njobs_total 2\n# EOF\n"
    );
}

#[test]
fn buckets_are_chosen_by_name_and_may_be_negative() {
    let options = Options::new()
        .buckets_for(Select::suffix("_dollars"), Buckets::new(&[10.0, 50.0]).unwrap())
        .buckets_for(Select::name("drift"), Buckets::new(&[-0.5, 0.5]).unwrap());
    let recorder = Recorder::new(options);
    recorder.histogram("order_amount_dollars", &[]).record_many(20.0, 3);
    recorder.histogram("drift", &[]).record(-3.0);
    assert_eq!(
        text(&recorder),
        "# TYPE drift histogram\ndrift_bucket{le=\"-0.5\"} 1\ndrift_bucket{le=\"0.5\"} 1\n\
         drift_bucket{le=\"+Inf\"} 1\ndrift_sum -3\ndrift_count 1\n\
         # TYPE order_amount_dollars histogram\norder_amount_dollars_bucket{le=\"10\"} 0\n\
         order_amount_dollars_bucket{le=\"50\"} 3\norder_amount_dollars_bucket{le=\"+Inf\"} 3\n\
         order_amount_dollars_sum 60\norder_amount_dollars_count 3\n"
    );
    assert!(!open_metrics(&recorder).contains("drift_sum"));
}

#[test]
fn names_shown_alike_have_the_same_buckets() {
    let options = Options::new().buckets_for(Select::name("wait_seconds"), Buckets::new(&[2.0]).unwrap());
    let recorder = Recorder::new(options);
    recorder.describe("wait", Some(Unit::Seconds), "");
    recorder.histogram("wait", &[("a", "1")]).record(0.07);
    recorder.histogram("wait_seconds", &[("a", "2")]).record(0.07);
    let text = text(&recorder);
    for line in
        ["wait_seconds_bucket{a=\"2\",le=\"0.05\"} 0\n", "wait_seconds_bucket{a=\"2\",le=\"0.1\"} 1\n"]
    {
        assert!(text.contains(line), "{line}{text}");
    }
}
