//! Reaching a server: its URL, and short sessions of our own.

use std::env;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tokio_postgres::{Config, Error, NoTls, SimpleQueryMessage};

use super::binaries::Binaries;

pub(super) const SUPERUSER: &str = "postgres";

/// Only a part of the socket's name. The URL has it nevertheless, since PGPORT
/// would apply otherwise.
pub(super) const PORT: u16 = 5432;

/// The URL of `database` behind the socket in `socket`.
pub(super) fn url(socket: &Path, database: &str) -> String {
    let database = encoded(database.as_bytes());
    let host = encoded(socket.as_os_str().as_bytes());
    format!("postgresql://{SUPERUSER}@/{database}?host={host}&port={PORT}")
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// A shell line that opens `url`, which has no quotes in it.
pub(super) fn psql(url: &str, binaries: &Binaries) -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let beside = binaries.program("psql");
    // Programs that were fetched have no psql. Then it is named as one that is yet to be installed.
    let program = if env::split_paths(&path).any(|dir| dir.join("psql").is_file()) || !beside.is_file() {
        PathBuf::from("psql")
    } else {
        beside
    };
    let program = program.display().to_string();
    if program.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'') {
        format!("{program} '{url}'")
    } else {
        format!("'{}' '{url}'", program.replace('\'', r"'\''"))
    }
}

/// The first value that `sql` gives, from a session of its own.
pub(super) async fn value(socket: &Path, sql: &str) -> Result<Option<String>, Error> {
    let (client, connection) = Config::new()
        .host_path(socket)
        .port(PORT)
        .user(SUPERUSER)
        .dbname(SUPERUSER)
        .application_name("private-server")
        .connect(NoTls)
        .await?;
    let session = tokio::spawn(connection);
    let answer = client.simple_query(sql).await;
    drop(client);
    // An error of the session is one of the query too.
    let _ = session.await;
    Ok(answer?.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn the_url_keeps_any_path_and_database() {
        let socket = Path::new("/tmp/it's 100% \"ä\" & ?#/socket");
        let url = url(socket, "a b/ü'&c");
        let config: Config = url.parse().unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix(socket.to_owned())]);
        assert_eq!(config.get_dbname(), Some("a b/ü'&c"));
        assert_eq!(config.get_user(), Some("postgres"));
        assert_eq!(config.get_ports(), [PORT]);
        assert!(!url.contains(['\'', '"', ' ']));
    }
}
