//! What the program reports to others: metrics, health and progress over HTTP, and notifications to systemd.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use ecom_sink_pg::server::Shutdown;
use fixture::program::{Ingest, command, once};
use fixture::{HEADER, database, database_on, drop_in, drop_in_text, eventually, line, start_server};
use rustix::process::Signal;
use serde_json::Value;

/// A port that was free just now.
fn port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The status and the body that a path has; nothing while nobody listens.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    ask(port, "GET", path)
}

fn ask(port: u16, method: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// The value of a sample.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_are_what_prometheus_wants_and_count_what_was_done() {
    let (database, input, port) = (database().await, tempfile::tempdir().unwrap(), port());
    once(&database, &input).await;
    let rule = "ALTER TABLE ecom.events ADD CONSTRAINT no_lamps CHECK (user_id <> 'user-2') NOT VALID";
    database.client.batch_execute(rule).await.unwrap();
    drop_in_text(
        input.path(),
        "secret-name.csv",
        format!("{HEADER}{}{}{}1,2\n", line(1), line(1), line(2)),
    );
    drop_in_text(input.path(), "c.csv", "what,ever\n1,2\n");
    let _ingest = Ingest::start(&database, &input, &["--listen", &port.to_string()]);
    let mut text = String::new();
    eventually("the counts", async || {
        text = get(port, "/metrics").map(|(_, text)| text).unwrap_or_default();
        sample(&text, "ecom_splits_total{state=\"finished\"}") == Some(1.0)
            && sample(&text, "ecom_splits_total{state=\"set_aside\"}") == Some(1.0)
    })
    .await;
    for (name, value) in [
        ("ecom_records_read_total", 4.0),
        ("ecom_records_total{outcome=\"stored\"}", 1.0),
        ("ecom_records_total{outcome=\"duplicate\"}", 1.0),
        ("ecom_records_total{outcome=\"rejected\"}", 2.0),
        ("ecom_records_total{outcome=\"filtered\"}", 0.0),
        ("ecom_rejects_total{reason=\"field_count\"}", 1.0),
        ("ecom_rejects_total{reason=\"sqlstate\"}", 1.0),
        ("ecom_rejects_total{reason=\"price_missing\"}", 0.0),
        ("ecom_rejects_total{reason=\"other\"}", 0.0),
        ("ecom_splits_total{state=\"damaged\"}", 0.0),
        ("ecom_leading", 1.0),
        ("ecom_postgres_failures_total{action=\"retry\"}", 0.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name}\n{text}");
    }
    assert!(
        sample(&text, "ecom_lag_seconds{of=\"oldest_input\"}").is_some(),
        "{text}"
    );
    assert!(
        text.contains("ecom_commit_stage_seconds_bucket{stage=\"commit\",le=\""),
        "{text}"
    );
    assert!(!text.contains("secret-name"), "names of files are no labels\n{text}");
    let names = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert!(names.clone().all(|line| line.starts_with("ecom_")), "{text}");

    // Each is described in the guide, and nothing else is.
    let guide = fs::read_to_string(format!("{}/../docs/operating.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let documented: BTreeSet<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| `ecom_")?.split(['`', '{']).next())
        .collect();
    let told: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ecom_")?.split(' ').next())
        .collect();
    assert_eq!(documented, told);
}

#[tokio::test]
#[ignore = "needs promtool of Prometheus; `.ci/run` installs it and runs this by `cargo test -p ecom-ingest --test outside -- --ignored`"]
async fn promtool_has_no_complaint_about_the_metrics() {
    let (database, input, port) = (database().await, tempfile::tempdir().unwrap(), port());
    drop_in(input.path(), "a.csv", 0..10);
    drop_in_text(input.path(), "b.csv", "what,ever\n1,2\n");
    let _ingest = Ingest::start(&database, &input, &["--listen", &port.to_string()]);
    let mut text = String::new();
    eventually("the counts", async || {
        text = get(port, "/metrics").map(|(_, text)| text).unwrap_or_default();
        sample(&text, "ecom_records_total{outcome=\"stored\"}") == Some(10.0)
            && sample(&text, "ecom_splits_total{state=\"set_aside\"}") == Some(1.0)
    })
    .await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is in Debian's package prometheus");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap();
    assert!(checked.status.success() && said.is_empty(), "{said}\n{text}");
}

#[tokio::test]
async fn slow_clients_do_not_block_others() {
    let (database, input, port) = (database().await, tempfile::tempdir().unwrap(), port());
    let _ingest = Ingest::start(&database, &input, &["--listen", &port.to_string()]);
    eventually("it is ready", async || {
        get(port, "/readyz").is_some_and(|(code, _)| code == 200)
    })
    .await;
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut silent: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    // These ask on and on, and take no answer.
    for stream in silent.iter_mut().take(20) {
        stream.set_nonblocking(true).unwrap();
        for _ in 0..10_000 {
            if stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").is_err() {
                break;
            }
        }
    }
    assert_eq!(get(port, "/livez").unwrap().0, 200);
    let mut stream = connect();
    let _ = stream.write_all(format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes());
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn health_has_a_reason_and_follows_the_server() {
    let server = start_server().await;
    let database = database_on(&server).await;
    let (input, port) = (tempfile::tempdir().unwrap(), port());
    drop_in(input.path(), "a.csv", 0..10);
    let ingest = Ingest::start(&database, &input, &["--listen", &format!("127.0.0.1:{port}")]);
    eventually("it is ready", async || {
        get(port, "/readyz") == Some((200, "loading files as they arrive\n".into()))
    })
    .await;
    assert_eq!(
        get(port, "/livez"),
        Some((200, "loading files as they arrive\n".into()))
    );
    assert_eq!(get(port, "/nothing").unwrap().0, 404);
    assert_eq!(ask(port, "POST", "/metrics").unwrap().0, 405);
    assert!(get(port, "/").unwrap().1.contains("/metrics"));

    // One that stands by is ready as well: what comes is loaded.
    let second = self::port();
    let standby = Ingest::start(&database, &input, &["--listen", &second.to_string()]);
    eventually("it stands by", async || {
        get(second, "/readyz")
            .is_some_and(|(status, why)| status == 200 && why.starts_with("standing by: the pipeline is run by ecom "))
    })
    .await;
    drop(standby);

    server.stop(Shutdown::Fast).await.unwrap();
    eventually("it is not ready", async || {
        get(port, "/readyz").is_some_and(|(status, why)| status == 503 && why.starts_with("trying again: "))
    })
    .await;
    assert_eq!(get(port, "/livez").unwrap().0, 200, "a restart would not help");
    ingest.signal(Signal::TERM);
}

#[tokio::test]
async fn a_port_in_use_is_reported_before_anything_runs() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let (status, log) = Ingest::start(&database, &input, &["--listen", &at]).end().await;
    assert_eq!(status.code(), Some(3));
    assert!(
        log.contains(&format!("cannot listen on {at}")) && log.contains("choose a free port"),
        "{log}"
    );
}

#[tokio::test]
async fn progress_as_json_adds_up_and_has_the_names_that_spark_gives() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    for file in 0..5 {
        drop_in(input.path(), &format!("{file}.csv"), file * 5_000..(file + 1) * 5_000);
    }
    let output = command(&input, &["--once", "--progress", "json"])
        .env("DATABASE_URL", &database.url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sum = |of: &dyn Fn(&Value) -> u64| lines.iter().map(of).sum::<u64>();
    assert_eq!(sum(&|line| line["numInputRows"].as_u64().unwrap()), 25_000);
    assert_eq!(sum(&|line| line["sink"]["numOutputRows"].as_u64().unwrap()), 25_000);
    let last = lines.last().unwrap();
    for field in [
        "id",
        "runId",
        "name",
        "timestamp",
        "batchId",
        "numInputRows",
        "inputRowsPerSecond",
        "processedRowsPerSecond",
        "durationMs",
        "eventTime",
        "stateOperators",
        "sources",
        "sink",
    ] {
        assert!(last.get(field).is_some(), "{field}: {last}");
    }
    assert_eq!(last["name"], "events");
    assert!(last["durationMs"]["triggerExecution"].is_u64(), "{last}");
    assert_eq!(last["runId"], lines[0]["runId"]);
    assert_ne!(last["runId"], last["id"]);
}

#[tokio::test]
async fn the_log_can_be_json() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..10);
    let log = Ingest::start(&database, &input, &["--once", "--log-format", "json"])
        .succeed()
        .await;
    let messages: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_done = |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|message| message.starts_with("done: 10 records read"))
    };
    assert!(messages.iter().any(is_done), "{log}");
}

/// What a service manager would hear, and what it would do.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn at(path: &std::path::Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            heard: Vec::new(),
        }
    }

    fn hears(&mut self, what: &str) -> bool {
        let mut buffer = [0; 4_096];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]);
            self.heard.extend(text.lines().map(str::to_owned));
        }
        self.heard.iter().any(|heard| heard.starts_with(what))
    }
}

#[tokio::test]
async fn systemd_is_notified_of_readiness_liveness_and_shutdown() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let run = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let path = run.path().join(name);
        let manager = Manager::at(&path);
        let mut command = command(&input, &[]);
        command
            .env("DATABASE_URL", &database.url)
            .env("NOTIFY_SOCKET", path)
            .env("WATCHDOG_USEC", "300000");
        (manager, Ingest::spawn(&mut command))
    };
    let (mut manager, first) = start("first");
    eventually("READY", async || manager.hears("READY=1")).await;
    eventually("a status", async || {
        manager.hears("STATUS=loading files as they arrive")
    })
    .await;
    manager.heard.clear();
    eventually("the watchdog is fed while nothing comes", async || {
        manager.hears("WATCHDOG=1")
    })
    .await;

    let (mut other, second) = start("second");
    eventually("one that stands by is ready", async || {
        other.hears("READY=1") && other.hears("STATUS=standing by: the pipeline is run by ecom ")
    })
    .await;

    first.signal(Signal::TERM);
    eventually("STOPPING", async || manager.hears("STOPPING=1")).await;
    first.succeed().await;
    eventually("the other takes over", async || {
        other.hears("STATUS=loading files as they arrive")
    })
    .await;

    // A process that hangs feeds nobody.
    second.signal(Signal::STOP);
    eventually("it has stopped", async || second.is_stopped()).await;
    other.hears("");
    other.heard.clear();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(!other.hears("WATCHDOG=1"), "{:?}", other.heard);
    second.signal(Signal::CONT);
    eventually("and goes on", async || other.hears("WATCHDOG=1")).await;
}

#[test]
#[ignore = "needs systemd-analyze; `.ci/run` installs it and runs this by `cargo test -p ecom-ingest --test outside -- --ignored`"]
fn the_systemd_unit_is_valid() {
    let unit = format!("{}/systemd/ecom-ingest.service", env!("CARGO_MANIFEST_DIR"));
    // It names a program and a user that a machine of tests need not have.
    let text = fs::read_to_string(&unit).unwrap();
    let text = text.replace("/usr/local/bin/ecom-ingest", env!("CARGO_BIN_EXE_ecom-ingest"));
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("ecom-ingest.service");
    fs::write(&copy, text).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .output()
        .expect("systemd-analyze is in Debian's package systemd");
    let said = String::from_utf8([verified.stdout, verified.stderr].concat()).unwrap();
    let of_ours: Vec<&str> = said.lines().filter(|line| line.contains("ecom-ingest")).collect();
    assert!(verified.status.success() && of_ours.is_empty(), "{said}");
}
