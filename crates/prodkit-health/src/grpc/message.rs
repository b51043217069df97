//! The two messages of `grpc/health/v1/health.proto`, and the frame they come in.

use super::status::Status;
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;

/// `HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    service: String,
}

/// `HealthCheckResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Told {
    #[prost(enumeration = "Answer", tag = "1")]
    status: i32,
}

/// `HealthCheckResponse.ServingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
pub(crate) enum Answer {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// Before each message: whether it is compressed, and its length in four bytes.
const PREFIX: usize = 5;

/// Reads the one framed request.
pub(crate) fn name(frame: &[u8]) -> Result<String, Status> {
    let Some((prefix, message)) = frame.split_first_chunk::<PREFIX>() else {
        return Err(Status::invalid_argument("no message"));
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Status::unimplemented("no compression is understood"));
    }
    if usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
        return Err(Status::invalid_argument("the message is not as long as it says"));
    }
    let asked = Asked::decode(message);
    asked.map(|asked| asked.service).map_err(|_| Status::invalid_argument("no HealthCheckRequest"))
}

/// A framed response.
pub(crate) fn told(serving: Answer) -> Bytes {
    let told = Told { status: serving.into() };
    let mut frame = BytesMut::with_capacity(PREFIX + told.encoded_len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(told.encoded_len()).unwrap_or_default());
    frame.put_slice(&told.encode_to_vec());
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_the_ones_of_the_specification() {
        assert_eq!(name(&[0, 0, 0, 0, 0]), Ok(String::new()));
        assert_eq!(name(b"\0\0\0\0\x04\x0a\x02db"), Ok("db".to_owned()));
        // a field that is not known yet
        assert_eq!(name(b"\0\0\0\0\x06\x0a\x02db\x10\x01"), Ok("db".to_owned()));
        assert_eq!(&told(Answer::Serving)[..], b"\0\0\0\0\x02\x08\x01");
        assert_eq!(&told(Answer::ServiceUnknown)[..], b"\0\0\0\0\x02\x08\x03");
    }

    #[test]
    fn nonsense_is_refused() {
        let longer = b"\0\0\0\0\x05\x0a\x02db";
        let shorter = b"\0\0\0\0\x03\x0a\x02db";
        for bad in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\0",
            longer,
            shorter,
            b"\0\0\0\0\x02\x0a\x09",
            b"\0\0\0\0\x03\x0a\x01\xff",
        ] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = name(&frame);
        }
    }
}
