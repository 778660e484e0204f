//! The property of `infer` and `check`: over files of all kinds, no wrong value is stored of which neither said a word.

use std::collections::BTreeSet;

use ecom_stream::check::{CheckedFile, check_file};
use ecom_stream::infer::{Proposal, infer_mapping};
use ecom_stream::{Event, Mapping, Rules};

use super::layout::{Layout, Truth, all_pairs, clear_pairs};

/// The fields that the proposal leaves to a person.
fn marked(proposal: &Proposal) -> BTreeSet<&'static str> {
    let is_marked = |field: &&str| {
        let lines = [
            format!("# TO BE FILLED IN: {field} is doubtful."),
            format!("# TO BE FILLED IN: no column looks like {field}."),
            format!("# {field} = \"...\"  # TO BE FILLED IN"),
        ];
        proposal.missing.contains(field)
            || (*field == "price" && proposal.missing.contains(&"decimal"))
            || lines.iter().any(|line| proposal.toml.contains(line))
    };
    Event::COLUMNS.into_iter().filter(is_marked).collect()
}

/// The proposal with constants for the columns that are missing, so that all others can be read.
fn filled_in(proposal: &Proposal) -> String {
    let mut toml = proposal.toml.replace("\"decimal = ", "# decimal = ");
    for name in &proposal.missing {
        let constant = match *name {
            "event_time" => "{ constant = \"2000-01-02T00:00:00Z\" }",
            "event_type" => "{ constant = \"view\" }",
            _ => "{ constant = \"?\" }",
        };
        let is_open = |line: &str| line.starts_with(&format!("{name} = ")) && line.contains("\"TO BE FILLED IN\"");
        let lines = toml.lines().map(|line| match is_open(line) {
            // The words that are clear are kept; the rows of the others are rejected.
            true if *name == "event_type" => line.replace("\"TO BE FILLED IN\"", "\"\""),
            true => String::new(),
            false => line.to_owned(),
        });
        toml = lines.collect::<Vec<_>>().join("\n") + "\n";
        if Event::REQUIRED_COLUMNS.contains(name) && !toml.lines().any(|line| line.starts_with(&format!("{name} = "))) {
            toml += &format!("{name} = {constant}\n");
        }
    }
    toml
}

/// The fields of an event that are not as they should be.
fn wrong_fields(event: &Event, truth: &Truth) -> Vec<&'static str> {
    let is = |field: &'static str, is_right: bool| (!is_right).then_some(field);
    let same = |stored: &str, truth: Option<&String>| truth.is_some_and(|truth| stored == truth);
    let wrong = [
        is("event_time", event.event_time == truth.time),
        is("event_type", Some(event.event_type) == truth.kind),
        is("user_id", same(&event.user_id, truth.user.as_ref())),
        is("session_id", event.session_id == truth.session),
        is("product_id", event.product_id == truth.product),
        is(
            "product_name",
            event
                .product_name
                .as_ref()
                .is_none_or(|name| same(name, truth.name.as_ref())),
        ),
        is(
            "price",
            event.price.is_none_or(|price| truth.cents == Some(price.cents())),
        ),
        is("quantity", i64::from(event.quantity) == truth.quantity),
    ];
    wrong.into_iter().flatten().collect()
}

/// Whether the events of different rows have different ids, but for rows that are sent again.
fn ids_are_right(checked: &CheckedFile, truth: &[Truth]) -> bool {
    let stored = || {
        checked
            .events
            .iter()
            .map(|of| (of, truth[of.record as usize - 1].number))
    };
    let ids: BTreeSet<_> = stored()
        .map(|(of, _)| (of.value.event_id, of.value.event_time))
        .collect();
    let numbers: BTreeSet<_> = stored().map(|(_, number)| number).collect();
    ids.len() >= numbers.len()
}

async fn check_layout(layout: &Layout) -> Result<bool, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.csv");
    std::fs::write(&path, layout.write()).unwrap();
    let proposal = infer_mapping(&path).await.map_err(|err| err.report())?;
    let marked = marked(&proposal);
    let needless: Vec<_> = proposal
        .missing
        .iter()
        .filter(|name| {
            let field = if **name == "decimal" { "price" } else { name };
            !layout.doubtful.contains(field)
        })
        .collect();
    if !needless.is_empty() {
        return Err(format!("doubts {needless:?}\n{}", proposal.toml));
    }
    if !proposal.missing.is_empty() && Mapping::from_toml(&proposal.toml).is_ok() {
        return Err(format!("accepted as it is\n{}", proposal.toml));
    }
    let filled = filled_in(&proposal);
    let mapping = Mapping::from_toml(&filled).map_err(|err| format!("{}\n{filled}", err.report()))?;
    let checked = check_file(&path, Some(&mapping), Rules::default(), usize::MAX)
        .await
        .unwrap();
    if let Some(refusal) = &checked.unusable {
        return Err(format!("unusable: {refusal}\n{filled}"));
    }
    let mut by_check: BTreeSet<_> = checked.doubts.iter().map(|doubt| doubt.field).collect();
    by_check.extend(checked.null_words.keys().map(|(field, _)| *field));
    for of in &checked.events {
        let truth = &layout.truth[of.record as usize - 1];
        for field in wrong_fields(&of.value, truth) {
            if !marked.contains(field) && !by_check.contains(field) {
                return Err(format!(
                    "{field} of record {} is wrong: {:?}, not {truth:?}\n{filled}",
                    of.record, of.value
                ));
            }
        }
    }
    if !ids_are_right(&checked, &layout.truth) && !marked.contains("event_id") && !by_check.contains("event_id") {
        return Err(format!("different events have one id\n{filled}"));
    }
    // What is clear must not lose rows, but for those that are no events or have no user.
    let usable = layout
        .truth
        .iter()
        .filter(|of| of.kind.is_some() && of.user.is_some())
        .count() as u64;
    if proposal.missing.is_empty() && checked.accepted < usable {
        return Err(format!(
            "{} of {usable} stored: {:?}\n{filled}",
            checked.accepted, checked.rejected
        ));
    }
    Ok(proposal.missing.is_empty())
}

/// Checks all layouts; returns how many proposals were complete.
async fn check_all(layouts: &[Layout]) -> usize {
    let mut complete = 0;
    let mut failures = Vec::new();
    for layout in layouts {
        match check_layout(layout).await {
            Ok(is_complete) => complete += usize::from(is_complete),
            Err(what) => failures.push(format!("{}\n{what}", layout.kinds.join(", "))),
        }
    }
    let count = failures.len();
    let shown = failures[..count.min(5)].join("\n\n");
    assert!(failures.is_empty(), "{count} of {} layouts:\n{shown}", layouts.len());
    complete
}

#[tokio::test]
async fn no_wrong_value_is_stored_without_a_word_whatever_the_layout() {
    let layouts = all_pairs();
    assert!(layouts.len() >= 60, "{}", layouts.len());
    check_all(&layouts).await;
}

#[tokio::test]
async fn layouts_without_a_doubt_are_inferred_without_help() {
    let layouts = clear_pairs();
    assert!(layouts.len() >= 30, "{}", layouts.len());
    assert_eq!(check_all(&layouts).await, layouts.len());
}
