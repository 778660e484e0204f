//! Where the data may be.

use std::fs;

use super::*;

async fn works_twice(home: &Path) -> PrivateServer {
    let server = quick(PrivateServer::builder().persistent(home)).await;
    let sql = "CREATE TABLE kept AS SELECT 1";
    client(server.url()).await.batch_execute(sql).await.unwrap();
    server.stop(Shutdown::Fast).await.unwrap();
    drop(server);
    let server = quick(PrivateServer::builder().persistent(home)).await;
    let rows = count(server.url(), "SELECT count(*) FROM kept").await;
    assert_eq!(rows, 1);
    server
}

#[tokio::test]
async fn persistent_data_survive_and_fit_their_version_only() {
    let dir = open_dir();
    let home = dir.path().join("target/pipeline");
    let server = works_twice(&home).await;
    assert_eq!(server.data_dir(), home.join("data"));
    assert_eq!(server.socket, home.join("socket"));
    assert_eq!(server.log_file(), home.join("server.log"));
    assert!(server.log_file().is_file());
    server.stop(Shutdown::Fast).await.unwrap();

    fs::write(home.join("data/PG_VERSION"), "8\n").unwrap();
    let again = PrivateServer::builder().persistent(&home).start();
    let error = again.await.unwrap_err();
    assert_eq!(error.kind(), ServerErrorKind::VersionMismatch);
    assert!(error.to_string().contains("postgresql-8"), "{error}");
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let dir = open_dir();
    let home = dir.path().join("long-".repeat(24));
    let server = works_twice(&home).await;
    assert_eq!(server.data_dir(), home.join("data"));
    let socket = server.socket.clone();
    assert!(socket.is_dir());
    server.stop(Shutdown::Fast).await.unwrap();
    drop(server);
    eventually("the socket's directory is removed", || !socket.exists()).await;
    assert!(home.join("data/PG_VERSION").is_file());
}

#[tokio::test]
async fn odd_characters_in_the_path_are_kept() {
    let dir = open_dir();
    for name in ["it's \"odd\" $HOME; 100%", "one,two"] {
        let home = dir.path().join(name);
        let server = works_twice(&home).await;
        assert_eq!(server.data_dir(), home.join("data"));
        server.stop(Shutdown::Fast).await.unwrap();
    }
}

#[tokio::test]
async fn a_directory_that_the_server_cannot_enter_is_replaced() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = open_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let home = dir.path().join("target/pipeline");
    let server = works_twice(&home).await;
    assert!(!server.data_dir().starts_with(dir.path()));
    assert!(!home.exists());
    server.stop(Shutdown::Fast).await.unwrap();
    let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    fs::remove_dir_all(server.data_dir().parent().unwrap()).unwrap();
}

#[tokio::test]
async fn an_incomplete_cluster_is_refused() {
    let dir = open_dir();
    let home = dir.path().join("home");

    // An initdb that leaves things lying about and fails.
    let programs = dir.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let postgres = shared().await.binaries.program("postgres");
    std::os::unix::fs::symlink(postgres, programs.join("postgres")).unwrap();
    let script = "#!/bin/sh\nfor last; do :; done\n\
        echo 15 >\"$last/PG_VERSION\"; echo half-made >&2; exit 3\n";
    fs::write(programs.join("initdb"), script).unwrap();
    fs::set_permissions(programs.join("initdb"), Permissions::from_mode(0o755)).unwrap();

    let half = PrivateServer::builder().persistent(&home).binaries(programs);
    let error = half.start().await.unwrap_err();
    assert_eq!(error.kind(), ServerErrorKind::Failed);
    assert!(error.to_string().contains("half-made"), "{error}");
    assert!(!home.join("data").exists());

    // One that the machine's end left behind.
    fs::create_dir(home.join("data.new-left")).unwrap();
    fs::write(home.join("data.new-left/PG_VERSION"), "15\n").unwrap();
    let server = works_twice(&home).await;
    server.stop(Shutdown::Fast).await.unwrap();
}
