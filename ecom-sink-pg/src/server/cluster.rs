//! A cluster: what `initdb` makes of a data directory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::binaries::Binaries;
use super::connection::SUPERUSER;
use super::error::{Problem, ServerError};
use super::watchdog::{Signal, SpawnContext, Watchdog};

/// The major version of the cluster in `data`; `None` when there is none.
pub(super) fn made_by(data: &Path) -> Result<Option<String>, ServerError> {
    let missing = match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(version) if data.join("global/pg_control").is_file() => {
            return Ok(Some(version.trim().to_owned()));
        }
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_dir(data) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(ServerError::directory(data)(error)),
        },
        Err(error) => {
            return Err(match fs::metadata(data) {
                Ok(found) if error.kind() == ErrorKind::PermissionDenied => Problem::Foreign {
                    path: data.to_owned(),
                    owner: found.uid(),
                }
                .into(),
                _ => ServerError::directory(data)(error),
            });
        }
    };
    if missing {
        return Ok(None);
    }
    Err(Problem::NotACluster { data: data.to_owned() }.into())
}

/// Creates a cluster in the empty directory `fresh` and then renames it to
/// `data`, so that a directory of that name is complete.
pub(super) async fn create(
    fresh: &Path,
    data: &Path,
    binaries: &Binaries,
    context: &SpawnContext,
    durable: bool,
    within: Duration,
) -> Result<(), ServerError> {
    let initdb = binaries.program("initdb");
    // Whoever gets to the socket may be anyone (trust): its directory, mode
    // 0700, lets in nobody but the server's user and root.
    let mut arguments: Vec<OsString> = vec![
        "--encoding=UTF8".into(),
        "--locale=C".into(),
        "--auth=trust".into(),
        format!("--username={SUPERUSER}").into(),
        "--pgdata".into(),
        fresh.into(),
    ];
    if !durable {
        arguments.push("--no-sync".into());
    }
    let start = context.log.end();
    let mut running = Watchdog::spawn(&initdb, &arguments, Signal::Terminate, context)?;
    let ended = running.wait(within).await;
    let tail = || context.log.tail(start);
    match ended.map_err(ServerError::process(&initdb))? {
        Some(status) if status.success() => {}
        Some(status) => {
            return Err(Problem::Ended {
                what: "initdb",
                status,
                log: context.log.path().to_owned(),
                tail: tail(),
            }
            .into());
        }
        None => {
            return Err(Problem::NotReady {
                what: "initdb",
                within,
                log: context.log.path().to_owned(),
                tail: tail(),
            }
            .into());
        }
    }
    match fs::rename(fresh, data) {
        // Another process has just created the cluster, which can be used as well.
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return Ok(()),
        Err(error) => return Err(ServerError::directory(data)(error)),
        Ok(()) => {}
    }
    if durable && let Some(home) = data.parent() {
        let synced = File::open(home).and_then(|home| home.sync_all());
        synced.map_err(ServerError::directory(home))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::error::ServerErrorKind;
    use super::*;

    #[test]
    fn only_a_whole_cluster_is_taken_for_one() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        assert_eq!(made_by(&data).unwrap(), None);
        fs::create_dir(&data).unwrap();
        assert_eq!(made_by(&data).unwrap(), None);
        fs::write(data.join("PG_VERSION"), "15\n").unwrap();
        let half = made_by(&data).unwrap_err();
        assert_eq!(half.kind(), ServerErrorKind::Directory);
        assert!(half.to_string().contains("no whole PostgreSQL cluster"));
        fs::create_dir(data.join("global")).unwrap();
        fs::write(data.join("global/pg_control"), "").unwrap();
        assert_eq!(made_by(&data).unwrap().as_deref(), Some("15"));
    }

    #[test]
    fn a_directory_of_something_else_is_refused() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("precious"), "").unwrap();
        let error = made_by(data.path()).unwrap_err();
        assert_eq!(error.kind(), ServerErrorKind::Directory);
    }
}
