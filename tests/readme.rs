//! The program in README.md compiles and runs in a crate outside the workspace, as a user would have it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use ecom_sink_pg::server::PrivateServer;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The block of Rust code in README.md that has a `main`.
fn program() -> String {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let blocks = readme
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks
        .into_iter()
        .find(|block| block.contains("fn main"))
        .expect("README.md has no block of Rust code with a main")
        .to_owned()
}

#[tokio::test]
async fn the_program_in_the_readme_runs_in_a_crate_of_its_own() {
    let server = PrivateServer::builder().temporary().setting("fsync", "off").start();
    let server = server.await.expect("the tests need PostgreSQL's server programs");
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| home.path().join(path);
    fs::create_dir_all(at("src")).unwrap();
    fs::create_dir_all(at("data")).unwrap();
    fs::write(at("src/main.rs"), program()).unwrap();
    let manifest = format!(
        "[package]\nname = \"shop\"\nedition = \"2024\"\n\n[dependencies]\necom-stream = {{ path = \"{ROOT}/ecom-stream\" }}\n\
         ecom-sink-pg = {{ path = \"{ROOT}/ecom-sink-pg\" }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n"
    );
    fs::write(at("Cargo.toml"), manifest).unwrap();
    // The same versions as in the workspace, so that compiled dependencies are reused.
    fs::copy(Path::new(ROOT).join("Cargo.lock"), at("Cargo.lock")).unwrap();
    fs::write(
        at("data/events.csv"),
        "event_time,event_type,user_id,session_id,product_id,price\n2026-11-01T12:00:00Z,purchase,u1,s1,p1,9.90\n",
    )
    .unwrap();

    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| Path::new(ROOT).join("target").into());
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet"]).current_dir(home.path());
    cargo.env("CARGO_TARGET_DIR", target).env("DATABASE_URL", server.url());
    let output = tokio::task::spawn_blocking(move || cargo.output().unwrap())
        .await
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{err}");
    assert_eq!(out.trim(), "1 events stored");
}
