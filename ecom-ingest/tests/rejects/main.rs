//! Rejected records: listed, exported, corrected and retried, each stored once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../fixture/mod.rs"]
mod fixture;
mod mapped;
mod retry;

use std::path::{Path, PathBuf};

use fixture::Database;
use fixture::program::program;

pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) log: String,
}

pub(crate) fn ecom(database: &Database, args: &[&str]) -> Said {
    let output = program()
        .args(args)
        .env("DATABASE_URL", &database.url)
        .output()
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        log: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn export(database: &Database, to: &Path, more: &[&str]) -> PathBuf {
    let to_text = to.display().to_string();
    let mut args = vec!["rejects", "export", "--to", &to_text];
    args.extend(more);
    let said = ecom(database, &args);
    assert_eq!(said.code, 0, "{}", said.log);
    assert!(said.out.contains("rejects retry"), "{}{}", said.out, said.log);
    to.join("rejects.csv")
}

pub(crate) fn retry(database: &Database, file: &Path) -> Said {
    ecom(database, &["rejects", "retry", file.to_str().unwrap()])
}

pub(crate) async fn waiting(database: &Database) -> i64 {
    database
        .number("SELECT count(*) FROM ecom.dead_letters WHERE resolved_at IS NULL")
        .await
}

/// As `check_balance`, when some letters are settled.
pub(crate) async fn check_balance(database: &Database) {
    let unbalanced = "SELECT count(*) FROM ecom.ingest_split
                      WHERE read <> stored + duplicates + rejected + filtered
                         OR read <> record_no AND state <> 'withdrawn' AND copy_of IS NULL";
    assert_eq!(database.number(unbalanced).await, 0);
    let stored = database.number("SELECT sum(stored)::int8 FROM ecom.ingest_split").await;
    assert_eq!(database.rows().await, stored);
    let rejected = database
        .number("SELECT sum(rejected)::int8 FROM ecom.ingest_split")
        .await;
    assert_eq!(waiting(database).await, rejected);
    let twice = "SELECT count(*) - count(DISTINCT (split_id, record_no)) FROM ecom.events";
    assert_eq!(database.number(twice).await, 0);
}
