//! The password appears in no log, no error and no `Debug` output, whatever goes wrong, at the most detailed log level.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::error::Error as StdError;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use ecom_sink_pg::PgSink;
use ecom_stream::memory::MemorySource;
use ecom_stream::{Event, SourceExt};
use fixture::program::{Ingest, command};
use fixture::tls::{NAME, TlsServer, encoded, tls_server};
use fixture::{connect, drop_in};
use tempfile::TempDir;

/// What must not be seen: a word of it is enough, since parts may be cut off or decoded.
const WORD: &str = "Canary";
const PASSWORD: &str = "Canary/@Canary%:?#&= 'Canary";
const ENCODED: &str = "Canary%2F%40Canary%25%3A%3F%23%26%3D%20%27Canary";

/// A server with a role that has this password.
async fn server() -> TlsServer {
    let server = tls_server().await;
    let admin = connect(server.server.url()).await;
    let password = PASSWORD.replace('\'', "''");
    let change = format!("ALTER ROLE shop PASSWORD '{password}'; ALTER ROLE plain PASSWORD '{password}'");
    admin.batch_execute(&change).await.unwrap();
    server
}

fn talkative(input: &TempDir) -> Command {
    let mut command = command(input, &["--once", "--wait", "0s"]);
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    command
}

/// Runs it to its end, which must be of that code, and looks for the password in what it said.
async fn says_nothing(command: &mut Command, code: i32) {
    let shown = format!("{:?}", command.get_args().collect::<Vec<_>>());
    let (status, log) = Ingest::spawn(command).end().await;
    assert!(!log.is_empty(), "{shown}");
    assert!(!log.contains(WORD), "{shown}: {log}");
    assert_eq!(status.code(), Some(code), "{shown}: {log}");
}

#[tokio::test]
async fn the_password_is_not_logged_in_normal_operation() {
    let server = server().await;
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    let address = &server.address;
    let ca = encoded(&server.file("ca.pem"));
    let url = |role: &str, more: &str| format!("postgresql://{role}:{ENCODED}@{NAME}/shop?hostaddr={address}&{more}");

    let verified = format!("sslmode=verify-full&sslrootcert={ca}");
    says_nothing(talkative(&input).env("DATABASE_URL", url("shop", &verified)), 0).await;
    says_nothing(
        talkative(&input).env("DATABASE_URL", url("plain", "sslmode=disable")),
        0,
    )
    .await;
    says_nothing(talkative(&input).arg("--database-url").arg(url("shop", "")), 0).await;

    let quoted = PASSWORD.replace('\'', "\\'");
    let keywords = format!("hostaddr={address} user=shop dbname=shop password='{quoted}'");
    says_nothing(talkative(&input).env("DATABASE_URL", keywords), 0).await;

    let without = format!("postgresql://shop@{NAME}/shop?hostaddr={address}");
    says_nothing(
        talkative(&input)
            .env("DATABASE_URL", &without)
            .env("PGPASSWORD", PASSWORD),
        0,
    )
    .await;

    let passfile = input.path().join(".passfile");
    fs::write(
        &passfile,
        format!("{NAME}:5432:shop:shop:{}\n", PASSWORD.replace(':', "\\:")),
    )
    .unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    says_nothing(
        talkative(&input)
            .env("DATABASE_URL", &without)
            .env("PGPASSFILE", &passfile),
        0,
    )
    .await;
    // Not used, since others can read it: then there is no password.
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o644)).unwrap();
    says_nothing(
        talkative(&input)
            .env("DATABASE_URL", &without)
            .env("PGPASSFILE", &passfile),
        3,
    )
    .await;
}

#[tokio::test]
async fn the_password_is_not_logged_when_something_fails() {
    let server = server().await;
    let input = tempfile::tempdir().unwrap();
    let address = &server.address;
    let other_ca = encoded(&server.file("other_ca.pem"));
    let at = |more: &str| format!("postgresql://shop:{ENCODED}@{NAME}/shop?hostaddr={address}&{more}");
    for (code, url) in [
        // A password that is written as it is: each of its characters ends something.
        (3, format!("postgresql://shop:{PASSWORD}@{NAME}/shop")),
        (3, "postgresql://shop:Canary/Canary@db/shop".into()),
        (3, "postgresql://shop:x@Canary@db/shop".into()),
        (3, "postgresql://shop:x@Canary/Canary@db/shop".into()),
        (3, "postgresql://shop:Canary%Canary@db/shop".into()),
        (3, "postgresql://shop:Canary".into()),
        (3, "postgresql://db:Canary/shop".into()),
        (3, "postgresql://shop@db/shop?password=x&Canary".into()),
        (3, "postgresql://shop@db/shop?password=x&Canary=1".into()),
        (3, "postgresql:/shop:Canary@db/shop".into()),
        (3, "shop:Canary@db/shop".into()),
        (3, "shop:Canary@db/shop?sslmode=require".into()),
        (3, "host=db password='Canary".into()),
        (3, "host=db password=x Canary".into()),
        (3, at("sslmode=Canary")),
        (3, at("connect_timeout=Canary")),
        (3, at("channel_binding=Canary")),
        (3, at("sslmode=verify-full")),
        (3, at(&format!("sslmode=verify-ca&sslrootcert={other_ca}"))),
        // The server doesn't let it in so, knows no such user, has no such database.
        (3, at("sslmode=disable")),
        (3, at("user=nobody")),
        (3, at("dbname=none")),
        (5, at("port=1")),
        (
            5,
            format!("postgresql://shop:{ENCODED}@nowhere.invalid/shop?sslmode=require"),
        ),
        (5, format!("postgresql://shop:{ENCODED}@/shop?host=/nonexistent")),
        // The password of another.
        (
            3,
            format!("postgresql://shop:x{ENCODED}@{NAME}/shop?hostaddr={address}"),
        ),
    ] {
        says_nothing(talkative(&input).env("DATABASE_URL", &url), code).await;
        // In the process as well, with all that an error is made of.
        let said = match PgSink::from_url(&url) {
            Ok(sink) => {
                let shown = format!("{sink:?} {sink:#?}");
                let source = MemorySource::<Event>::new("none", Vec::new());
                let run = source.to(sink.wait_for_server(Duration::ZERO)).run().await;
                shown + &told(&run.unwrap_err())
            }
            Err(err) => told(&err),
        };
        assert!(!said.contains(WORD), "{said}");
    }
}

/// All that an error tells of itself.
fn told(err: &ecom_stream::Error) -> String {
    let mut told = format!("{} {err} {err:?} {err:#?}", err.report());
    let mut cause = StdError::source(err);
    while let Some(err) = cause {
        told += &format!(" {err} {err:?} {err:#?}");
        cause = err.source();
    }
    told
}
