//! The checks at the start: settings of the server that weaken the guarantees, roles with too many rights, poolers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use ecom_stream::memory::MemorySource;
use ecom_stream::{ErrorKind, Event, SourceExt};
use fixture::program::once;
use fixture::{database, database_on, drop_in};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

async fn warnings_on(server: &PrivateServer) -> Vec<String> {
    let (database, input) = (database_on(server).await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..10);
    warnings(&once(&database, &input).await)
}

fn warnings(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| line.split_once(" WARN "));
    lines.map(|(_, warning)| warning.to_owned()).collect()
}

#[tokio::test]
async fn a_server_with_its_defaults_is_not_warned_of() {
    let server = PrivateServer::builder().temporary().start().await.unwrap();
    assert_eq!(warnings_on(&server).await, [""; 0]);
}

#[tokio::test]
async fn settings_that_weaken_the_guarantees_are_each_warned_of_once() {
    let server = PrivateServer::builder()
        .temporary()
        .setting("fsync", "off")
        .setting("full_page_writes", "off")
        .setting("zero_damaged_pages", "on")
        .setting("ignore_checksum_failure", "on")
        .start()
        .await
        .unwrap();
    let warnings = warnings_on(&server).await;
    let settings: Vec<&str> = warnings
        .iter()
        .map(|warning| warning.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        settings,
        [
            "fsync",
            "full_page_writes",
            "zero_damaged_pages",
            "ignore_checksum_failure"
        ]
    );
}

#[tokio::test]
async fn commits_wait_for_the_disk_whatever_is_set_for_the_role() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let check = "CREATE ROLE careless LOGIN; GRANT CREATE ON DATABASE NAME TO careless;
        ALTER ROLE careless SET synchronous_commit = off; ALTER ROLE careless SET lock_timeout = '1h';
        ALTER ROLE careless SET search_path = public; ALTER ROLE careless SET datestyle = 'SQL, DMY'";
    let name: String = database.row("SELECT current_database()::text").await.get(0);
    database
        .client
        .batch_execute(&check.replace("NAME", &name))
        .await
        .unwrap();
    let database = fixture::Database {
        url: format!("{}&user=careless", database.url),
        client: database.client,
    };
    once(&database, &input).await;
    // What a session has is seen where it leaves a trace: a trigger that notes it.
    database
        .client
        .batch_execute(
            "CREATE TABLE seen (commit text, lock text, path text);
             GRANT INSERT ON seen TO PUBLIC;
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO public.seen VALUES (current_setting('synchronous_commit'), current_setting('lock_timeout'),
                     current_setting('search_path'));
                 RETURN NULL;
             END $$;
             CREATE TRIGGER note AFTER UPDATE ON ecom.ingest_pipeline FOR EACH STATEMENT EXECUTE FUNCTION note()",
        )
        .await
        .unwrap();
    drop_in(input.path(), "a.csv", 0..10);
    once(&database, &input).await;
    let seen = database
        .client
        .query("SELECT DISTINCT commit, lock, path FROM seen", &[])
        .await
        .unwrap();
    assert_eq!(seen.len(), 1);
    let settings: [String; 3] = std::array::from_fn(|at| seen[0].get(at));
    assert_eq!(settings, ["on", "100ms", "pg_catalog"]);
}

#[tokio::test]
async fn a_role_with_too_many_privileges_is_warned_of() {
    for (attributes, told) in [
        ("", None),
        ("SUPERUSER", Some("(SUPERUSER)")),
        ("CREATEDB BYPASSRLS", Some("(CREATEDB, BYPASSRLS)")),
    ] {
        let (admin, input) = (database().await, tempfile::tempdir().unwrap());
        let name: String = admin.row("SELECT current_database()::text").await.get(0);
        let role = format!("role_of_{name}");
        let make = format!("CREATE ROLE {role} LOGIN {attributes}; GRANT CREATE ON DATABASE {name} TO {role}");
        admin.client.batch_execute(&make).await.unwrap();
        let database = fixture::Database {
            url: format!("{}&user={role}", admin.url),
            client: admin.client,
        };
        let warnings = warnings(&once(&database, &input).await);
        let of_roles: Vec<&String> = warnings.iter().filter(|warning| warning.contains(&role)).collect();
        assert_eq!(of_roles.len(), usize::from(told.is_some()), "{warnings:?}");
        if let Some(told) = told {
            assert!(
                of_roles[0].contains(told) && of_roles[0].contains("sql/roles.sql"),
                "{warnings:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_pooler_that_works_by_transaction_is_refused() {
    let (directory, database) = (tempfile::tempdir().unwrap(), database().await);
    let config: Config = database.url.parse().unwrap();
    let Host::Unix(socket) = &config.get_hosts()[0] else {
        panic!("a private server has a socket")
    };
    let pooled = async |name: &str, by_session| {
        let place = directory.path().join(name);
        std::fs::create_dir(&place).unwrap();
        let listener = UnixListener::bind(place.join(".s.PGSQL.5432")).unwrap();
        let pool = Arc::new(Pool {
            server: socket.join(".s.PGSQL.5432"),
            by_session,
            idle: Mutex::default(),
        });
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let pool = pool.clone();
                // It ends with the client.
                tokio::spawn(async move { pool.serve(client).await });
            }
        });
        let database = config.get_dbname().unwrap();
        let url = format!("host={} user=postgres dbname={database}", place.display());
        let source = MemorySource::<Event>::new("none", Vec::new());
        source.to(PgSink::from_url(&url).unwrap()).run().await
    };
    let err = pooled("transaction", false).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration, "{}", err.report());
    assert!(err.report().contains("pooler"), "{}", err.report());
    // Nothing was begun.
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'ecom'";
    assert_eq!(database.number(schema).await, 0);
    pooled("session", true).await.unwrap();
    assert_eq!(database.number(schema).await, 1);
}

/// Lends a session of the server to a client for one transaction, as PgBouncer does with `pool_mode = transaction`, or for as
/// long as the client stays.
struct Pool {
    server: PathBuf,
    by_session: bool,
    /// The last one that was given back is the next one that is lent.
    idle: Mutex<Vec<UnixStream>>,
}

impl Pool {
    async fn serve(&self, mut client: UnixStream) -> std::io::Result<()> {
        let mut startup = vec![0; 4];
        client.read_exact(&mut startup).await?;
        let length = u32::from_be_bytes(startup[..].try_into().unwrap()) as usize;
        startup.resize(length, 0);
        client.read_exact(&mut startup[4..]).await?;
        // Authenticated, a key to cancel with that is none, ready.
        client
            .write_all(b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x01Z\0\0\0\x05I")
            .await?;
        let mut lent: Option<UnixStream> = None;
        loop {
            let (kind, message) = message_of(&mut client).await?;
            if kind == b'X' {
                return Ok(());
            }
            let mut session = match lent.take() {
                Some(session) => session,
                None => self.lend(&startup).await?,
            };
            session.write_all(&message).await?;
            let mut in_transaction = true;
            if kind == b'Q' || kind == b'S' {
                let mut answer = Vec::new();
                while answer.first() != Some(&b'Z') {
                    answer = message_of(&mut session).await?.1;
                    client.write_all(&answer).await?;
                }
                in_transaction = answer[5] != b'I';
            }
            match in_transaction || self.by_session {
                true => lent = Some(session),
                false => self.idle.lock().unwrap().push(session),
            }
        }
    }

    async fn lend(&self, startup: &[u8]) -> std::io::Result<UnixStream> {
        let idle = self.idle.lock().unwrap().pop();
        if let Some(session) = idle {
            return Ok(session);
        }
        let mut session = UnixStream::connect(&self.server).await?;
        session.write_all(startup).await?;
        while message_of(&mut session).await?.0 != b'Z' {}
        Ok(session)
    }
}

/// The kind of a message, and all of its bytes.
async fn message_of(stream: &mut UnixStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes(message[1..].try_into().unwrap()) as usize;
    message.resize(1 + length, 0);
    stream.read_exact(&mut message[5..]).await?;
    Ok((message[0], message))
}
