//! Large files from small inputs: a format (`yaml`, `toml`, `json`), and behind lines `%%` a head, a part that is
//! repeated to 128 KiB with its number for `%n`, and a tail. Whatever costs more than its length runs into `-timeout`.

#![no_main]

use prodkit_fuzz::{Map, Rich, failure, read, tidy, value};

const SIZE: usize = 128 << 10;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut parts = text.split("\n%%\n");
    let (Some(format @ ("yaml" | "toml" | "json")), Some(head), Some(part)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let (head, tail) = (head.to_owned(), parts.next().unwrap_or_default());
    if part.is_empty() {
        return;
    }
    let mut text = head;
    let mut n = 0_u32;
    while text.len() + part.len() + tail.len() < SIZE {
        text.push_str(&part.replace("%n", &n.to_string()));
        n += 1;
    }
    text.push_str(tail);
    let tree = match read(&format!("config.{format}"), &text) {
        Ok(tree) => tree,
        Err(errors) => return failure(&errors, &text),
    };
    assert!(tree.leaves().count() <= 100_000);
    tidy(&tree.show().to_string());
    for errors in [tree.load_one::<Rich>().err(), tree.load_one::<Map>().err()].into_iter().flatten() {
        failure(&errors, &text);
    }
    if let Ok(again) = read(&format!("config.{format}"), &text) {
        assert!(again == tree && again.hash() == tree.hash());
    }
    let _ = value(&tree);
});
