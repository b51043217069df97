//! The formats older than W3C's.

use super::Propagators;
use crate::{SpanId, TraceContext, TraceFlags, TraceId};

/// The first of these formats that `get` has a valid value of.
pub(super) fn extract<'h>(
    propagators: Propagators,
    get: impl Fn(&'static str) -> Option<&'h str>,
) -> Option<TraceContext> {
    let one = |one| propagators.has(one).then_some(());
    one(Propagators::B3)
        .and_then(|()| b3(get("b3")?))
        .or_else(|| one(Propagators::B3_MULTI).and_then(|()| b3_multi(&get)))
        .or_else(|| one(Propagators::JAEGER).and_then(|()| jaeger(get("uber-trace-id")?)))
        .or_else(|| one(Propagators::XRAY).and_then(|()| xray(get("x-amzn-trace-id")?)))
}

pub(super) fn inject(
    propagators: Propagators,
    context: TraceContext,
    set: &mut impl FnMut(&'static str, &str),
) {
    let (trace, span) = (context.trace_id(), context.span_id());
    let sampled = u8::from(context.is_sampled());
    if propagators.has(Propagators::B3) {
        set("b3", &format!("{trace}-{span}-{sampled}"));
    }
    if propagators.has(Propagators::B3_MULTI) {
        set("x-b3-traceid", &trace.to_string());
        set("x-b3-spanid", &span.to_string());
        set("x-b3-sampled", if context.is_sampled() { "1" } else { "0" });
    }
    if propagators.has(Propagators::JAEGER) {
        set("uber-trace-id", &format!("{trace}:{span}:0:{sampled}"));
    }
    if propagators.has(Propagators::XRAY) {
        let (epoch, unique) = (trace.to_u128() >> 96, trace.to_u128() & (u128::MAX >> 32));
        set("x-amzn-trace-id", &format!("Root=1-{epoch:08x}-{unique:024x};Parent={span};Sampled={sampled}"));
    }
}

/// `traceid-spanid[-sampled[-parentspanid]]`. A lone `0` says not to sample and names no trace: there is none then.
fn b3(value: &str) -> Option<TraceContext> {
    let mut parts = value.split('-');
    let (trace, span, sampled) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some_and(|parent| number(parent, 16).is_none()) || parts.next().is_some() {
        return None;
    }
    let sampled = match sampled {
        // left to whoever comes next, who asks its own sampler only where there is no parent
        None | Some("0") => false,
        // `d` is for debug, and sampled
        Some("1" | "d") => true,
        Some(_) => return None,
    };
    b3_context(trace, span, sampled)
}

fn b3_multi<'h>(get: &impl Fn(&'static str) -> Option<&'h str>) -> Option<TraceContext> {
    let sampled = match (get("x-b3-flags"), get("x-b3-sampled")) {
        (Some("1"), _) => true,
        (_, Some(sampled)) => sampled == "1" || sampled.eq_ignore_ascii_case("true"),
        (_, None) => false,
    };
    b3_context(get("x-b3-traceid")?, get("x-b3-spanid")?, sampled)
}

/// B3 has trace ids of 64 bits, too: the upper half is zero.
fn b3_context(trace: &str, span: &str, sampled: bool) -> Option<TraceContext> {
    if !matches!(trace.len(), 16 | 32) || span.len() != 16 {
        return None;
    }
    context(number(trace, 32)?, number(span, 16)?, sampled)
}

/// `trace:span:parent:flags`, leading zeros left out or not, colons percent-encoded or not.
fn jaeger(value: &str) -> Option<TraceContext> {
    let value = value.replace("%3A", ":").replace("%3a", ":");
    let mut parts = value.split(':');
    let (trace, span) = (number(parts.next()?, 32)?, number(parts.next()?, 16)?);
    let (_parent, flags) = (parts.next()?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    context(trace, span, flags & 1 == 1)
}

/// `Root=1-{8}-{24};Parent={16};Sampled=0|1`, in any order, among what is not for us.
fn xray(value: &str) -> Option<TraceContext> {
    let field = |name: &str| {
        value.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    };
    let mut root = field("root")?.split('-');
    let (version, epoch, unique) = (root.next()?, root.next()?, root.next()?);
    if version != "1" || epoch.len() != 8 || unique.len() != 24 || root.next().is_some() {
        return None;
    }
    let trace = number(epoch, 8)? << 96 | number(unique, 24)?;
    let parent = field("parent")?;
    if parent.len() != 16 {
        return None;
    }
    context(trace, number(parent, 16)?, field("sampled") == Some("1"))
}

fn context(trace: u128, span: u128, sampled: bool) -> Option<TraceContext> {
    let span = SpanId::from_u64(u64::try_from(span).ok()?)?;
    Some(TraceContext::new(TraceId::from_u128(trace)?, span, TraceFlags::NONE.with_sampled(sampled)))
}

/// The value of 1 to `most` hexadecimal digits.
fn number(digits: &str, most: usize) -> Option<u128> {
    let valid = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if valid { u128::from_str_radix(digits, 16).ok() } else { None }
}
