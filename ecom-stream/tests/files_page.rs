//! Tests that the mappings and keys on the page `docs/files.md` are those of the crate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use ecom_stream::{Event, Mapping, Reason};

const PAGE: &str = include_str!("../../docs/files.md");

fn blocks() -> Vec<&'static str> {
    let blocks = PAGE.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn every_mapping_on_the_page_can_be_used() {
    assert_eq!(blocks().len(), 16);
    for block in blocks() {
        Mapping::from_toml(block).unwrap_or_else(|err| panic!("{err}\nin\n{block}"));
    }
}

#[test]
fn ready_mappings_on_the_page_are_those_of_the_crate() {
    for (name, text) in Mapping::ready() {
        let shown = blocks()
            .into_iter()
            .find(|block| block.starts_with(&format!("# {name}:")))
            .unwrap();
        assert_eq!(
            Mapping::from_toml(shown).unwrap(),
            Mapping::from_toml(text).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn every_key_and_column_is_on_the_page() {
    // The error for an unknown key lists all known keys.
    for wrong in [
        "nothing = 1",
        "[event]\nnothing = 'x'",
        "[event]\nbrand = { nothing = 'x' }",
    ] {
        let refused = Mapping::from_toml(wrong).unwrap_err().to_string();
        let keys = refused.split("expected one of ").nth(1).unwrap();
        for key in keys.split('`').skip(1).step_by(2).filter(|key| *key != "event") {
            assert!(
                PAGE.contains(&format!("`{key}`")),
                "docs/files.md does not list the key {key}"
            );
        }
    }
    for column in Event::COLUMNS {
        assert!(PAGE.contains(&format!("`{column}`")), "{column}");
    }
    for reason in [
        Reason::COMPRESSED_TRUNCATED,
        Reason::COMPRESSED_DAMAGED,
        Reason::WRONG_ENCODING,
        Reason::PATH_VALUE_MISSING,
    ] {
        assert!(PAGE.contains(&format!("`{reason}`")), "{reason}");
    }
}
