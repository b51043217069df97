use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prodkit_log::{Format, Layer, Log, Options, start};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt as _;

/// Far beyond what anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// An output that can be read.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("UTF-8")
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(String::from).collect()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn json() -> Options {
    // whatever RUST_BACKTRACE says
    Options::default().format(Format::Json).stacktrace(false)
}

pub(crate) fn subscriber(layer: Layer) -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::registry().with(prodkit_trace::Layer::new().ignore_roots()).with(layer)
}

/// The lines that `work` logs.
pub(crate) fn logged(options: Options, work: impl FnOnce(&Log)) -> Vec<String> {
    let output = Output::default();
    let (layer, log) = start(options, output.clone()).expect("a thread");
    tracing::subscriber::with_default(subscriber(layer), || work(&log));
    assert!(log.shutdown(LONG));
    output.lines()
}

/// The line with its time and the number of its line in the source made the same everywhere.
pub(crate) fn golden(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some(at) = line.find("\"ts\":\"") {
        line.replace_range(at + 6..at + 30, "T");
    } else {
        line.replace_range(..24, "T");
    }
    let Some(at) = line.find(".rs:") else { return line };
    let digits = line[at + 4..].bytes().take_while(u8::is_ascii_digit).count();
    line.replace_range(at + 4..at + 4 + digits, "N");
    line
}

/// A JSON object; one with a repeated key is refused.
#[derive(Debug)]
pub(crate) struct Object(pub(crate) Vec<(String, Value)>);

impl Object {
    pub(crate) fn of(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without repeated keys")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut entries: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if entries.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format_args!("`{key}` twice")));
                    }
                    entries.push((key, value));
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
