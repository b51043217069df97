//! OTLP/gRPC, over one tonic channel that connects when first used.

use super::connect::{Clients, cause};
use super::{Attempt, How, MAX_ANSWER, Why, user_agent};
use crate::endpoint::Target;
use crate::settings::Compression;
use bytes::{Buf, BufMut, Bytes};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use prost::Message;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, TimeoutExpired};

#[derive(Debug)]
pub(crate) struct Transport {
    channels: Clients<Channel>,
    method: PathAndQuery,
    metadata: MetadataMap,
    is_gzip: bool,
    timeout: Duration,
}

impl Transport {
    pub(crate) fn new(target: Target, how: &How<'_>) -> Self {
        let How { kind, headers, compression, timeout } = *how;
        // tonic wants to do TLS itself where it sees https: it is told of it for what it says to the collector only
        let mut plain = target.uri.clone().into_parts();
        plain.scheme = Some(Scheme::HTTP);
        let plain = Uri::from_parts(plain).unwrap_or_else(|_| target.uri.clone());
        let endpoint = Endpoint::from(plain).origin(target.uri).connect_timeout(timeout).tcp_nodelay(true);
        let endpoint = endpoint.clone().user_agent(user_agent()).unwrap_or(endpoint);
        Self {
            channels: Clients::new(target.security, timeout, move |connector| {
                endpoint.connect_with_connector_lazy(connector)
            }),
            method: PathAndQuery::from_static(kind.method()),
            metadata: MetadataMap::from_headers(headers.map().clone()),
            is_gzip: compression == Compression::Gzip,
            timeout,
        }
    }

    pub(crate) async fn send(&self, body: Bytes) -> Attempt {
        let answered = tokio::time::timeout(self.timeout, self.exchange(body)).await;
        answered.unwrap_or(Attempt::Again { why: Why::Timeout, after: None })
    }

    async fn exchange(&self, body: Bytes) -> Attempt {
        let mut client = Grpc::new(self.channels.get()).max_decoding_message_size(MAX_ANSWER);
        if self.is_gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        if let Err(error) = client.ready().await {
            return Attempt::Again { why: cause(&error).unwrap_or(Why::Unreachable), after: None };
        }
        let mut request = Request::new(body);
        *request.metadata_mut() = self.metadata.clone();
        request.set_timeout(self.timeout);
        match client.unary(request, self.method.clone(), Raw).await {
            Ok(response) => Attempt::Accepted(response.into_inner()),
            Err(status) => failure(&status),
        }
    }
}

/// What a status means, by the specification's "Failures" of OTLP/gRPC.
fn failure(status: &Status) -> Attempt {
    let after = retry_delay(status.details());
    let why = Why::Code(status.code() as i32);
    // what breaks below gRPC has a cause, which no collector's word has
    if let Some(error) = std::error::Error::source(status) {
        let otherwise = if error.is::<TimeoutExpired>() { Why::Timeout } else { Why::Broken };
        return Attempt::Again { why: cause(error).unwrap_or(otherwise), after: None };
    }
    match status.code() {
        // tonic's own word for an answer over the limit, which it gives a code that may be repeated
        Code::OutOfRange if status.message().starts_with("Error, decoded message length too large") => {
            Attempt::Refused(Why::TooLarge)
        }
        Code::Aborted
        | Code::Cancelled
        | Code::DataLoss
        | Code::DeadlineExceeded
        | Code::OutOfRange
        | Code::Unavailable => Attempt::Again { why, after },
        // the server can recover only if it says when
        Code::ResourceExhausted if after.is_some() => Attempt::Again { why, after },
        _ => Attempt::Refused(why),
    }
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let info = status.details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.delay?;
    Some(Duration::new(delay.seconds.try_into().ok()?, delay.nanos.try_into().ok()?))
}

#[derive(prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Messages that are encoded already: a retry does not encode again.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_of_retry_info_is_found() {
        let info = RetryInfo { delay: Some(Delay { seconds: 3, nanos: 5 }) };
        let any =
            |name: &str, value| Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value };
        let details =
            RpcStatus { details: vec![any("Help", vec![1]), any("RetryInfo", info.encode_to_vec())] }
                .encode_to_vec();
        assert_eq!(retry_delay(&details), Some(Duration::new(3, 5)));
        let negative = RetryInfo { delay: Some(Delay { seconds: -1, nanos: 0 }) }.encode_to_vec();
        let negative = RpcStatus { details: vec![any("RetryInfo", negative)] }.encode_to_vec();
        for hostile in [&b""[..], b"\xff\xff", &details[..details.len() - 1], &negative] {
            assert_eq!(retry_delay(hostile), None);
        }
    }

    #[test]
    fn which_codes_may_be_repeated() {
        for code in (0..17).map(Code::from_i32) {
            let again = matches!(failure(&Status::new(code, "")), Attempt::Again { .. });
            let expected = matches!(code as i32, 1 | 4 | 10 | 11 | 14 | 15);
            assert_eq!(again, expected, "{code:?}");
        }
    }
}
