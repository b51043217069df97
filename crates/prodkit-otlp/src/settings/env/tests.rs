use super::*;
use crate::Sampling;

fn read(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let get =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let (settings, warnings) = Settings::from_env(Settings::default(), get);
    (settings, warnings.into_iter().map(|warning| warning.variable).collect())
}

#[track_caller]
fn sets(name: &str, value: &str, change: impl FnOnce(&mut Settings)) {
    let mut expected = Settings::default();
    change(&mut expected);
    assert_ne!(expected, Settings::default(), "{name}={value} must change something");
    assert_eq!(read(&[(name, value)]), (expected, vec![]), "{name}={value}");
}

#[track_caller]
fn ignored(name: &str, value: &str) {
    assert_eq!(read(&[(name, value)]), (Settings::default(), vec![name.to_owned()]), "{name}={value}");
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn each_variable_takes_effect() {
    sets("OTEL_EXPORTER_OTLP_ENDPOINT", " http://c:1 ", |s| s.endpoint = Some("http://c:1".into()));
    sets("OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC", |s| s.protocol = Some(Protocol::Grpc));
    sets("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", |s| s.protocol = Some(Protocol::HttpProtobuf));
    sets("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", |s| s.protocol = Some(Protocol::HttpJson));
    sets("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP", |s| s.compression = Compression::Gzip);
    sets("OTEL_METRIC_EXPORT_TIMEOUT", "250", |s| s.metrics.batch.timeout = Some(250 * MS));
    sets("OTEL_EXPORTER_OTLP_TIMEOUT", "250", |s| s.timeout = 250 * MS);
    sets("OTEL_EXPORTER_OTLP_HEADERS", "a=b", |s| s.headers = Headers::parse("a=b").unwrap());
    sets("OTEL_SDK_DISABLED", "True", |s| (s.traces.enabled, s.metrics.enabled) = (false, false));
    for value in ["delta", "LowMemory"] {
        sets("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", value, |s| {
            s.temporality = Temporality::Delta;
        });
    }
    sets(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "BASE2_EXPONENTIAL_BUCKET_HISTOGRAM",
        |s| s.histograms = Histograms::Exponential,
    );
    sets("OTEL_METRIC_EXPORT_INTERVAL", "60000", |s| s.metric_interval = 60_000 * MS);

    for (name, pick) in [
        ("TRACES", (|s| &mut s.traces) as fn(&mut Settings) -> &mut Signal),
        ("METRICS", |s| &mut s.metrics),
        ("LOGS", |s| &mut s.logs),
    ] {
        let of = |option: &str| format!("OTEL_EXPORTER_OTLP_{name}_{option}");
        sets(&of("ENDPOINT"), "c:4318", |s| {
            pick(s).endpoint = Some("c:4318".into());
            pick(s).enabled = true;
        });
        sets(&of("PROTOCOL"), "grpc", |s| pick(s).protocol = Some(Protocol::Grpc));
        sets(&of("COMPRESSION"), "none", |s| pick(s).compression = Some(Compression::None));
        sets(&of("TIMEOUT"), "1", |s| pick(s).timeout = Some(MS));
        sets(&of("HEADERS"), "a=b", |s| pick(s).headers = Some(Headers::parse("a=b").unwrap()));
        sets(&of("INSECURE"), "false", |s| pick(s).insecure = Some(false));
    }
    sets("OTEL_EXPORTER_OTLP_INSECURE", "True", |s| s.insecure = Some(true));
    sets("OTEL_TRACES_EXPORTER", "none", |s| s.traces.enabled = false);
    sets("OTEL_METRICS_EXPORTER", "None", |s| s.metrics.enabled = false);
    sets("OTEL_LOGS_EXPORTER", "otlp", |s| s.logs.enabled = true);

    for (prefix, pick) in [
        ("BSP", (|s| &mut s.traces.batch) as fn(&mut Settings) -> &mut Batch),
        ("BLRP", |s| &mut s.logs.batch),
    ] {
        let of = |option: &str| format!("OTEL_{prefix}_{option}");
        sets(&of("SCHEDULE_DELAY"), "0", |s| pick(s).delay = Duration::ZERO);
        sets(&of("EXPORT_TIMEOUT"), "7", |s| pick(s).timeout = Some(7 * MS));
        sets(&of("MAX_EXPORT_BATCH_SIZE"), "3", |s| pick(s).size = 3);
        // a smaller queue takes the batch with it
        sets(&of("MAX_QUEUE_SIZE"), "100", |s| (pick(s).queue, pick(s).size) = (100, 100));
    }
}

#[cfg(feature = "__tls")]
#[test]
fn certificates() {
    for (name, pick) in [
        ("", (|s| &mut s.tls) as fn(&mut Settings) -> &mut Tls),
        ("TRACES_", |s| &mut s.traces.tls),
        ("METRICS_", |s| &mut s.metrics.tls),
        ("LOGS_", |s| &mut s.logs.tls),
    ] {
        let of = |option: &str| format!("OTEL_EXPORTER_OTLP_{name}{option}");
        sets(&of("CERTIFICATE"), "/x.pem", |s| pick(s).ca = Some("/x.pem".into()));
        sets(&of("CLIENT_CERTIFICATE"), "/x.pem", |s| pick(s).cert = Some("/x.pem".into()));
        sets(&of("CLIENT_KEY"), "/x.pem", |s| pick(s).key = Some("/x.pem".into()));
    }
}

#[cfg(not(feature = "__tls"))]
#[test]
fn certificates() {
    for name in ["CERTIFICATE", "METRICS_CLIENT_CERTIFICATE", "LOGS_CLIENT_KEY"] {
        ignored(&format!("OTEL_EXPORTER_OTLP_{name}"), "/x.pem");
    }
}

#[test]
fn samplers() {
    let ratio = ("OTEL_TRACES_SAMPLER_ARG", "0.25");
    for (name, argument, expected) in [
        ("always_on", None, Some((1.0, false))),
        ("always_off", None, Some((0.0, false))),
        ("traceidratio", Some(ratio), Some((0.25, false))),
        ("traceidratio", None, Some((1.0, false))),
        ("parentbased_always_on", Some(ratio), Some((1.0, true))),
        ("parentbased_always_off", None, Some((0.0, true))),
        ("ParentBased_TraceIdRatio", Some(ratio), Some((0.25, true))),
        ("jaeger_remote", None, None),
    ] {
        let variables: Vec<_> = [("OTEL_TRACES_SAMPLER", name)].into_iter().chain(argument).collect();
        let (settings, warnings) = read(&variables);
        let sampling =
            expected.map_or_else(Sampling::default, |(ratio, parent_based)| Sampling { ratio, parent_based });
        assert_eq!((settings.sampling, warnings.is_empty()), (sampling, expected.is_some()), "{name}");
    }
    let bad = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1.5")];
    let (settings, warnings) = read(&bad);
    assert_eq!((settings.sampling.ratio, warnings), (1.0, vec!["OTEL_TRACES_SAMPLER_ARG".to_owned()]));
    // without a sampler the argument means nothing
    assert_eq!(read(&[ratio]).0, Settings::default());
}

#[test]
fn empty_is_unset_and_nonsense_is_ignored_with_a_warning() {
    assert_eq!(
        read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_SDK_DISABLED", " ")]),
        (Settings::default(), vec![])
    );
    for (name, value) in [
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "novalue"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "99999999999999999999"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_TRACES_EXPORTER", "otlp,console"),
        ("OTEL_TRACES_EXPORTER", "prometheus"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "summary"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "0"),
        ("OTEL_EXPORTER_OTLP_LOGS_INSECURE", "yes"),
    ] {
        ignored(name, value);
    }
}

#[test]
fn asking_for_what_is_done_anyway_is_no_trouble() {
    for (name, done, _) in REFUSED {
        if let Some(done) = done {
            assert_eq!(read(&[(*name, *done)]), (Settings::default(), vec![]), "{name}");
        }
    }
    let defaults = [
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram"),
    ];
    assert_eq!(read(&defaults), (Settings::default(), vec![]));
}

#[test]
fn what_is_refused_says_why() {
    for (name, _, reason) in REFUSED {
        let (settings, warnings) =
            Settings::from_env(Settings::default(), |asked| (asked == *name).then(|| "something".to_owned()));
        assert_eq!(settings, Settings::default(), "{name}");
        assert_eq!(
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [format!("{name} is ignored: {reason}")]
        );
    }
}

#[test]
fn a_proxy_is_refused_with_a_word_where_anything_is_exported() {
    assert_eq!(read(&[("HTTP_PROXY", "http://proxy:3128")]).1, Vec::<String>::new());
    for name in PROXIES {
        let (_, warnings) = read(&[(name, "http://proxy:3128"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4318")]);
        assert_eq!(warnings, [*name]);
    }
}

#[test]
fn limits() {
    let read = |variables: &[(&str, &str)]| read(variables).0.limits;
    let default = Limits::default();
    let general = [("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "9")];
    let all = Limits {
        attributes: 7,
        value_length: Some(9),
        event_attributes: 7,
        link_attributes: 7,
        log_attributes: 7,
        log_value_length: Some(9),
        ..default
    };
    assert_eq!(read(&general), all);
    // those of one kind win, whatever the order
    for (name, expected) in [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", Limits { attributes: 3, ..all }),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", Limits { value_length: Some(3), ..all }),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", Limits { events: 3, ..all }),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", Limits { links: 3, ..all }),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", Limits { event_attributes: 3, ..all }),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", Limits { link_attributes: 3, ..all }),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", Limits { log_attributes: 3, ..all }),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", Limits { log_value_length: Some(3), ..all }),
    ] {
        assert_eq!(read(&[&[(name, "3")], &general[..]].concat()), expected, "{name}");
    }
    assert_eq!(read(&[("OTEL_SPAN_LINK_COUNT_LIMIT", "0")]).links, 0, "none at all");
}

#[test]
fn exporters() {
    let exporter = |name: &str, value: &str| read(&[(name, value)]).0;
    for console in ["console", "Console", "otlp/stdout"] {
        let settings = exporter("OTEL_LOGS_EXPORTER", console);
        assert_eq!((settings.logs.enabled, settings.logs.exporter), (true, Exporter::Console));
        assert!(settings.is_on(), "it needs no endpoint");
    }
    let settings = exporter("OTEL_METRICS_EXPORTER", "prometheus");
    assert!(!settings.metrics.enabled && settings.traces.enabled);
}

#[test]
fn the_exporter_switch_wins_over_an_endpoint() {
    let off = [("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "c:4318"), ("OTEL_LOGS_EXPORTER", "none")];
    assert!(!read(&off).0.logs.enabled);
    let disabled = [("OTEL_LOGS_EXPORTER", "otlp"), ("OTEL_SDK_DISABLED", "true")];
    assert!(!read(&disabled).0.logs.enabled);
}

#[test]
fn a_warning_never_shows_a_value() {
    let (_, warnings) = Settings::from_env(Settings::default(), |name| {
        (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| "authorization hunter2".to_owned())
    });
    assert!(!format!("{warnings:?} {}", warnings[0]).contains("hunter2"));
}
