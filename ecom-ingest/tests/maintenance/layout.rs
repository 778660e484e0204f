//! `ecom-ingest layout`: how new partitions are created, and who may change it.

use ecom_sink_pg::{IndexProfile, Maintenance, PartitionWidth, Retention};
use ecom_stream::ErrorKind;

use crate::fixture::program::{Ingest, once, program};
use crate::fixture::schema::database_with_schema;
use crate::fixture::{database, drop_in};
use crate::{HOUR, database_with_days, ingest, maintenance};

#[tokio::test]
async fn only_the_owner_may_maintain_the_table() {
    let db = database_with_days().await;
    db.execute(
        "CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA ecom TO stranger;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ecom TO stranger;
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ecom TO stranger",
    )
    .await;
    let url = format!("{}&user=stranger", db.url);
    let stranger = Maintenance::from_url(&url).unwrap();
    for err in [
        stranger.settle(HOUR).await.unwrap_err(),
        stranger.retain(Retention::days(1)).await.unwrap_err(),
        stranger.layout().await.unwrap_err(),
        stranger.keep_settled(HOUR).await,
    ] {
        assert_eq!(err.kind(), ErrorKind::Configuration);
        let message = err.to_string();
        assert!(
            message.contains("the role \"stranger\" does not own the table ecom.events"),
            "{message}"
        );
    }
    let (status, log) = Ingest::spawn(program().arg("settle").env("DATABASE_URL", &url))
        .end()
        .await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert_eq!(db.rows().await, 4_000);
}

#[tokio::test]
async fn maintenance_does_not_create_the_schema() {
    let db = database().await;
    for args in [
        &["settle"][..],
        &["retain", "--days", "7"],
        &["retain", "--days", "7", "--dry-run"],
        &["layout"],
        &["layout", "--partition-width", "hour"],
    ] {
        let (status, log) = Ingest::spawn(program().args(args).env("DATABASE_URL", &db.url))
            .end()
            .await;
        // As `status` ends.
        assert_eq!(status.code(), Some(4), "{args:?}: {log}");
        let expected = "there is no schema ecom in this database (ecom-ingest schema apply creates it)";
        assert!(log.contains(expected), "{args:?}: {log}");
    }
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'ecom'";
    assert_eq!(db.number(schemas).await, 0);
}

#[tokio::test]
async fn the_layout_is_stored_in_the_database() {
    let db = database_with_schema().await;
    let log = ingest(&db, &["layout", "--partition-width", "hour"]);
    assert!(
        log.contains("a new partition holds one hour and has lean indexes; there are 0, of which 0 are settled"),
        "{log}"
    );
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    once(&db, &input).await;
    let layout = maintenance(&db)
        .change_layout(Some(PartitionWidth::Month), Some(IndexProfile::Full))
        .await
        .unwrap();
    // Five days of hours.
    assert_eq!((layout.partitions, layout.settled_partitions), (120, 0));
    let unchanged = maintenance(&db).layout().await.unwrap();
    assert_eq!(unchanged, layout);
    assert_eq!(unchanged.partition_width, PartitionWidth::Month);
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2027-01-05']::date[])")
        .await;
    let settled = "SELECT partition FROM ecom.partitions WHERE is_settled";
    assert_eq!(db.ask(settled).await, ["events_y202701"]);
    let (status, log) = Ingest::spawn(program().args(["layout", "--partition-width", "week"]))
        .end()
        .await;
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(
        log.contains("\"week\" is not a partition width (use hour, day or month)"),
        "{log}"
    );
    // Without its row the defaults hold, and a look does not make it.
    db.execute("DELETE FROM ecom.settings").await;
    let layout = maintenance(&db).layout().await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM ecom.settings").await, 0);
    assert_eq!(
        (layout.partition_width, layout.index_profile),
        (PartitionWidth::Day, IndexProfile::Lean)
    );
}
