//! Tests with real servers; nothing here depends on how fast they are.

#[cfg(feature = "download")]
mod downloads;
mod ending;
mod paths;
mod using;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

use super::*;

const PATIENCE: Duration = Duration::from_secs(120);

/// One server for all tests of this binary, each of which has its own runtime.
async fn shared() -> &'static PrivateServer {
    static SERVER: OnceCell<PrivateServer> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async { quick(PrivateServer::builder()).await })
        .await
}

async fn quick(builder: Builder) -> PrivateServer {
    unhurried(builder).start().await.unwrap()
}

fn unhurried(builder: Builder) -> Builder {
    builder.setting("fsync", "off").start_timeout(PATIENCE)
}

/// A directory that the server's user can enter.
fn open_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("pg-test-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn count(url: &str, sql: &str) -> i64 {
    client(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

/// The processes that `ps` selects with `option`, but for zombies: it depends
/// on the machine's first process when those go.
fn processes(which: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let output = Command::new("ps")
        .args(["-eo", "pid=,pgid=,stat=,args="])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let chosen = text.lines().filter(|line| {
        let mut fields = line.split_whitespace();
        let (pid, group) = (fields.next().unwrap(), fields.next().unwrap());
        !fields.next().unwrap().starts_with('Z') && which(pid, group)
    });
    chosen.map(str::to_owned).collect()
}

/// The watchdog's group: its two shells, and the postmaster.
fn group_of(postmaster: u32) -> String {
    let pid = postmaster.to_string();
    let lines = processes(|found, _| found == pid);
    lines[0].split_whitespace().nth(1).unwrap().to_owned()
}

async fn eventually(what: &str, done: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < give_up, "still not: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}
