//! Requests that hyper lets pass and the specifications do not.

use http::header::{HOST, HeaderName, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};

/// How a request that must not reach a service is answered; `None` for one that may.
///
/// | answered | when | by |
/// |---|---|---|
/// | 400 | HTTP/1.1 without `Host`, or any version with two, or with one that is no host and port | RFC 9112, section 3.2 |
/// | 400 | a target that is not of the form its method has | RFC 9112, section 3.2; RFC 9113, section 8.3.1 |
/// | 400 | an authority with a user in it | RFC 9110, section 4.2.4 |
/// | 400 | HTTP/2 whose `host` is not its `:authority` | RFC 9113, section 8.3.1 |
/// | 400 | `chunked` applied twice, or in several lines | RFC 9112, section 6.1 |
/// | 501 | a transfer coding besides `chunked` | RFC 9112, section 6.1 |
pub(super) fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    let mut host = Given::Never;
    let mut coding = Given::Never;
    for (name, value) in request.headers() {
        host.meets(name, &HOST, value);
        coding.meets(name, &TRANSFER_ENCODING, value);
    }
    let is_bad = match host {
        Given::Once(host) => !is_host(host.as_bytes()) || !agrees(host, request),
        Given::Never => request.version() == Version::HTTP_11,
        Given::Again => true,
    };
    if is_bad || !is_target(request.method(), request.uri()) {
        return Some(StatusCode::BAD_REQUEST);
    }
    match coding {
        Given::Never => None,
        Given::Once(coding) => refused_coding(coding.as_bytes()),
        Given::Again => Some(StatusCode::BAD_REQUEST),
    }
}

/// What is to be the `Host` of a request of HTTP/1 that names its host in the target: that counts, and what is in the
/// header is ignored (RFC 9112, section 3.2.2).
pub(super) fn host_of_target<B>(request: &Request<B>) -> Option<HeaderValue> {
    let authority = request.uri().authority()?;
    if request.version() >= Version::HTTP_2 || request.method() == Method::CONNECT {
        return None;
    }
    HeaderValue::from_str(authority.as_str()).ok()
}

/// How often a header was there.
enum Given<'a> {
    Never,
    Once(&'a HeaderValue),
    Again,
}

impl<'a> Given<'a> {
    #[inline]
    fn meets(&mut self, name: &HeaderName, wanted: &HeaderName, value: &'a HeaderValue) {
        if name == wanted {
            *self = if matches!(self, Self::Never) { Self::Once(value) } else { Self::Again };
        }
    }
}

/// Host and port, or nothing, which is for targets that have no authority. hyper's parser has seen to control
/// characters.
pub(crate) fn is_host(host: &[u8]) -> bool {
    // to the end whatever comes: that is quicker than a decision for each byte
    host.iter().fold(true, |is_host, byte| is_host & HOST_BYTES[usize::from(*byte)])
}

/// `uri-host [ ":" port ]` (RFC 3986, section 3.2.2), by its characters: unreserved, sub-delims without the comma (which
/// would join two values), percent signs, brackets and colons.
const HOST_BYTES: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        bytes[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~!$&'()*+;=%[]:";
    let mut at = 0;
    while at < others.len() {
        bytes[others[at] as usize] = true;
        at += 1;
    }
    bytes
};

/// In HTTP/2 the authority is said by `:authority`, and a `host` besides may only say the same.
fn agrees<B>(host: &HeaderValue, request: &Request<B>) -> bool {
    request.version() < Version::HTTP_2
        || request
            .uri()
            .authority()
            .is_none_or(|authority| authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}

fn is_target(method: &Method, uri: &Uri) -> bool {
    let is_form_of_method = match uri.path() {
        // the authority alone
        "" => method == Method::CONNECT && uri.authority().is_some(),
        "*" => method == Method::OPTIONS,
        path => path.starts_with('/') && method != Method::CONNECT,
    };
    is_form_of_method && uri.authority().is_none_or(|authority| !authority.as_str().contains('@'))
}

fn refused_coding(coding: &[u8]) -> Option<StatusCode> {
    if coding.eq_ignore_ascii_case(b"chunked") {
        return None;
    }
    let mut codings = coding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let is_chunked = codings.all(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    Some(if is_chunked { StatusCode::BAD_REQUEST } else { StatusCode::NOT_IMPLEMENTED })
}
