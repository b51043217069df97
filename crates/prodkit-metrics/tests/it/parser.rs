//! A strict line parser, written from the format specifications and not from the encoder.
//!
//! Text 0.0.4 as Prometheus documents it; OpenMetrics 1.0.0 by its ABNF and the rules in its prose: one block per
//! family, metadata before samples, suffixes by type, exemplars only on buckets, cumulative buckets that end in
//! `+Inf` and equal the count, `# EOF` last.

use prodkit_metrics::Format;
use std::collections::{BTreeMap, HashSet};

pub(crate) type Labels = Vec<(String, String)>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    pub(crate) exemplar: Option<(Labels, f64)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) help: Option<String>,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) fn parse(text: &str, format: Format) -> Result<BTreeMap<String, Block>, String> {
    let open = format == Format::OpenMetrics100;
    let mut blocks: BTreeMap<String, Block> = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut seen = HashSet::new();
    let mut body = text;
    if open {
        body = text.strip_suffix("# EOF\n").ok_or("no # EOF at the end")?;
    }
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line has no line feed".into());
    }
    for line in body.split_terminator('\n') {
        let fail = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(keyword), Some(name), Some(value)) = (words.next(), words.next(), words.next()) else {
                return fail("not a metadata line");
            };
            if !is_metric_name(name) {
                return fail("bad name");
            }
            if current.as_deref() != Some(name) {
                if blocks.contains_key(name) {
                    return fail("second block of one family");
                }
                current = Some(name.to_owned());
            }
            let block = blocks.entry(name.to_owned()).or_default();
            if !block.samples.is_empty() {
                return fail("metadata after samples");
            }
            match keyword {
                "HELP" if block.help.is_none() => block.help = Some(unescape(value, open)?),
                "TYPE" if block.kind.is_empty() => match value {
                    "counter" | "gauge" | "histogram" => block.kind = value.to_owned(),
                    "unknown" if open => block.kind = value.to_owned(),
                    _ => return fail("bad type"),
                },
                "UNIT" if open && block.unit.is_none() => {
                    if !name.ends_with(&format!("_{value}")) && name != value {
                        return fail("a unit that is not in the name");
                    }
                    block.unit = Some(value.to_owned());
                }
                _ => return fail("twice, or no such keyword"),
            }
            continue;
        }
        let sample = sample(line, open).map_err(|error| format!("{error}: {line}"))?;
        let Some((family, block)) = current.as_ref().and_then(|name| Some((name, blocks.get_mut(name)?)))
        else {
            return fail("sample before its type");
        };
        let suffix = sample.name.strip_prefix(family.as_str());
        let belongs = match (block.kind.as_str(), suffix) {
            ("counter", Some("_total")) => open,
            ("counter", Some("")) => !open,
            ("gauge" | "unknown", Some("")) => true,
            ("histogram", Some("_bucket")) => sample.labels.iter().any(|label| label.0 == "le"),
            ("histogram", Some("_sum" | "_count")) => sample.labels.iter().all(|label| label.0 != "le"),
            _ => false,
        };
        if !belongs {
            return fail("sample of another family");
        }
        if sample.exemplar.is_some() && suffix != Some("_bucket") && suffix != Some("_total") {
            return fail("exemplar in the wrong place");
        }
        let mut labels = sample.labels.clone();
        labels.sort();
        if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return fail("a label twice");
        }
        if !seen.insert((sample.name.clone(), labels)) {
            return fail("a series twice");
        }
        block.samples.push(sample);
    }
    for (name, block) in &blocks {
        if block.kind.is_empty() || block.samples.is_empty() {
            return Err(format!("{name} has no type or no samples"));
        }
        if block.kind == "histogram" {
            histogram(name, block, open)?;
        }
    }
    Ok(blocks)
}

/// Buckets of one label set stand together, grow, end in `+Inf`, and that one is the count.
fn histogram(name: &str, block: &Block, open: bool) -> Result<(), String> {
    let mut rest = block.samples.as_slice();
    while !rest.is_empty() {
        let buckets = rest.iter().take_while(|sample| sample.name.ends_with("_bucket")).count();
        let of = |sample: &Sample| {
            sample.labels.iter().filter(|label| label.0 != "le").cloned().collect::<Labels>()
        };
        let ends: Vec<f64> = rest[..buckets].iter().map(|sample| number(le(sample)).unwrap()).collect();
        let series =
            rest[..buckets].iter().position(|s| le(s) == "+Inf").ok_or(format!("{name} has no +Inf"))? + 1;
        let (buckets, tail) = rest.split_at(series);
        if ends[..series].windows(2).any(|pair| pair[0] >= pair[1])
            || buckets.windows(2).any(|pair| pair[0].value > pair[1].value)
            || buckets.iter().any(|bucket| of(bucket) != of(&buckets[0]))
        {
            return Err(format!("{name} has buckets that do not grow or do not belong together"));
        }
        for (place, bucket) in buckets.iter().enumerate() {
            let lower = if place == 0 { f64::NEG_INFINITY } else { ends[place - 1] };
            if bucket.exemplar.as_ref().is_some_and(|(_, value)| *value <= lower || *value > ends[place]) {
                return Err(format!("{name} has an exemplar that is not of its bucket"));
            }
        }
        rest = match tail {
            [sum, count, rest @ ..] if sum.name.ends_with("_sum") && count.name.ends_with("_count") => {
                if count.value != buckets[series - 1].value
                    || sum.labels != count.labels
                    || sum.labels != of(&buckets[0])
                {
                    return Err(format!("{name} has a count that is not its +Inf bucket"));
                }
                if open && ends[0] < 0.0 {
                    return Err(format!("{name} has negative buckets and a sum"));
                }
                rest
            }
            rest if open && ends[0] < 0.0 => rest,
            _ => return Err(format!("{name} has no sum and count")),
        };
    }
    Ok(())
}

fn le(sample: &Sample) -> &str {
    sample.labels.iter().find(|label| label.0 == "le").map_or("", |label| &label.1)
}

fn sample(line: &str, open: bool) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if !is_metric_name(name) {
        return Err("bad name".into());
    }
    let mut labels = Vec::new();
    if rest.starts_with('{') {
        (labels, rest) = braces(rest)?;
        if labels.is_empty() {
            return Err("empty braces".into());
        }
    }
    let rest = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (rest, None),
        Some(_) if !open => return Err("exemplar in 0.0.4".into()),
        Some((value, exemplar)) => {
            let (labels, rest) = braces(exemplar)?;
            if labels.iter().map(|label| label.0.chars().count() + label.1.chars().count()).sum::<usize>()
                > 128
            {
                return Err("exemplar labels too long".into());
            }
            let words: Vec<_> = rest.strip_prefix(' ').ok_or("no exemplar value")?.split(' ').collect();
            let observed = match words[..] {
                [observed] => number(observed)?,
                [observed, at] => number(at).and(number(observed))?,
                _ => return Err("more after the exemplar".into()),
            };
            (value, Some((labels, observed)))
        }
    };
    Ok(Sample { name: name.to_owned(), labels, value: number(value)?, exemplar })
}

/// `{name="value",…}` and what follows it. No space, no trailing comma.
fn braces(text: &str) -> Result<(Labels, &str), String> {
    let mut rest = text.strip_prefix('{').ok_or("no brace")?;
    let mut labels = Labels::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        if !labels.is_empty() {
            rest = rest.strip_prefix(',').ok_or("no comma between labels")?;
        }
        let (name, after) = rest.split_once("=\"").ok_or("no =\"")?;
        if !is_label_name(name) {
            return Err(format!("bad label name {name:?}"));
        }
        let mut value = String::new();
        let mut chars = after.char_indices();
        rest = loop {
            match chars.next().ok_or("unfinished value")? {
                (at, '"') => break &after[at + 1..],
                (_, '\\') => value.push(match chars.next().ok_or("unfinished escape")?.1 {
                    'n' => '\n',
                    same @ ('\\' | '"') => same,
                    _ => return Err("no such escape".into()),
                }),
                (_, plain) => value.push(plain),
            }
        };
        labels.push((name.to_owned(), value));
    }
}

fn unescape(help: &str, open: bool) -> Result<String, String> {
    let mut text = String::new();
    let mut chars = help.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(match chars.next() {
                Some('n') => '\n',
                Some('\\') => '\\',
                Some('"') if open => '"',
                _ => return Err("bad escape in help".into()),
            }),
            '"' if open => return Err("bare quote in help".into()),
            plain => text.push(plain),
        }
    }
    Ok(text)
}

/// The numbers both formats share: Rust would also take `inf`, `infinity` and `nan` in any case.
fn number(text: &str) -> Result<f64, String> {
    match text {
        "NaN" => Ok(f64::NAN),
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        _ if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || b"+-.e".contains(&c)) => {
            text.parse().map_err(|_| format!("bad number {text:?}"))
        }
        _ => Err(format!("bad number {text:?}")),
    }
}

fn is_metric_name(name: &str) -> bool {
    is_name(name, |c| c == b':')
}

fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false) && !name.starts_with("__")
}

fn is_name(name: &str, extra: fn(u8) -> bool) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || extra(c);
    name.bytes().all(allowed) && name.bytes().next().is_some_and(|c| !c.is_ascii_digit())
}

#[test]
fn the_parser_refuses_what_the_formats_refuse() {
    for (text, format) in [
        ("a 1\n", Format::Text004),
        ("# TYPE a gauge\na 1", Format::Text004),
        ("# TYPE a gauge\na{} 1\n", Format::Text004),
        ("# TYPE a gauge\na inf\n", Format::Text004),
        ("# TYPE a gauge\na 1\na 2\n", Format::Text004),
        ("# TYPE a gauge\na{b=\"\\x\"} 1\n", Format::Text004),
        ("# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n", Format::Text004),
        ("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\na 2\n", Format::Text004),
        ("# TYPE a gauge\na 1 # {t=\"1\"} 1\n", Format::Text004),
        ("# TYPE a_total counter\na_total 1\n# EOF\n", Format::OpenMetrics100),
        ("# TYPE a counter\na_total 1\n", Format::OpenMetrics100),
        ("# TYPE a gauge\na 1 # {t=\"1\"} 1\n# EOF\n", Format::OpenMetrics100),
        ("# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n", Format::Text004),
        ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n", Format::Text004),
        (
            "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
            Format::Text004,
        ),
    ] {
        assert!(parse(text, format).is_err(), "{text}");
    }
}
