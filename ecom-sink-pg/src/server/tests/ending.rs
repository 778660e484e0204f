//! The server ends with its owner.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

use super::*;

const HOME: &str = "PRIVATE_SERVER_TEST_HOME";

/// What the test below runs as a process of its own, to kill it.
#[tokio::test]
#[ignore = "the owner process of other tests"]
async fn owner() {
    let Some(home) = env::var_os(HOME) else {
        return;
    };
    let mut builder = PrivateServer::builder();
    if !home.is_empty() {
        builder = builder.persistent(home);
    }
    let server = quick(builder).await;
    // Were the pipe open in this one too, it would keep the server.
    let mut other = Command::new("sleep");
    let mut other = other.arg("1000").stdout(Stdio::null()).spawn().unwrap();
    let pid = server.postmaster_pid().await.unwrap();
    let data = server.data_dir().display();
    println!("\nowner\t{pid}\t{}\t{}\t{data}", other.id(), server.url());
    other.wait().unwrap();
}

struct Owner {
    process: Child,
    output: BufReader<ChildStdout>,
}

struct Owned {
    postmaster: u32,
    other: String,
    url: String,
    data: PathBuf,
}

impl Owner {
    fn spawn(home: &Path) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::owner")])
            .args(["--ignored", "--nocapture"])
            .env(HOME, home)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn server(&mut self) -> Owned {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            if self.output.read_line(&mut seen).unwrap() == 0 {
                panic!("the owner ended: {seen}");
            }
            let line: Vec<&str> = seen[start..].trim_end().split('\t').collect();
            if let ["owner", pid, other, url, data] = line[..] {
                return Owned {
                    postmaster: pid.parse().unwrap(),
                    other: other.into(),
                    url: url.into(),
                    data: data.into(),
                };
            }
        }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn kill(pid: &str) {
    let status = Command::new("kill").args(["-KILL", pid]).status();
    assert!(status.unwrap().success());
}

async fn all_ended(group: &str) {
    eventually("nothing of the server runs", || {
        processes(|_, found| found == group).is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_temporary_server_and_its_directory_go_with_a_killed_owner() {
    let mut owner = Owner::spawn(Path::new(""));
    let owned = owner.server();
    assert_eq!(count(&owned.url, "SELECT 1::bigint").await, 1);
    let group = group_of(owned.postmaster);
    // The postmaster and two shells.
    assert_eq!(processes(|_, found| found == group).len(), 3);
    owner.kill();
    all_ended(&group).await;
    let home = owned.data.parent().unwrap();
    eventually("the directory is removed", || !home.exists()).await;
    let other = processes(|found, _| found == owned.other);
    assert_eq!(other.len(), 1, "the other child should be there still");
    kill(&owned.other);
}

#[tokio::test]
async fn a_persistent_server_goes_and_can_be_started_at_once() {
    let dir = open_dir();
    let mut owner = Owner::spawn(dir.path());
    let owned = owner.server();
    let group = group_of(owned.postmaster);
    let session = client(&owned.url).await;
    session.batch_execute("CREATE TABLE kept AS SELECT 1").await.unwrap();
    owner.kill();
    kill(&owned.other);
    let server = quick(PrivateServer::builder().persistent(dir.path())).await;
    assert_eq!(server.url(), owned.url);
    assert_eq!(count(server.url(), "SELECT count(*) FROM kept").await, 1);
    assert_ne!(server.postmaster_pid().await.unwrap(), owned.postmaster);
    all_ended(&group).await;
    server.stop(Shutdown::Fast).await.unwrap();
}

#[tokio::test]
async fn an_owner_killed_during_initdb_leaves_nothing() {
    let dir = open_dir();
    let mut owner = Owner::spawn(dir.path());
    let new = || {
        let entries = fs::read_dir(dir.path()).unwrap().flatten();
        let mut names = entries.map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().starts_with("data.new-"))
    };
    eventually("initdb begins", new).await;
    owner.kill();
    let mut rest = String::new();
    owner.output.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("owner\t"), "was too late to kill: {rest}");
    eventually("initdb's directory is removed", || !new()).await;
    assert!(!dir.path().join("data").exists());
}

#[tokio::test]
async fn dropping_the_value_stops_the_server() {
    let server = quick(PrivateServer::builder().temporary()).await;
    let group = group_of(server.postmaster_pid().await.unwrap());
    let home = server.data_dir().parent().unwrap().to_owned();
    let session = client(server.url()).await;
    drop(server);
    all_ended(&group).await;
    eventually("the directory is removed", || !home.exists()).await;
    assert!(session.simple_query("SELECT 1").await.is_err());
}

#[tokio::test]
async fn a_stopped_temporary_server_leaves_no_directory() {
    let server = quick(PrivateServer::builder()).await;
    let home = server.data_dir().parent().unwrap().to_owned();
    server.stop(Shutdown::Immediate).await.unwrap();
    assert!(home.is_dir());
    drop(server);
    eventually("the directory is removed", || !home.exists()).await;
}

#[tokio::test]
async fn the_server_ends_with_its_owner_even_without_the_outer_shell() {
    let server = quick(PrivateServer::builder()).await;
    let group = group_of(server.postmaster_pid().await.unwrap());
    kill(&group);
    let home = server.data_dir().parent().unwrap().to_owned();
    drop(server);
    all_ended(&group).await;
    eventually("the directory is removed", || !home.exists()).await;
}

#[tokio::test]
async fn a_second_owner_is_told_who_uses_the_data() {
    let dir = open_dir();
    let server = quick(PrivateServer::builder().persistent(dir.path())).await;
    let pid = server.postmaster_pid().await.unwrap();
    let second = unhurried(PrivateServer::builder().persistent(dir.path()));
    let error = second.start().await.unwrap_err();
    assert_eq!(error.kind(), ServerErrorKind::InUse);
    let text = error.to_string();
    assert!(text.contains(&format!("process {pid}")), "{text}");
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    assert_eq!(server.postmaster_pid().await.unwrap(), pid);
    assert_eq!(count(server.url(), "SELECT 1::bigint").await, 1);
    server.stop(Shutdown::Fast).await.unwrap();
}
