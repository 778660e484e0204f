//! Every test that GUARANTEES.md and docs/test-plan.md name exists.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// The tests that a page names and that do not exist. The page must name more than `least` tests.
fn missing(page: &str, least: usize) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(page)).unwrap();
    let named: Vec<(&str, &str)> = text
        .split('`')
        .filter_map(|quoted| quoted.split_once(".rs::"))
        .collect();
    assert!(named.len() > least, "{page} names only {} tests", named.len());
    named
        .into_iter()
        .filter(|(file, name)| {
            let source = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
            !source.contains(&format!("fn {name}("))
        })
        .map(|(file, name)| format!("{file}.rs::{name}"))
        .collect()
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    assert_eq!(missing("GUARANTEES.md", 50), [""; 0]);
}

#[test]
fn every_test_that_the_test_plan_names_exists() {
    assert_eq!(missing("docs/test-plan.md", 150), [""; 0]);
}
