use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::context::NoConfig;
use crate::schema::tests::{Everything, invalid, load, value};
use crate::schema::{Described, file as schema};

fn sample<C: JsonSchema + 'static>() -> String {
    file("test", &schema("test", Some(Described::new::<C>())))
}

/// With every example switched on.
fn uncommented(sample: &str) -> String {
    let set = |line: &str| {
        let rest = line.trim_start();
        let (indent, key) = (&line[..line.len() - rest.len()], rest.strip_prefix('#')?);
        (!key.is_empty() && !key.starts_with(' ')).then(|| format!("{indent}{key}\n"))
    };
    sample.lines().map(|line| set(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}

#[test]
fn the_sample_says_what_holds_without_it() {
    fn check<C: JsonSchema + std::fmt::Debug + serde::de::DeserializeOwned + 'static>() {
        let (with, without) = (load::<C>(&sample::<C>()).unwrap(), load::<C>("").unwrap());
        assert_eq!(format!("{:?}", with.settings), format!("{:?}", without.settings));
        assert_eq!(format!("{:?}", with.config), format!("{:?}", without.config));
        // Of a section that serde buffers the loader warns wherever it is written.
        assert!(with.warnings.iter().all(|warning| warning.path() == "flat"), "{:?}", with.warnings);
        assert_eq!(invalid(&schema("test", Some(Described::new::<C>())), &value(&sample::<C>())), "");
    }
    check::<NoConfig>();
    check::<Everything>();
}

#[test]
fn its_examples_load_too() {
    let sample = uncommented(&without_twins(&sample::<NoConfig>()));
    assert!(sample.contains("\n  grace: 25s\n"), "{sample}");
    assert_eq!(load::<NoConfig>(&sample).map(|loaded| loaded.warnings.len()), Ok(0));
}

#[test]
fn every_section_is_there_in_order_and_every_key_of_it() {
    let sample = sample::<NoConfig>();
    let sections: Vec<_> =
        sample.lines().filter(|line| !line.starts_with(['#', ' ']) && !line.is_empty()).collect();
    let expected = [
        "service:",
        "server:",
        "admin:",
        "health:",
        "shutdown:",
        "log:",
        "otlp:",
        "metrics:",
        "secrets:",
        "config:",
        "runtime:",
    ];
    assert_eq!(sections, expected);
    let sample = without_twins(&sample);
    let keys = sample.lines().filter(|line| {
        let line = line.trim_start().trim_start_matches('#');
        line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(':')
    });
    let described = schema("test", Some(Described::new::<NoConfig>()));
    assert_eq!(keys.count(), count(&described));
}

/// Without the lines of empty lists and maps that an example of an element follows.
fn without_twins(sample: &str) -> String {
    let next = sample.lines().skip(1).chain([""]);
    let kept = sample.lines().zip(next).filter(|(line, next)| {
        let name = line.strip_suffix(" {}").or_else(|| line.strip_suffix(" []"));
        name.is_none_or(|name| name.trim_start() != next.trim_start().trim_start_matches('#'))
    });
    kept.map(|(line, _)| format!("{line}\n")).collect()
}

fn count(schema: &Value) -> usize {
    schema["properties"].as_object().into_iter().flatten().map(|(_, schema)| 1 + count(schema)).sum()
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Demanding {
    /// Who may order.
    region: String,
    #[schemars(example = &"https://pay.example")]
    payment_url: String,
    retries: u8,
    strict: bool,
    /// How orders travel.
    carrier: Carrier,
    warehouse: Warehouse,
    backup: Option<Warehouse>,
    #[serde(default)]
    warehouses: Vec<Warehouse>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Carrier {
    Ship,
    /// Only small ones.
    Pigeon,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Warehouse {
    /// The street.
    street: String,
    shelves: Option<u32>,
}

#[test]
fn what_is_required_has_an_example_and_is_said_to_be() {
    let text = sample::<Demanding>();
    let app = text.split_once("\n\n# Who may").unwrap().1;
    assert_eq!(
        format!("# Who may{app}"),
        "\
# Who may order.
# Required.
region: \"\"

# Required.
payment_url: https://pay.example

# Required.
retries: 0

# Required.
strict: false

# How orders travel.
# One of: ship, pigeon (Only small ones).
# Required.
carrier: ship

# Required.
warehouse:
  # The street.
  # Required.
  street: \"\"
  #shelves: 0

#backup:
#  # The street.
#  # Required.
#  street: \"\"
#  #shelves: 0

warehouses: []
#warehouses:
#  - # The street.
#    # Required.
#    street: \"\"
#    #shelves: 0
"
    );
    assert_eq!(load::<Demanding>(&text).unwrap().config.carrier as u8, Carrier::Ship as u8);
    assert_eq!(invalid(&schema("test", Some(Described::new::<Demanding>())), &value(&text)), "");
}

/// Without `Serialize` nobody knows the defaults.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Mute {
    count: u8,
    section: Section,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Section {
    name: String,
}

#[test]
fn a_default_nobody_can_tell_is_left_to_the_type() {
    let text = sample::<Mute>();
    assert!(text.ends_with("\n\ncount: 0\n\n#section:\n#  name: \"\"\n"), "{text}");
    assert_eq!(load::<Mute>(&text).map(|loaded| loaded.config.count), Ok(0));
}

#[test]
fn an_app_nobody_described_is_named() {
    let text = file("test", &schema("test", None));
    assert!(text.contains("\n# The sections of the app itself are not described here"), "{text}");
}

#[test]
fn long_lines_break_at_words() {
    let lines = comment(&format!("{}\nmore", "word ".repeat(50)));
    assert!(lines.iter().all(|line| line.starts_with("# ") && line.len() <= WIDTH));
    assert!(lines.len() == 3 && lines[2].ends_with(" word more"), "{lines:?}");
    assert_eq!(comment("a\nb\n\n- c\n  d\n- e"), ["# a b", "#", "# - c d", "# - e"]);
}
