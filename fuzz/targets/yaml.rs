//! A YAML file.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| prodkit_fuzz::document("config.yaml", text));
