//! What roles with few rights can do.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::fs;

use ecom_sink_pg::schema::apply;
use fixture::schema::{CURRENT, SQL, ask, refused, setup};
use fixture::{connect, database};
use tokio_postgres::{Client, Config, NoTls};

/// A role of that name, and a session as it.
async fn connect_as_new(url: &str, role: &str) -> Client {
    let made = connect(url).await;
    made.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN"))
        .await
        .unwrap();
    let mut config: Config = url.parse().unwrap();
    let (client, connection) = config.user(role).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The rights that `setup.sql` lists for a role that only ingests.
fn grants_to_writer() -> String {
    let setup = fs::read_to_string(format!("{SQL}/setup.sql")).unwrap();
    let lines = setup.lines().filter_map(|line| line.strip_prefix("--     "));
    let grants: Vec<&str> = lines.filter(|line| line.ends_with("TO writer;")).collect();
    assert_eq!(grants.len(), 7);
    grants.join("\n")
}

#[tokio::test]
async fn a_writer_that_owns_nothing_is_enough_when_current() {
    let admin = database().await;
    let mut writer = connect_as_new(&admin.url, "the writer").await;
    let message = refused(apply(&mut writer).await);
    let expected = "the schema ecom lacks V1__tables, V2__views, V3__identity, and the role \"the writer\" may not apply it: \
                    permission denied for database";
    assert!(message.starts_with(expected), "{message}");

    setup(&admin.url);
    let message = refused(apply(&mut writer).await);
    let grant = "GRANT SELECT ON ecom.schema_history TO \"the writer\"";
    assert!(message.contains(grant), "{message}");
    admin
        .execute(&format!("GRANT USAGE ON SCHEMA ecom TO \"the writer\"; {grant}"))
        .await;
    let message = refused(apply(&mut writer).await);
    for expected in [
        "the role \"the writer\" may not SELECT, INSERT on ecom.events; ",
        "GRANT EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) TO \"the writer\"",
    ] {
        assert!(message.contains(expected), "{message}");
    }
    // What the message says is enough.
    let (_, mends) = message.split_once("(to mend it: ").unwrap();
    admin.execute(mends.strip_suffix(')').unwrap()).await;
    apply(&mut writer).await.unwrap();

    // And so is what setup.sql lists.
    admin
        .execute(
            "REVOKE ALL ON ALL TABLES IN SCHEMA ecom FROM \"the writer\";
             REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ecom FROM \"the writer\"; REVOKE ALL ON SCHEMA ecom FROM \"the writer\"",
        )
        .await;
    refused(apply(&mut writer).await);
    admin
        .execute(&grants_to_writer().replace("TO writer", "TO \"the writer\""))
        .await;
    apply(&mut writer).await.unwrap();
    let made = ask(&writer, "SELECT ecom.ensure_partitions(ARRAY['2026-11-23']::date[])").await;
    assert_eq!(made, ["1"]);
    let written = writer.batch_execute(
        "INSERT INTO ecom.events
         VALUES ('2026-11-23 10:00:00+00', now(), 1, 1, gen_random_uuid(), 1, 'view', 'u', 's', 'p');
         INSERT INTO ecom.dead_letters (epoch, pipeline, reason, detail) VALUES (1, 'events', 'late', '');
         INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ('events');
         UPDATE ecom.ingest_pipeline SET fence = fence + 1 WHERE pipeline = 'events';
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path) VALUES (1, 'events', 's', 'p');
         UPDATE ecom.ingest_split SET read = 1 WHERE split_id = 1;
         INSERT INTO ecom.operator_state VALUES (1, 1, 'events', 'o', 'k', 'v');
         UPDATE ecom.operator_state SET value = 'w';
         DELETE FROM ecom.operator_state",
    );
    written.await.unwrap();
    // No more than that.
    for denied in [
        "DELETE FROM ecom.events",
        "CREATE TABLE ecom.mine ()",
        "DROP TABLE ecom.events_y20261123",
        "SELECT FROM ecom.dead_letters",
        "UPDATE ecom.schema_history SET checksum = NULL",
    ] {
        let err = writer.batch_execute(denied).await.unwrap_err();
        assert_eq!(err.code().unwrap().code(), "42501", "{denied}");
    }
}

#[tokio::test]
async fn an_owner_without_rights_on_the_database_is_enough() {
    let admin = database().await;
    let mut owner = connect_as_new(&admin.url, "an_owner").await;
    let own_url = format!("{}&user=an_owner", admin.url);
    admin.execute("CREATE SCHEMA ecom AUTHORIZATION an_owner").await;
    apply(&mut owner).await.unwrap();
    assert_eq!(setup(&own_url), CURRENT);
    admin
        .execute("DROP SCHEMA ecom CASCADE; CREATE SCHEMA ecom AUTHORIZATION an_owner")
        .await;
    assert_eq!(setup(&own_url), CURRENT);
    apply(&mut owner).await.unwrap();
    let owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'ecom'::regnamespace";
    assert_eq!(admin.ask(owners).await, ["an_owner"]);

    // Not even the schema need be its own.
    admin
        .execute("DROP SCHEMA ecom CASCADE; CREATE SCHEMA ecom; GRANT USAGE, CREATE ON SCHEMA ecom TO an_owner")
        .await;
    apply(&mut owner).await.unwrap();
}
