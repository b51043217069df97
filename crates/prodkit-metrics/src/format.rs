//! Which format a scraper gets.

/// A format that [`Recorder::encode`](crate::Recorder::encode) writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format 0.0.4: what every scraper understands. Carries no exemplars.
    Text004,
    /// OpenMetrics 1.0.0, with units and exemplars.
    OpenMetrics100,
    /// Prometheus' protobuf messages, each behind its length: the one format with native histograms, for those who ask
    /// for it. Not text.
    Protobuf,
}

/// How many ranges of an `Accept` header are looked at.
const MOST_RANGES: usize = 64;

/// What a range has to look like to mean a format.
struct Meaning {
    format: Format,
    /// The ranges it could be meant by, from the closest match to the widest.
    covers: &'static [&'static str],
    /// Parameters that, if they are there, have these values.
    parameters: &'static [(&'static str, &'static str)],
}

/// Where two are wanted alike, the first is taken.
const MEANINGS: [Meaning; 3] = [
    Meaning {
        format: Format::Text004,
        covers: &["text/plain", "text/*", "*/*"],
        parameters: &[("version", "0.0.4")],
    },
    Meaning {
        format: Format::OpenMetrics100,
        covers: &["application/openmetrics-text", "application/*", "*/*"],
        parameters: &[("version", "1.0.0")],
    },
    Meaning {
        format: Format::Protobuf,
        // Nobody gets bytes who did not ask for just these.
        covers: &["application/vnd.google.protobuf"],
        parameters: &[("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")],
    },
];

impl Format {
    /// The format an `Accept` header asks for (RFC 9110 §12.5.1): the higher quality wins, then what stands first.
    ///
    /// Without a header, and when it asks for nothing we have, it is [`Format::Text004`], as the OpenTelemetry
    /// specification wants it: a scrape in the wrong format is worth more than an error.
    pub fn negotiate(accept: Option<&str>) -> Self {
        let Some(accept) = accept else { return Self::Text004 };
        let mut best: Option<(Wish, Self)> = None;
        for meaning in &MEANINGS {
            if let Some(wish) = Wish::of(accept, meaning)
                && wish.quality > 0
                && best.is_none_or(|(best, _)| wish.beats(best))
            {
                best = Some((wish, meaning.format));
            }
        }
        best.map_or(Self::Text004, |(_, format)| format)
    }

    /// The value of the `Content-Type` header to answer with.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics100 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// How much a header wants a format, by the closest of the ranges that cover it.
#[derive(Clone, Copy)]
struct Wish {
    /// 0 (refused) to 1000.
    quality: u16,
    /// Place in the header.
    place: usize,
}

impl Wish {
    fn of(accept: &str, meaning: &Meaning) -> Option<Self> {
        let mut closest = None;
        for (place, range) in accept.split(',').take(MOST_RANGES).enumerate() {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let Some(distance) = meaning.covers.iter().position(|cover| media.eq_ignore_ascii_case(cover))
            else {
                continue;
            };
            let mut quality = Some(1000);
            let mut fits = true;
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                let value = value.trim().trim_matches('"');
                let name = name.trim();
                if name.eq_ignore_ascii_case("q") {
                    quality = thousandths(value);
                } else if let Some((_, ours)) =
                    meaning.parameters.iter().find(|(ours, _)| name.eq_ignore_ascii_case(ours))
                {
                    fits &= value == *ours;
                }
            }
            let Some(quality) = quality.filter(|_| fits) else { continue };
            if closest.is_none_or(|(best, _)| distance < best) {
                closest = Some((distance, Self { quality, place }));
            }
        }
        closest.map(|(_, wish)| wish)
    }

    /// One and the same wildcard asks for neither in particular: the plain text stays.
    fn beats(self, other: Self) -> bool {
        self.quality > other.quality || (self.quality == other.quality && self.place < other.place)
    }
}

/// `0`, `1`, `0.5`, `0.125`: a quality value as RFC 9110 §12.4.2 writes it.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{fraction:0<3}").parse::<u16>().ok()?;
    Some(if whole == "1" { 1000 } else { fraction })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{OpenMetrics100, Protobuf, Text004};

    #[test]
    fn real_headers_get_what_they_ask_for() {
        for (accept, expect) in [
            // Prometheus 2.x
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics100,
            ),
            // Prometheus 3
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics100,
            ),
            // Prometheus with native histograms
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Protobuf,
            ),
            // Prometheus 2.42 with native histograms: the best has no quality of its own
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Protobuf,
            ),
            ("application/vnd.google.protobuf", Protobuf),
            ("application/vnd.google.protobuf;encoding=text", Text004),
            ("application/vnd.google.protobuf;proto=other.Message;encoding=delimited", Text004),
            ("application/*", OpenMetrics100),
            // Prometheus told to prefer the classic text
            (
                "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
                Text004,
            ),
            ("application/openmetrics-text; version=0.0.1", Text004),
            ("application/openmetrics-text", OpenMetrics100),
            ("APPLICATION/OpenMetrics-Text; Version=\"1.0.0\"", OpenMetrics100),
            ("application/openmetrics-text;q=0", Text004),
            ("application/openmetrics-text;q=0,text/plain;q=0", Text004),
            ("application/openmetrics-text, text/plain", OpenMetrics100),
            ("text/plain, application/openmetrics-text", Text004),
            ("text/plain;q=0, */*", OpenMetrics100),
            ("application/openmetrics-text;q=0.1, */*;q=0.9", Text004),
            ("application/openmetrics-text;q=nonsense", Text004),
            // curl, a browser
            ("*/*", Text004),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Text004),
            ("image/png", Text004),
            ("", Text004),
            (";;,=,;q=;", Text004),
        ] {
            assert_eq!(Format::negotiate(Some(accept)), expect, "{accept}");
        }
        assert_eq!(Format::negotiate(None), Text004);
    }

    #[test]
    fn quality_values() {
        for (text, expect) in [
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            ("0", Some(0)),
            ("0.", Some(0)),
            ("2", None),
            ("0.1234", None),
            ("-1", None),
            ("0.+1", None),
            ("", None),
        ] {
            assert_eq!(thousandths(text), expect, "{text}");
        }
    }
}
