//! OTLP's JSON, made from the binary form: for those who ask for it, and for people.

use crate::signal::Kind;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;
use serde_json::Value;

/// A request of ours, as JSON.
pub(super) fn request(kind: Kind, body: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Traces => json::<ExportTraceServiceRequest>(body),
        Kind::Metrics => json::<ExportMetricsServiceRequest>(body),
        Kind::Logs => json::<ExportLogsServiceRequest>(body),
    }
}

/// What we encoded can be decoded, and has nothing that JSON cannot say.
fn json<M: Message + Default + Serialize>(body: &[u8]) -> Vec<u8> {
    M::decode(body).ok().and_then(|message| serde_json::to_vec(&message).ok()).unwrap_or_default()
}

/// A collector's answer in the binary form. What cannot be read says nothing.
pub(super) fn response(answer: &[u8]) -> Bytes {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let Value::Object(partial) = &answer["partialSuccess"] else { return Bytes::new() };
    // a 64-bit number is text in JSON, and a number from those who do not know
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let rejected = partial.iter().filter(|(key, _)| key.starts_with("rejected"));
    let rejected_spans = rejected.filter_map(|(_, value)| number(value)).sum();
    let error_message = partial.get("errorMessage").and_then(Value::as_str).unwrap_or_default().to_owned();
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
    ExportTraceServiceResponse { partial_success }.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_json_says_the_same() {
        for (answer, expected) in [
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedLogRecords":4}}"#, 4),
            (r#"{"partialSuccess":{}}"#, 0),
            ("{}", 0),
            ("nonsense", 0),
            ("[1]", 0),
        ] {
            let decoded = ExportTraceServiceResponse::decode(response(answer.as_bytes())).unwrap();
            assert_eq!(
                decoded.partial_success.map_or(0, |partial| partial.rejected_spans),
                expected,
                "{answer}"
            );
        }
    }
}
