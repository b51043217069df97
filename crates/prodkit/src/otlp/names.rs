//! What metrics are called over OTLP: by the semantic conventions for
//! [HTTP](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/) and for
//! [processes](https://opentelemetry.io/docs/specs/semconv/system/process-metrics/), where those know them. `/metrics` has
//! the names of the guide. Each metric has one name in either place, so that nothing is there twice.

use prodkit_metrics::{Exported, Options};

/// Labels of a series, by name.
type Labels = Vec<(String, String)>;

/// Requests that matched no route have this one.
const UNMATCHED: &str = "unmatched";

/// Gives the metrics of prodkit their names. `is_secure` is what the main port is spoken to with.
pub(crate) fn conventional(options: Options, is_secure: bool) -> Options {
    let request = if is_secure { secure_request } else { plain_request };
    let known = [
        ("http_request_duration_seconds", Exported::named("http.server.request.duration").labels(request)),
        // the conventions count requests by that histogram, which has no status here: this one has
        ("http_requests_total", Exported::named("http_requests_total").labels(request)),
        (
            "http_client_request_duration_seconds",
            Exported::named("http.client.request.duration").labels(call),
        ),
        ("http_client_active_requests", Exported::named("http.client.active_requests").labels(call)),
        ("process_cpu_seconds_total", Exported::named("process.cpu.time")),
        ("process_resident_memory_bytes", Exported::named("process.memory.usage")),
        ("process_virtual_memory_bytes", Exported::named("process.memory.virtual")),
        ("process_open_fds", Exported::named("process.unix.file_descriptor.count")),
        ("process_threads", Exported::named("process.thread.count")),
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
    let matched = |(name, value): &&(String, String)| !(name == "endpoint" && value == UNMATCHED);
    let named = labels.iter().filter(matched).map(|(name, value)| match name.as_str() {
        "method" => pair("http.request.method", value),
        "endpoint" => pair("http.route", value),
        "status" => pair("http.response.status_code", value),
        other => pair(other, value),
    });
    let mut named: Labels = named.chain([pair("url.scheme", scheme)]).collect();
    named.sort();
    named
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

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodkit_metrics::{Format, Recorder};

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
            let labels = [("method", "GET"), ("endpoint", "/orders/{id}")];
            recorder.histogram("http_request_duration_seconds", &labels).record(0.1);
            let unmatched = [("method", "GET"), ("endpoint", "unmatched"), ("status", "404")];
            recorder.counter("http_requests_total", &unmatched).increment(1);
            let mut text = Vec::new();
            recorder.encode(Format::Text004, &mut text);
            let text = String::from_utf8(text).unwrap();
            assert!(
                text.contains("http_request_duration_seconds_count{method=\"GET\",endpoint=")
                    || text.contains("http_request_duration_seconds_count{endpoint="),
                "{text}"
            );
            assert!(!text.contains("http_server_request_duration"), "{text}");
        };
        let expected = |scheme: &str| {
            [
                (
                    "http.server.request.duration".to_owned(),
                    format!("http.request.method=GET http.route=/orders/{{id}} url.scheme={scheme}"),
                ),
                (
                    "http_requests_total".to_owned(),
                    format!("http.request.method=GET http.response.status_code=404 url.scheme={scheme}"),
                ),
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
}
