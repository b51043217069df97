//! What metrics are called over OTLP: by the semantic conventions for
//! [HTTP](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/) and for
//! [processes](https://opentelemetry.io/docs/specs/semconv/system/process-metrics/), where those know them. `/metrics` has
//! the names of the guide. Each metric has one name in either place, so that nothing is there twice.

use prodkit_metrics::{Exported, Options};

/// Labels of a series, by name.
type Labels = Vec<(String, String)>;

/// Requests that matched no route have this one.
const UNMATCHED: &str = "unmatched";

/// The status of a request whose client went away before it was answered.
const NOT_ANSWERED: &str = "499";

/// Gives the metrics of prodkit their names. `is_secure` is what the main port is spoken to with.
pub(crate) fn conventional(options: Options, is_secure: bool) -> Options {
    let request = if is_secure { secure_request } else { plain_request };
    let known = [
        ("http_request_duration_seconds", Exported::named("http.server.request.duration").labels(request)),
        // the conventions count requests by that histogram
        ("http_requests_total", Exported::hidden()),
        (
            "http_client_request_duration_seconds",
            Exported::named("http.client.request.duration").labels(call),
        ),
        (
            "http_client_active_requests",
            Exported::named("http.client.active_requests").labels(call).unit("{request}").additive(),
        ),
        // without `http.connection.state`: only the pool knows which are idle
        (
            "http_client_open_connections",
            Exported::named("http.client.open_connections").labels(call).unit("{connection}").additive(),
        ),
        (
            "http_client_connection_duration_seconds",
            Exported::named("http.client.connection.duration").labels(call),
        ),
        (
            "http_client_connect_duration_seconds",
            Exported::named("http_client_connect_duration_seconds").labels(call),
        ),
        ("process_cpu_seconds_total", Exported::named("process.cpu.time").labels(time)),
        ("process_resident_memory_bytes", Exported::named("process.memory.usage").additive()),
        ("process_virtual_memory_bytes", Exported::named("process.memory.virtual").additive()),
        (
            "process_open_fds",
            Exported::named("process.unix.file_descriptor.count").unit("{file_descriptor}").additive(),
        ),
        ("process_threads", Exported::named("process.thread.count").unit("{thread}").additive()),
    ];
    known.into_iter().fold(options, |options, (name, exported)| options.exported_as(name, exported))
}

fn plain_request(labels: &[(String, String)]) -> Labels {
    self::request(labels, "http")
}

fn secure_request(labels: &[(String, String)]) -> Labels {
    self::request(labels, "https")
}

fn request(labels: &[(String, String)], scheme: &str) -> Labels {
    let mut named = vec![pair("url.scheme", scheme)];
    for (name, value) in labels {
        match name.as_str() {
            "method" => named.push(pair("http.request.method", value)),
            "endpoint" if value == UNMATCHED => {}
            "endpoint" => named.push(pair("http.route", value)),
            "status" => {
                named.push(pair("http.response.status_code", value));
                named.extend(failure(value).map(|error| pair("error.type", error)));
            }
            other => named.push(pair(other, value)),
        }
    }
    named.sort();
    named
}

/// What the span of such a request has as its `error.type`, as far as the status tells.
fn failure(status: &str) -> Option<&str> {
    match status {
        NOT_ANSWERED => Some("client_disconnected"),
        status => status.starts_with('5').then_some(status),
    }
}

fn call(labels: &[(String, String)]) -> Labels {
    let mut named = Vec::with_capacity(labels.len() + 1);
    for (name, value) in labels {
        match name.as_str() {
            "method" => named.push(pair("http.request.method", value)),
            "status" if value.parse::<u16>().is_ok() => named.push(pair("http.response.status_code", value)),
            "status" => named.push(pair("error.type", value)),
            "server" => match value.rsplit_once(':') {
                Some((host, port)) if port.parse::<u16>().is_ok() => {
                    named.extend([pair("server.address", host), pair("server.port", port)]);
                }
                _ => named.push(pair("server.address", value)),
            },
            other => named.push(pair(other, value)),
        }
    }
    named.sort();
    named
}

fn time(labels: &[(String, String)]) -> Labels {
    let named = labels.iter().map(|(name, value)| match name.as_str() {
        "mode" => pair("cpu.mode", value),
        other => pair(other, value),
    });
    named.collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodkit_metrics::{Family, Format, Recorder, Unit};
    use std::time::Duration;

    /// What an exporter reads of one metric: its name and the labels of its series.
    fn exported(is_secure: bool, record: impl FnOnce(&Recorder)) -> Vec<(String, String)> {
        let recorder = Recorder::new(conventional(Options::new(), is_secure));
        record(&recorder);
        let families = recorder.snapshot().families;
        let series = families.iter().flat_map(|family| {
            family.points.iter().map(|point| {
                let labels: Vec<_> =
                    point.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                (family.name.to_string(), labels.join(" "))
            })
        });
        series.collect()
    }

    #[test]
    fn a_request_is_named_by_the_conventions() {
        let record = |recorder: &Recorder| {
            for (route, status) in [
                ("/orders/{id}", "200"),
                ("/orders/{id}", "499"),
                ("/orders/{id}", "503"),
                ("unmatched", "404"),
            ] {
                let labels = [("method", "GET"), ("endpoint", route), ("status", status)];
                recorder.histogram("http_request_duration_seconds", &labels).record(0.1);
                recorder.counter("http_requests_total", &labels).increment(1);
            }
            let mut text = Vec::new();
            recorder.encode(Format::Text004, &mut text);
            assert!(!String::from_utf8(text).unwrap().contains("http_server_request_duration"));
        };
        let expected = |scheme: &str| {
            let of = |labels: &str| {
                let labels = format!("{labels} url.scheme={scheme}");
                ("http.server.request.duration".to_owned(), labels)
            };
            let route = |more: &str, status| {
                let method = "http.request.method=GET";
                format!("{more}{method} http.response.status_code={status} http.route=/orders/{{id}}")
            };
            [
                of(&route("", 200)),
                of(&route("error.type=client_disconnected ", 499)),
                of(&route("error.type=503 ", 503)),
                of("http.request.method=GET http.response.status_code=404"),
            ]
        };
        assert_eq!(exported(false, record), expected("http"));
        assert_eq!(exported(true, record), expected("https"));
    }

    #[test]
    fn a_call_is_too() {
        let series = exported(false, |recorder| {
            let call = |server, status| {
                let labels = [("server", server), ("method", "GET"), ("status", status)];
                recorder.histogram("http_client_request_duration_seconds", &labels).record(0.1);
            };
            call("stock:8080", "200");
            call("stock", "timeout");
            recorder.gauge("active_connections", &[]).set(1.0);
        });
        let of = |labels: &str| ("http.client.request.duration".to_owned(), labels.to_owned());
        assert!(series.contains(&of(
            "http.request.method=GET http.response.status_code=200 server.address=stock server.port=8080"
        )));
        assert!(series.contains(&of("error.type=timeout http.request.method=GET server.address=stock")));
        assert!(series.contains(&("active_connections".to_owned(), String::new())), "{series:?}");
    }

    #[test]
    fn the_process_is_told_by_the_conventions() {
        let recorder = Recorder::new(conventional(Options::new(), false));
        recorder.describe("process_cpu_seconds_total", Some(Unit::Seconds), "");
        for mode in ["user", "system"] {
            recorder.time_counter("process_cpu_seconds_total", &[("mode", mode)]).increment(Duration::ZERO);
        }
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_threads"] {
            recorder.describe(name, name.ends_with("_bytes").then_some(Unit::Bytes), "");
            recorder.gauge(name, &[]).set(1.0);
        }
        recorder.gauge("http_client_active_requests", &[("server", "stock:8080")]).set(1.0);
        let families = recorder.snapshot().families;
        let told =
            |family: &Family| (family.name.to_string(), family.unit.unwrap_or_default(), family.additive);
        let expected = [
            ("http.client.active_requests", "{request}", true),
            ("process.cpu.time", "s", false),
            ("process.unix.file_descriptor.count", "{file_descriptor}", true),
            ("process.memory.usage", "By", true),
            ("process.thread.count", "{thread}", true),
        ];
        let expected = expected.map(|(name, unit, additive)| (name.to_owned(), unit, additive));
        assert_eq!(families.iter().map(told).collect::<Vec<_>>(), expected);
        let modes: Vec<_> = families[1].points.iter().map(|point| point.labels[0].clone()).collect();
        assert_eq!(modes, ["system", "user"].map(|mode| pair("cpu.mode", mode)));
    }
}
