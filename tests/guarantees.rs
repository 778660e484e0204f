//! Every test that GUARANTEES.md names is there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

#[test]
fn every_guarantee_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("GUARANTEES.md")).unwrap();
    let named: Vec<(&str, &str)> = text
        .split('`')
        .filter_map(|quoted| quoted.split_once(".rs::"))
        .collect();
    assert!(named.len() > 50, "only {} are named", named.len());
    let missing: Vec<String> = named
        .into_iter()
        .filter(|(file, name)| {
            let source = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
            !source.contains(&format!("fn {name}("))
        })
        .map(|(file, name)| format!("{file}.rs::{name}"))
        .collect();
    assert_eq!(missing, [""; 0]);
}
