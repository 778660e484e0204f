//! The checks at the start: settings of the server that weaken the guarantees, roles with too many rights, poolers, and
//! directories that other pipelines use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::print_stdout, reason = "a test says what it could not do here")]

mod fixture;

use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecom_sink_pg::server::PrivateServer;
use ecom_sink_pg::{EpochLimits, PgSink};
use ecom_stream::{CsvDirSource, ErrorKind, Result, Rules, SourceExt, Summary};
use fixture::program::{Ingest, once, program};
use fixture::{Database, database, database_on, drop_in};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
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
    let database = Database {
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
async fn a_role_with_few_connections_loads_everything_on_those_that_it_has() {
    for limit in [2, 3] {
        let (admin, input) = (database().await, tempfile::tempdir().unwrap());
        let name: String = admin.row("SELECT current_database()::text").await.get(0);
        let role = format!("limit_{limit}_of_{name}");
        let make =
            format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT {limit}; GRANT CREATE ON DATABASE {name} TO {role}");
        admin.client.batch_execute(&make).await.unwrap();
        for file in 0..12 {
            drop_in(
                input.path(),
                &format!("{file:02}.csv"),
                file * 2_000..(file + 1) * 2_000,
            );
        }
        let url = format!("{}&user={role}", admin.url);
        let log = Ingest::start_at(&url, &input, &["--once", "--connections", "4"])
            .succeed()
            .await;
        // How many it has then depends on when the server has noticed that earlier ones were closed.
        let told = " of the 4 connections that were asked for";
        assert_eq!(log.matches(told).count(), 1, "{log}");
        assert!(log.contains("too many connections for role"), "{log}");
        assert_eq!(admin.rows().await, 24_000);
        admin.check_balance().await;
    }
}

#[tokio::test]
async fn unusual_settings_of_the_database_do_not_stop_it() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let name: String = database.row("SELECT current_database()::text").await.get(0);
    for setting in ["quote_all_identifiers = on", "temp_file_limit = 0", "work_mem = '64kB'"] {
        let set = format!("ALTER DATABASE {name} SET {setting}");
        database.client.batch_execute(&set).await.unwrap();
    }
    drop_in(input.path(), "a.csv", 0..1_000);
    once(&database, &input).await;
    assert_eq!(database.rows().await, 1_000);
    // A session of somebody else's, too, finds that the schema fits.
    ecom_sink_pg::schema::check(&fixture::connect(&database.url).await)
        .await
        .unwrap();
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
        let database = Database {
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

/// Runs the sink through a pooler, with events that make that many epochs.
async fn pooled(database: &Database, mode: Mode, size: usize, epochs: u32) -> Result<Summary> {
    let directory = tempfile::tempdir().unwrap();
    let config: Config = database.url.parse().unwrap();
    let Host::Unix(socket) = &config.get_hosts()[0] else {
        panic!("a private server has a socket")
    };
    let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
    let pool = Arc::new(Pool {
        server: socket.join(".s.PGSQL.5432"),
        mode,
        free: Semaphore::new(size),
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
    let name = config.get_dbname().unwrap();
    let url = format!("host={} user=postgres dbname={name}", directory.path().display());
    let input = tempfile::tempdir().unwrap();
    for epoch in 0..epochs {
        drop_in(input.path(), &format!("{epoch:03}.csv"), epoch * 100..(epoch + 1) * 100);
    }
    let source = CsvDirSource::new(input.path()).available_now(true);
    let source = source.validate(Rules::default());
    let sink = PgSink::from_url(&url)
        .unwrap()
        .connections(NonZeroUsize::new(4).unwrap());
    let sink = sink.epoch_limits(EpochLimits::default().max_rows(100));
    source.to(sink.wait_for_server(Duration::ZERO)).run().await
}

const HAS_SCHEMA: &str = "SELECT count(*) FROM pg_namespace WHERE nspname = 'ecom'";

#[tokio::test]
async fn a_pooler_that_works_by_transaction_or_by_statement_is_refused() {
    let database = database().await;
    for mode in [Mode::Transaction, Mode::Statement] {
        let err = pooled(&database, mode, 10, 0).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration, "{}", err.report());
        assert!(err.report().contains("pooler to session pooling"), "{}", err.report());
        // Nothing was begun.
        assert_eq!(database.number(HAS_SCHEMA).await, 0);
    }
    pooled(&database, Mode::Session, 10, 0).await.unwrap();
    assert_eq!(database.number(HAS_SCHEMA).await, 1);
}

#[tokio::test]
async fn a_pool_that_is_smaller_than_wished_is_enough_and_one_of_a_single_session_is_told() {
    for size in 2..4 {
        let database = database().await;
        let epochs = size as u32 * 10;
        let counts = pooled(&database, Mode::Session, size, epochs).await.unwrap().counts;
        assert_eq!(counts.read, u64::from(epochs * 100), "{size}");
        database.check_balance().await;
    }
    let err = pooled(&database().await, Mode::Session, 1, 1).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{}", err.report());
    for part in ["no second connection", "size of the pool"] {
        assert!(err.report().contains(part), "{}", err.report());
    }
}

/// For how long a pooler lends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// For as long as the client stays.
    Session,
    Transaction,
    /// For a statement, so that there are no transactions.
    Statement,
}

/// Lends sessions of the server to clients, as PgBouncer does.
struct Pool {
    server: PathBuf,
    mode: Mode,
    /// How many sessions may be lent to further clients. Others wait.
    free: Semaphore,
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
        if self.mode == Mode::Session {
            let Ok(_place) = self.free.acquire().await else {
                return Ok(());
            };
            let mut session = self.lend(&startup).await?;
            return copy_bidirectional(&mut client, &mut session).await.map(drop);
        }
        let mut lent: Option<UnixStream> = None;
        loop {
            let (kind, message) = message_of(&mut client).await?;
            if kind == b'X' {
                return Ok(());
            }
            if self.mode == Mode::Statement && message[5..].starts_with(b"BEGIN") {
                let fields = "SFATAL\0C08P01\0Mtransaction blocks not allowed in statement pooling mode\0\0";
                let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
                return client.write_all(&[b"E", &length[..], fields.as_bytes()].concat()).await;
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
            match in_transaction {
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

/// How a command gets mounts of its own: as root, or else as root of a user namespace, if the system lets it.
fn own_mounts() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount"]];
    ways.into_iter().find(|way| {
        let dir = tempfile::tempdir().unwrap();
        let mut probe = Command::new("unshare");
        probe
            .args(*way)
            .args(["mount", "--bind"])
            .args([dir.path(), dir.path()]);
        probe.output().is_ok_and(|output| output.status.success())
    })
}

/// Runs the program once over `input`, with `bound` mounted at `at` where it sees it. Gives its exit code and its log.
async fn run_with_mount(
    database: &Database,
    (bound, at): (&Path, &Path),
    own_mounts: Option<&[&str]>,
    pipeline: &str,
    (input, more): (&Path, &[&str]),
) -> (Option<i32>, String) {
    let mut run = program();
    run.args(["run", "--once", "--pipeline", pipeline, "--input"]);
    run.arg(input).args(more).env("DATABASE_URL", &database.url);
    if let Some(way) = own_mounts {
        const MOUNT: &str = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        let mut outer = Command::new("unshare");
        outer.args(way).args(["sh", "-c", MOUNT, "sh"]).args([bound, at]);
        outer.arg(run.get_program()).args(run.get_args());
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        run = outer;
    }
    let (status, log) = Ingest::spawn(&mut run).end().await;
    (status.code(), log)
}

/// Without the right to mount, a symbolic link takes the place of the mount: what the program makes of mounts that it sees is
/// tested with the library.
#[tokio::test]
async fn a_pipeline_may_not_take_files_that_another_reads_under_the_name_of_a_mount() {
    let own_mounts = own_mounts();
    if own_mounts.is_none() {
        println!("no mounts are allowed here: symbolic links are tested in their place");
    }
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for dir in ["data/sub", "a/x", "b/c"] {
        std::fs::create_dir_all(at(dir)).unwrap();
    }
    let (keep, delete, recursive, both) = (
        &[][..],
        &["--delete"][..],
        &["--recursive"][..],
        &["--recursive", "--delete"][..],
    );
    // What is mounted at which place, what each of two pipelines reads, and whether they may.
    let cases = [
        ("data", "mnt", ("data", delete), ("mnt", keep), false),
        ("data", "mnt", ("data", keep), ("mnt", delete), false),
        ("data", "mnt", ("mnt", delete), ("data", keep), false),
        ("data", "mnt", ("data/sub", keep), ("mnt", both), false),
        ("data", "mnt", ("data/sub", delete), ("mnt/sub", keep), false),
        ("data", "mnt", ("data", delete), ("mnt/sub", keep), true),
        ("data/sub", "mnt", ("data", both), ("mnt", keep), false),
        ("data/sub", "mnt", ("mnt", delete), ("data", recursive), false),
        ("data/sub", "mnt", ("data", delete), ("mnt", keep), true),
        ("b", "a/x", ("a", recursive), ("b/c", delete), false),
        ("b", "a/x", ("b", delete), ("a", recursive), false),
        ("b", "a/x", ("a", both), ("a/x/c", keep), false),
        ("b", "a/x", ("a", delete), ("b/c", keep), true),
    ];
    for case @ (bound, point, first, second, allowed) in cases {
        let (bound, point) = (at(bound), at(point));
        match own_mounts {
            Some(_) => std::fs::create_dir_all(&point).unwrap(),
            // Links inside a directory are not followed, so nothing is mounted there.
            None if point.ends_with("a/x") => continue,
            None => symlink(&bound, &point).unwrap(),
        }
        let database = database().await;
        let run = |pipeline, (input, more)| {
            let input = at(input);
            let (database, mount) = (&database, (&*bound, &*point));
            async move { run_with_mount(database, mount, own_mounts, pipeline, (&input, more)).await }
        };
        let (code, log) = run("first", first).await;
        assert_eq!(code, Some(0), "{case:?}: {log}");
        let (code, log) = run("second", second).await;
        assert_eq!(code, Some(if allowed { 0 } else { 3 }), "{case:?}: {log}");
        let names = ["pipeline \"first\"", "pipeline \"second\""];
        assert!(allowed || names.iter().all(|name| log.contains(name)), "{log}");
        match own_mounts {
            Some(_) if point.ends_with("mnt") => std::fs::remove_dir(&point).unwrap(),
            Some(_) => {}
            None => std::fs::remove_file(&point).unwrap(),
        }
    }
    if own_mounts.is_some() {
        let (database, at_mount) = (database().await, at("mnt"));
        std::fs::create_dir(&at_mount).unwrap();
        for (input, archive, expected) in [
            (at("data"), at("mnt/done"), "is inside the directory that is read"),
            (at_mount.clone(), at("done"), "is on another mount than the files"),
        ] {
            let arguments = (input.as_path(), &["--archive", archive.to_str().unwrap()][..]);
            let (code, log) =
                run_with_mount(&database, (&at("data"), &at_mount), own_mounts, "archives", arguments).await;
            assert_eq!(code, Some(3), "{log}");
            assert!(log.contains(expected), "{log}");
        }
    }
}
