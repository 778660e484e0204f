//! The commands in `docs/operating.md` that are marked with ✓ run, and print what the page shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::env::{join_paths, split_paths, var_os, vars_os};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fixture::{database, server};

const PAGE: &str = include_str!("../../docs/operating.md");
const MARK: &str = "✓\n\n```sh\n";

/// A block of commands, and what it prints as far as it is shown.
struct Block {
    commands: &'static str,
    printed: &'static str,
}

fn blocks() -> Vec<Block> {
    let marked = PAGE.split(MARK).skip(1);
    marked
        .map(|rest| {
            let (commands, rest) = rest.split_once("```\n").unwrap();
            let printed = rest
                .strip_prefix("\n```text\n")
                .map(|rest| rest.split("```").next().unwrap());
            Block {
                commands,
                printed: printed.unwrap_or_default(),
            }
        })
        .collect()
}

/// Whether a line is what is shown, where `…` stands for anything.
fn fits(line: &str, shown: &str) -> bool {
    let mut pieces = shown.split('…');
    let Some(mut left) = pieces.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return left.is_empty();
    };
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// A shell in `home` that finds the program and the databases, and nothing of whoever runs the tests.
fn bash(home: &Path, url: &str, restored: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_ecom-ingest")).parent().unwrap();
    let path = var_os("PATH").unwrap();
    let path: Vec<PathBuf> = [program.to_owned()].into_iter().chain(split_paths(&path)).collect();
    let mut bash = Command::new("bash");
    for (name, _) in vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PG") || text.starts_with("ECOM_") {
            bash.env_remove(&name);
        }
    }
    bash.current_dir(home).env("HOME", home).stdin(Stdio::null());
    bash.env("PATH", join_paths(path).unwrap());
    bash.env("DATABASE_URL", url).env("RESTORED_URL", restored);
    bash
}

#[tokio::test]
#[ignore = "needs psql and pg_dump; `.ci/run` runs it"]
async fn the_commands_of_the_guide_print_what_it_shows() {
    let database = database().await;
    let restored = server().await.create_database("restored").await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let sql = concat!(env!("CARGO_MANIFEST_DIR"), "/../sql");
    std::os::unix::fs::symlink(sql, home.path().join("sql")).unwrap();

    let blocks = blocks();
    let marks = PAGE.matches('✓').count();
    assert_eq!(
        blocks.len(),
        marks - 1,
        "each mark but the one that explains it stands before commands"
    );
    assert!(blocks.len() > 8, "{}", blocks.len());
    for Block { commands, printed } in blocks {
        let script = format!("exec 2>&1\nset -euo pipefail\n{commands}");
        let mut bash = bash(home.path(), &database.url, &restored);
        let output = bash.args(["-c", &script]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{commands}\n{}\n{said}", output.status);
        let mut lines = said.lines();
        for shown in printed.lines() {
            assert!(
                lines.any(|line| fits(line, shown)),
                "{commands}\nprints\n{said}\nand not, or not there,\n{shown}"
            );
        }
    }
}

#[test]
fn an_ellipsis_matches_any_text_and_nothing_else_does() {
    assert!(
        ["a b c", "a … c", "… c", "a …", "… b …", "…"]
            .iter()
            .all(|shown| fits("a b c", shown))
    );
    assert!(
        !["a b", "b c", "a … d", "a … b", "… x …", "b …", ""]
            .iter()
            .any(|shown| fits("a b c", shown))
    );
}
