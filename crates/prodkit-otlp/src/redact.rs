//! Values that stay here, by the name they are under.

use crate::span::{Attributes, Value};
use std::fmt;
use std::sync::Arc;

/// What stands in place of such a value.
pub(crate) const REDACTED: &str = "***";

/// Which names those are; by default none.
#[derive(Clone, Default)]
pub(crate) struct Redact(Option<Arc<Hides>>);

type Hides = dyn Fn(&str) -> bool + Send + Sync;

impl Redact {
    pub(crate) fn new(hides: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hides)))
    }

    #[inline]
    pub(crate) fn hides(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|hides| hides(name))
    }

    pub(crate) fn clean(&self, attributes: &mut Attributes) {
        if let Some(hides) = &self.0 {
            for (_, value) in attributes.iter_mut().filter(|(name, _)| hides(name)) {
                *value = Value::Str(REDACTED.into());
            }
        }
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redact").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Bounds, Queue};
    use crate::{Event, Limits, Link, LogRecord, Logs, Span, Spans};
    use prodkit_trace::TraceContext;
    use std::time::SystemTime;
    use tracing_core::Level;

    /// Whatever hands it over.
    #[test]
    fn what_is_hidden_is_in_no_part_of_what_waits() {
        const SECRET: &str = "hunter2";
        let attributes = || vec![("user".into(), "u".into()), ("password".into(), Value::from(SECRET))];
        let bounds = Bounds { items: 9, bytes: 1 << 20, batch: 9 };
        let redact = Redact::new(|name| name == "password");
        let (waiting, records) = (Arc::new(Queue::new(bounds)), Arc::new(Queue::new(bounds)));
        let spans = Spans::new(Some(waiting.clone()), Limits::default(), redact.clone());
        let (context, time) = (TraceContext::root(true), SystemTime::now());

        let mut span = Span::new(context, "login", time);
        span.attributes = attributes();
        let (name, dropped_attributes) = ("tried".into(), 0);
        span.events.push(Event { name, time, attributes: attributes(), dropped_attributes });
        span.links.push(Link { attributes: attributes(), ..context.into() });
        spans.push(span);
        spans.write(context, |span| {
            span.str("user", "u");
            span.str("password", SECRET);
        });
        let mut record = LogRecord::new(Level::INFO, "a", "b");
        record.attributes = attributes();
        Logs::new(Some(records.clone()), redact).push(record);

        let kept = format!("{:?} {:?}", waiting.take(), records.take());
        assert_eq!(kept.matches(REDACTED).count(), 4, "{kept}");
        let written = format!("{:?}", SECRET.as_bytes());
        assert!(!kept.contains(SECRET) && !kept.contains(written.trim_matches(['[', ']'])), "{kept}");
    }
}
