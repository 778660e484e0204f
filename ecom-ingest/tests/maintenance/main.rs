//! The maintenance of the table: indexes of settled partitions, retention, and the layout of new partitions.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

#[path = "../fixture/mod.rs"]
mod fixture;
mod layout;
mod merge;
mod prune;
mod retain;
mod settle;

use std::time::Duration;

use ecom_sink_pg::Maintenance;
use fixture::Database;
use fixture::program::program;
use fixture::schema::database_with_schema;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Rows of three days long ago and of now, on partitions made by day.
pub(crate) async fn database_with_days() -> Database {
    let db = database_with_schema().await;
    db.execute(
        "SET timezone = 'UTC';
         SELECT ecom.ensure_partitions(ARRAY['2026-10-01', '2026-10-02', '2026-10-03', now()]::date[]);
         INSERT INTO ecom.events
         SELECT t, now(), NULL, NULL, gen_random_uuid(), 1, 'view', 'user-' || n % 50, 's-' || n, 'sku-' || n % 20,
                NULL, 'home.light', NULL, 1
         FROM generate_series(0, 999) n, unnest(ARRAY['2026-10-01 12:00+00', '2026-10-02 12:00+00', '2026-10-03 12:00+00',
                                                      now()]::timestamptz[]) t",
    )
    .await;
    db
}

pub(crate) fn maintenance(db: &Database) -> Maintenance {
    Maintenance::from_url(&db.url).unwrap()
}

/// Runs a subcommand to its end, and gives its answer.
pub(crate) fn ingest(db: &Database, args: &[&str]) -> String {
    let output = program().args(args).env("DATABASE_URL", &db.url).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
