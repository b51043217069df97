//! A label set: as it was given, and as Prometheus shows it.

use crate::{Kind, name};
use std::borrow::Cow;
use std::sync::Arc;

/// More labels than this, or longer ones, are an accident or an attack: such a set is counted as overflow.
const MOST_LABELS: usize = 64;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 4096;

/// The label of the series that takes what the cap turned away (OpenTelemetry SDK specification, cardinality limits).
pub(crate) const OVERFLOW: (&str, &str) = ("otel.metric.overflow", "true");

/// A label set that says its series apart from every other.
#[derive(Debug)]
pub(crate) struct LabelSet {
    /// Names and values as they were given, sorted.
    pub(crate) pairs: Arc<[(String, String)]>,
    /// `name="value",…` with valid names and escaped values, sorted: the identity of the series.
    pub(crate) text: Arc<str>,
    /// The same without the label that is not shown: what Prometheus sees.
    pub(crate) shown: Arc<str>,
}

impl LabelSet {
    /// Brings labels into their one order; `None` when they are beyond the limits.
    ///
    /// An empty value means the same as no label in the Prometheus data model, so it is dropped. Of one name given
    /// twice the last counts. Different names that become the same valid name have their values joined by `;`
    /// (OpenTelemetry `prometheus_and_openmetrics.md`). The label `unshown` is no part of what is shown.
    pub(crate) fn new<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        kind: Kind,
        unshown: Option<&str>,
    ) -> Option<Self> {
        let mut pairs: Vec<(Cow<'a, str>, &'a str, &'a str)> = Vec::new();
        for (raw, value) in labels {
            if pairs.len() == MOST_LABELS || raw.len() > LONGEST_NAME || value.len() > LONGEST_VALUE {
                return None;
            }
            match pairs.iter_mut().find(|pair| pair.1 == raw) {
                Some(pair) => pair.2 = value,
                None => pairs.push((shown(raw, kind), raw, value)),
            }
        }
        pairs.retain(|pair| !pair.2.is_empty());
        pairs.sort_unstable();

        let text: Arc<str> = self::text(&pairs).into();
        let shown = match unshown {
            Some(unshown) if pairs.iter().any(|pair| pair.1 == unshown) => {
                let shown: Vec<_> = pairs.iter().filter(|pair| pair.1 != unshown).cloned().collect();
                self::text(&shown).into()
            }
            _ => Arc::clone(&text),
        };
        let pairs = pairs.into_iter().map(|(_, raw, value)| (raw.to_owned(), value.to_owned())).collect();
        Some(Self { pairs, text, shown })
    }

    /// Names and values as Prometheus shows them, in its order.
    pub(crate) fn each_shown(&self, mut each: impl FnMut(&str, &str)) {
        let mut rest = &*self.shown;
        // A name has no quote, and a value none that is not escaped.
        while let Some((name, behind)) = rest.split_once("=\"") {
            let mut escaped = false;
            let end = behind.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let Some((value, behind)) = end.and_then(|end| behind.split_at_checked(end)) else { return };
            each(name, &unescape(value));
            rest = behind.strip_prefix("\",").unwrap_or_default();
        }
    }
}

/// `name="value",…` of sorted labels, each as it is shown, as it was given, and its value.
fn text(pairs: &[(Cow<'_, str>, &str, &str)]) -> String {
    let mut text = String::new();
    for (place, (clean, _, value)) in pairs.iter().enumerate() {
        if place > 0 && pairs[place - 1].0 == *clean {
            text.pop();
            text.push(';');
        } else {
            if place > 0 {
                text.push(',');
            }
            text.push_str(clean);
            text.push_str("=\"");
        }
        escape(value, &mut text);
        text.push('"');
    }
    text
}

/// `le` belongs to the histogram itself, so a label of that name steps aside as Prometheus does it on a clash.
fn shown(raw: &str, kind: Kind) -> Cow<'_, str> {
    match name::label(raw) {
        clean if clean == "le" && kind == Kind::Histogram => Cow::Borrowed("exported_le"),
        clean => clean,
    }
}

/// Escapes a label value: the same three characters in text 0.0.4 and in OpenMetrics 1.0.
fn escape(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// What [`escape`] was given.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => text.extend(chars.next().map(|c| if c == 'n' { '\n' } else { c })),
            (c, false) => text.push(c),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(labels: &[(&str, &str)], kind: Kind) -> String {
        LabelSet::new(labels.iter().copied(), kind, None).unwrap().text.to_string()
    }

    #[test]
    fn every_spelling_of_a_set_is_one_text() {
        for (labels, expect) in [
            (&[][..], ""),
            (&[("method", "GET"), ("endpoint", "/")], r#"endpoint="/",method="GET""#),
            (&[("endpoint", "/"), ("method", "GET")], r#"endpoint="/",method="GET""#),
            (&[("a", "1"), ("a", "2")], r#"a="2""#),
            (&[("a", ""), ("b", "1")], r#"b="1""#),
            (&[("a.b", "x"), ("a_b", "y")], r#"a_b="x;y""#),
            (&[("http.route", "/t/{id}")], r#"http_route="/t/{id}""#),
            (&[("q", "a\"b\\c\nd")], r#"q="a\"b\\c\nd""#),
            (&[("le", "1")], r#"exported_le="1""#),
            (&[OVERFLOW], r#"otel_metric_overflow="true""#),
        ] {
            assert_eq!(text(labels, Kind::Histogram), expect);
        }
        assert_eq!(text(&[("le", "1")], Kind::Gauge), r#"le="1""#);
    }

    #[test]
    fn what_is_shown_can_be_told_apart_again() {
        for (labels, expect) in [
            (&[][..], &[][..]),
            (&[("a", "1"), ("b", "x,y=\"z\"")], &[("a", "1"), ("b", "x,y=\"z\"")]),
            (&[("q", "a\"b\\c\nd\\n"), ("le", "1")], &[("exported_le", "1"), ("q", "a\"b\\c\nd\\n")]),
            (&[("a.b", "x\\"), ("a_b", "y")], &[("a_b", "x\\;y")]),
        ] {
            let set = LabelSet::new(labels.iter().copied(), Kind::Histogram, None).unwrap();
            let mut shown = Vec::new();
            set.each_shown(|name, value| shown.push((name.to_owned(), value.to_owned())));
            let expect: Vec<_> =
                expect.iter().map(|(a, b): &(&str, &str)| (a.to_string(), b.to_string())).collect();
            assert_eq!(shown, expect);
        }
    }

    #[test]
    fn what_is_given_is_kept_for_otlp() {
        let set = LabelSet::new([("http.route", "/"), ("a", "1")], Kind::Counter, None).unwrap();
        assert_eq!(&*set.pairs, &[("a".into(), "1".into()), ("http.route".into(), "/".into())]);
    }

    #[test]
    fn a_label_may_be_left_out_of_what_is_shown() {
        let set = |labels: &[(&'static str, &'static str)]| {
            let set = LabelSet::new(labels.iter().copied(), Kind::Histogram, Some("status")).unwrap();
            (set.text.to_string(), set.shown.to_string())
        };
        let both = (r#"a="1",status="200""#.to_owned(), r#"a="1""#.to_owned());
        assert_eq!(set(&[("status", "200"), ("a", "1")]), both);
        assert_eq!(set(&[("status", "200")]), (r#"status="200""#.to_owned(), String::new()));
        assert_eq!(set(&[("a", "1")]), (both.1.clone(), both.1));
    }

    #[test]
    fn sets_are_bounded() {
        let names: Vec<String> = (0..65).map(|i| format!("l{i}")).collect();
        let labels: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(LabelSet::new(labels[..64].iter().copied(), Kind::Counter, None).is_some());
        assert!(LabelSet::new(labels.iter().copied(), Kind::Counter, None).is_none());
        let (fits, long) = ("x".repeat(4096), "x".repeat(4097));
        assert!(LabelSet::new([("a", fits.as_str())], Kind::Counter, None).is_some());
        assert!(LabelSet::new([("a", long.as_str())], Kind::Counter, None).is_none());
        assert!(LabelSet::new([(&long[..257], "v")], Kind::Counter, None).is_none());
    }
}
