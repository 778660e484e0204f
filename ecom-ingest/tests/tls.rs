//! Encrypted connections: each `sslmode` does what it promises, with a real server that has a CA of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ecom_sink_pg::PgSink;
use ecom_stream::memory::MemorySource;
use ecom_stream::{Error, ErrorKind, Event, SourceExt};
use fixture::program::{Ingest, command};
use fixture::tls::{NAME, PASSWORD, TlsServer, address_of, encoded, listening, tls_server};
use fixture::{connect, drop_in, eventually};
use rustix::process::Signal;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::OnceCell;
use tokio_postgres::config::Host;
use tokio_rustls::TlsAcceptor;

async fn server() -> &'static TlsServer {
    static SERVER: OnceCell<TlsServer> = OnceCell::const_new();
    SERVER.get_or_init(tls_server).await
}

/// Runs a pipeline without events into the database of that URL, as a pipeline of its own. What is wrong for good must not
/// be waited for.
async fn run(url: &str) -> Result<(), Error> {
    let sink = PgSink::from_url(url)?
        .pipeline(format!("{:x}", fastrand::u64(..)))
        .wait_for_server(Duration::from_secs(3_600));
    let source = MemorySource::<Event>::new("none", Vec::new());
    source.to(sink).run().await.map(drop)
}

/// Such a run is refused; the message with causes and hint.
async fn refused(url: &str) -> String {
    let err = run(url).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration, "{}", err.report());
    assert!(!err.report().contains(PASSWORD), "{}", err.report());
    err.report()
}

#[tokio::test]
async fn verify_full_takes_the_right_ca_and_name_alone() {
    let server = server().await;
    run(&server.url_with("shop", NAME, "verify-full", "ca.pem"))
        .await
        .unwrap();

    let report = refused(&server.url_with("shop", "other.shop.test", "verify-full", "ca.pem")).await;
    assert!(
        report.contains("other.shop.test") && report.contains("verify-ca"),
        "{report}"
    );
    let report = refused(&server.url_with("shop", NAME, "verify-full", "other_ca.pem")).await;
    assert!(report.contains(NAME) && report.contains("sslrootcert"), "{report}");
    // The CAs of the system don't know ours.
    refused(&server.url("shop", NAME, "sslrootcert=system")).await;
    refused(&server.url("shop", NAME, "sslmode=verify-full")).await;
}

#[tokio::test]
async fn verify_ca_checks_only_the_ca_and_require_checks_nothing() {
    let server = server().await;
    run(&server.url_with("shop", "other.shop.test", "verify-ca", "ca.pem"))
        .await
        .unwrap();
    refused(&server.url_with("shop", NAME, "verify-ca", "other_ca.pem")).await;

    run(&server.url("shop", "other.shop.test", "sslmode=require"))
        .await
        .unwrap();
    // A CA that is named is asked, as in libpq.
    run(&server.url_with("shop", "other.shop.test", "require", "ca.pem"))
        .await
        .unwrap();
    refused(&server.url_with("shop", NAME, "require", "other_ca.pem")).await;
    refused(&server.url_with("shop", NAME, "prefer", "other_ca.pem")).await;
}

#[tokio::test]
async fn prefer_and_allow_take_what_the_server_lets_in() {
    let server = server().await;
    for role in ["shop", "plain"] {
        for mode in ["prefer", "allow"] {
            run(&server.url(role, NAME, &format!("sslmode={mode}"))).await.unwrap();
        }
        // What is said of a server on this machine where nothing is said.
        run(&server.url(role, NAME, "")).await.unwrap();
    }
    let report = refused(&server.url("shop", NAME, "sslmode=disable")).await;
    // The second is the wording of PostgreSQL 13.
    assert!(
        report.contains("no encryption") || report.contains("SSL off"),
        "{report}"
    );
    refused(&server.url("plain", NAME, "sslmode=require")).await;
}

#[tokio::test]
async fn the_password_is_bound_to_the_encrypted_channel() {
    let server = server().await;
    run(&server.url("shop", NAME, "sslmode=require&channel_binding=require"))
        .await
        .unwrap();
    refused(&server.url("plain", NAME, "sslmode=disable&channel_binding=require")).await;
}

#[tokio::test]
async fn a_client_certificate_takes_the_place_of_a_password() {
    let server = server().await;
    let url = server.url_with("certified", NAME, "verify-full", "ca.pem");
    let (certificate, key) = (server.file("client.pem"), server.file("client.key"));
    let with =
        |certificate: &Path, key: &Path| format!("{url}&sslcert={}&sslkey={}", encoded(certificate), encoded(key));
    run(&with(&certificate, &key)).await.unwrap();
    refused(&url).await;
    let report = refused(&with(&certificate, &server.file("none.key"))).await;
    assert!(report.contains("none.key"), "{report}");
    refused(&with(&key, &certificate)).await;
}

#[tokio::test]
async fn a_server_without_tls_is_refused_unless_that_is_asked_for() {
    let server = listening().await;
    let address = address_of(&server).await;
    let url = |mode: &str| format!("postgresql://postgres@{NAME}/postgres?hostaddr={address}&{mode}");
    for mode in ["sslmode=require", "sslmode=verify-full", "sslrootcert=system"] {
        let report = refused(&url(mode)).await;
        assert!(report.contains("sslmode=disable"), "{report}");
    }
    for mode in ["", "sslmode=disable", "sslmode=allow", "sslmode=prefer"] {
        run(&url(mode)).await.unwrap();
    }
    // Nothing is encrypted in a socket of this machine, nor need it be.
    run(&format!("{}&sslmode=verify-full", server.url())).await.unwrap();
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused() {
    let server = server().await;
    for more in [
        "sslmode=canary",
        "sslmode=require&sslrootcert=system",
        "sslmode=prefer&sslnegotiation=direct",
        "sslmode=verify-ca&sslrootcert=/nonexistent",
        "sslmode=require&sslcert=/nonexistent",
        "target_session_attrs=read-only",
        "gssencmode=require",
        "port=1,2,3",
        "port=65536",
    ] {
        let report = refused(&server.url("shop", NAME, more)).await;
        assert!(!report.contains("canary"), "{report}");
    }
}

/// As in front of many managed databases: TLS ends before the server, which is chosen by the name that the client tells.
#[tokio::test]
async fn direct_tls_sends_the_server_name_and_the_protocol() {
    let server = server().await;
    let chain = CertificateDer::pem_file_iter(server.server.data_dir().join("chain.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(server.server.data_dir().join("chain.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let plain: tokio_postgres::Config = server.server.url().parse().unwrap();
    let Host::Unix(socket) = plain.get_hosts()[0].clone() else {
        panic!("a private server has a socket")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let front = tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let mut client = acceptor.accept(client).await.unwrap();
            let told = client.get_ref().1;
            assert_eq!(told.alpn_protocol(), Some(&b"postgresql"[..]));
            assert_eq!(told.server_name(), Some(NAME));
            let mut server = UnixStream::connect(socket.join(".s.PGSQL.5432")).await.unwrap();
            // It ends with the client.
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let url = server
        .url_with("shop", NAME, "verify-full", "ca.pem")
        .replace(&server.address, "127.0.0.1");
    run(&format!("{url}&port={port}&sslnegotiation=direct")).await.unwrap();
    assert!(!front.is_finished());
}

#[tokio::test]
async fn the_first_host_that_works_is_taken() {
    let server = server().await;
    let nobody = server.address.rsplit_once('.').unwrap().0.to_owned() + ".255";
    let (address, ca) = (&server.address, encoded(&server.file("ca.pem")));
    let url = |hosts: &str, addresses: &str| {
        format!(
            "postgresql://shop@{hosts}/shop?hostaddr={addresses}&sslmode=verify-full&sslrootcert={ca}&password=let%20me%20in"
        )
    };
    run(&url(&format!("a,b,{NAME}"), &format!("{nobody},{address},{address}")))
        .await
        .unwrap();
    refused(&url("a,b", &format!("{nobody},{address}"))).await;
}

#[tokio::test]
async fn the_whole_program_runs_encrypted_from_the_environment_alone() {
    let server = server().await;
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    let ingest = Ingest::spawn(
        command(&input, &["--pipeline", "environment"])
            .envs([("PGHOST", NAME), ("PGHOSTADDR", &server.address), ("PGPORT", "5432")])
            .envs([("PGUSER", "shop"), ("PGPASSWORD", PASSWORD), ("PGDATABASE", "shop")])
            .envs([("PGSSLMODE", "verify-full"), ("PGOPTIONS", "-c work_mem=5MB")])
            .env("PGSSLROOTCERT", server.file("ca.pem")),
    );
    let admin = connect(&server.server.url().replace("/postgres?", "/shop?")).await;
    eventually("every row", async || {
        let stored =
            "SELECT count(*) FROM ecom.events JOIN ecom.ingest_split USING (split_id) WHERE pipeline = 'environment'";
        admin
            .query_one(stored, &[])
            .await
            .is_ok_and(|row| row.get::<_, i64>(0) == 100)
    })
    .await;
    let sessions = "SELECT count(*), bool_and(ssl) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
                    WHERE application_name LIKE 'ecom % environment'";
    let row = admin.query_one(sessions, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) >= 2 && row.get::<_, bool>(1));
    ingest.signal(Signal::TERM);
    ingest.succeed().await;
}
