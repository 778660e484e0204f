//! Using a server: its URL, its databases, stopping and starting it.

use std::collections::HashSet;

use super::*;

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn the_url_and_the_shell_line_work_in_psql() {
    let server = shared().await;
    let line = server.psql_command();
    assert!(line.contains(server.url()));
    let query = "select 'it ' || 'works'";
    for line in [
        format!("{line} -Atc \"{query}\""),
        format!("psql '{}' -Atc \"{query}\"", server.url()),
    ] {
        // A port of the environment must not matter.
        let output = Command::new("/bin/sh").args(["-c", &line]).env("PGPORT", "1").output();
        let output = output.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "it works\n", "{output:?}");
    }
}

#[tokio::test]
async fn the_url_works_in_tokio_postgres() {
    let server = shared().await;
    let client = client(server.url()).await;
    let row = client.query_one("SHOW server_version", &[]).await.unwrap();
    assert!(row.get::<_, &str>(0).starts_with(server.version()));
    for (setting, value) in [("fsync", "off"), ("listen_addresses", ""), ("server_encoding", "UTF8")] {
        let row = client.query_one(&format!("SHOW {setting}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), value, "{setting}");
    }
}

#[tokio::test]
async fn many_callers_create_databases_at_once() {
    let server = shared().await;
    let tasks: Vec<_> = (0..24)
        .map(|n| tokio::spawn(server.create_database(["a", "B'", "c\"/é"][n % 3].repeat(n / 3 + 1).leak())))
        .collect();
    let mut names = HashSet::new();
    for task in tasks {
        let url = task.await.unwrap().unwrap();
        let client = client(&url).await;
        client.batch_execute("CREATE TABLE mine ()").await.unwrap();
        let row = client.query_one("SELECT current_database()::text", &[]);
        names.insert(row.await.unwrap().get::<_, String>(0));
    }
    assert_eq!(names.len(), 24);
    assert!(names.contains("c\"/éc\"/é"));
}

#[tokio::test]
async fn a_name_that_is_taken_or_impossible_is_refused() {
    let server = shared().await;
    server.create_database("taken").await.unwrap();
    for name in ["taken", "", "a\0b", &"x".repeat(64)] {
        let error = server.create_database(name).await.unwrap_err();
        assert_eq!(error.kind(), ServerErrorKind::Database, "{name:?}");
    }
}

#[tokio::test]
async fn data_survive_every_kind_of_stop() {
    let server = quick(PrivateServer::builder()).await;
    let url = server.url().to_owned();
    let sql = "CREATE TABLE kept AS SELECT 1";
    client(&url).await.batch_execute(sql).await.unwrap();
    for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill] {
        let pid = server.postmaster_pid().await.unwrap();
        server.stop(how).await.unwrap();
        assert!(processes(|found, _| found == pid.to_string()).is_empty());
        for error in [
            server.postmaster_pid().await.unwrap_err(),
            server.create_database("none").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ServerErrorKind::NotRunning, "{how:?}");
        }
        server.stop(how).await.unwrap();
        server.start().await.unwrap();
        server.start().await.unwrap();
        assert_eq!(server.url(), url);
        assert_ne!(server.postmaster_pid().await.unwrap(), pid);
        assert_eq!(count(&url, "SELECT count(*) FROM kept").await, 1);
    }
}

#[tokio::test]
async fn a_crash_is_noticed_and_start_comes_back_from_it() {
    let server = quick(PrivateServer::builder()).await;
    let pid = server.postmaster_pid().await.unwrap();
    let group = group_of(pid);
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
    eventually("the watchdog ends with the server", || {
        processes(|_, found| found == group).is_empty()
    })
    .await;
    let error = server.postmaster_pid().await.unwrap_err();
    assert_eq!(error.kind(), ServerErrorKind::NotRunning);
    server.restart(Shutdown::Fast).await.unwrap();
    assert_ne!(server.postmaster_pid().await.unwrap(), pid);
    assert_eq!(count(server.url(), "SELECT 1::bigint").await, 1);
}

#[tokio::test]
async fn a_failed_start_shows_the_end_of_the_log() {
    let builder = PrivateServer::builder().setting("shared_buffers", "nonsense");
    let error = unhurried(builder).start().await.unwrap_err();
    assert_eq!(error.kind(), ServerErrorKind::Failed);
    let text = error.to_string();
    assert!(text.contains("nonsense"), "{text}");
}
