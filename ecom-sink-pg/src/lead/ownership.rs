//! Checks that no pipeline takes files from under another one.
//!
//! A pipeline *owns* a directory when it archives or deletes the files there. If another pipeline
//! read the same files, it would miss those that are removed before it has read them. If another
//! pipeline read the archive, it would take committed files for new ones. Which directories have
//! files in common is decided by [`SourceInfo::overlaps`].

use ecom_stream::{DirectoryIdentity, Error, ErrorKind, Result, SourceInfo, Topology};
use tokio_postgres::Client;

use crate::failure::{Deadline, Failure};

/// Serializes pipelines that start at the same time, for the rest of the transaction.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(hashtextextended('ecom.ownership', 0))";

/// The sources of other pipelines: name, location, whether the pipeline owns that, and its directory.
const SOURCES_OF_OTHERS: &str = "
    SELECT p.pipeline, s.key, s.value, s.value = ANY (p.owns), (p.directories -> s.key)::text
    FROM ecom.ingest_pipeline p, jsonb_each_text(p.sources) s
    WHERE p.pipeline <> $1
    ORDER BY 1, 2";

/// The locations from which a pipeline removes files.
pub(crate) fn owned_locations(topology: &Topology) -> Vec<&str> {
    let owned = topology.sources().iter().filter(|source| source.is_owned);
    owned.map(|source| source.location.as_str()).collect()
}

/// What the ledger keeps of the directories of a pipeline: JSON by the name of the source.
pub(crate) fn directories(topology: &Topology) -> Result<(Vec<&str>, Vec<String>)> {
    let known = topology.sources().iter().filter(|source| source.directory.is_some());
    let of_source = |source: &SourceInfo| {
        serde_json::to_string(&(&source.directory, &source.archive)).map_err(|err| {
            let message = format!(
                "the directory of the source {:?} cannot be written as JSON",
                source.name
            );
            Error::new(ErrorKind::Sink, message).caused_by(err)
        })
    };
    let mut directories = (Vec::new(), Vec::new());
    for source in known {
        directories.0.push(source.name.as_str());
        directories.1.push(of_source(source)?);
    }
    Ok(directories)
}

/// Refuses to read where another pipeline owns files, to own files that another pipeline reads, and
/// to read the archive of another pipeline. Call it in the transaction that records what this
/// pipeline owns.
///
/// # Errors
///
/// The inner error is `Configuration`, for the user. The outer one is a failure of the query.
pub(crate) async fn check_ownership(
    client: &Client,
    deadline: Deadline,
    pipeline: &str,
    topology: &Topology,
) -> Result<Result<()>, Failure> {
    deadline
        .of("claiming the pipeline", client.batch_execute(ONE_AT_A_TIME))
        .await?;
    let others = deadline
        .of("claiming the pipeline", client.query(SOURCES_OF_OTHERS, &[&pipeline]))
        .await?;
    for row in others {
        let other: &str = row.get(0);
        let theirs = stored_source(row.get(1), row.get(2), row.get(3), row.get(4));
        for ours in topology.sources() {
            if let Some(message) = conflict((pipeline, ours), (other, &theirs)) {
                return Ok(Err(Error::new(ErrorKind::Configuration, message).hint(
                    "give each pipeline input and archive directories of its own, none inside another that is read \
                     with --recursive, or run without --archive and --delete; if the other pipeline no longer \
                     exists: UPDATE ecom.ingest_pipeline SET sources = '{}', owns = '{}' WHERE pipeline = its name",
                )));
            }
        }
    }
    Ok(Ok(()))
}

/// A source as the ledger knows it. Its directory is not known if it was written by an earlier
/// version, or if the location was changed by hand since.
fn stored_source(name: &str, location: &str, is_owned: bool, directories: Option<&str>) -> SourceInfo {
    let mut source = SourceInfo::new(name, location);
    source.is_owned = is_owned;
    type Stored = (DirectoryIdentity, Option<DirectoryIdentity>);
    if let Some((directory, archive)) = directories.and_then(|json| serde_json::from_str::<Stored>(json).ok())
        && directory.is_at(location)
    {
        (source.directory, source.archive) = (Some(directory), archive);
    }
    source
}

/// What is wrong between a source of this pipeline and one of another, if anything.
fn conflict((pipeline, ours): (&str, &SourceInfo), (other, theirs): (&str, &SourceInfo)) -> Option<String> {
    let (our_place, their_place) = (place(ours), place(theirs));
    if (ours.is_owned || theirs.is_owned) && ours.overlaps(theirs) {
        let alias = alias(ours.directory.as_ref(), theirs.directory.as_ref());
        return Some(match theirs.is_owned {
            true => format!(
                "pipeline {other:?} archives or deletes the files in {their_place}, so pipeline {pipeline:?} may not \
                 read {our_place}{alias}"
            ),
            false => format!(
                "pipeline {other:?} also reads {their_place}, so pipeline {pipeline:?} may not archive or delete the \
                 files in {our_place}{alias}"
            ),
        });
    }
    if let (true, Some(archive)) = (theirs.is_owned && theirs.archives_into(ours), &theirs.archive) {
        let alias = alias(Some(archive), ours.directory.as_ref());
        return Some(format!(
            "pipeline {other:?} archives files to {}, so pipeline {pipeline:?} may not read {our_place}{alias}: it \
             would take them for new files",
            archive.path()
        ));
    }
    if let (true, Some(archive)) = (ours.is_owned && ours.archives_into(theirs), &ours.archive) {
        let alias = alias(Some(archive), theirs.directory.as_ref());
        return Some(format!(
            "pipeline {other:?} reads {their_place}, so pipeline {pipeline:?} may not archive files to {}{alias}: the \
             other would take them for new files",
            archive.path()
        ));
    }
    None
}

/// Where a source reads, for a message.
fn place(source: &SourceInfo) -> String {
    let is_recursive = source.directory.as_ref().is_some_and(DirectoryIdentity::is_recursive);
    match is_recursive {
        true => format!("{} and its subdirectories", source.location),
        false => source.location.clone(),
    }
}

/// For a message: why two directories have files in common, where their paths do not show it.
fn alias(one: Option<&DirectoryIdentity>, other: Option<&DirectoryIdentity>) -> &'static str {
    match (one, other) {
        (Some(one), Some(other)) if !one.overlaps_by_path(other) => {
            " (both have the same files, under two names: a directory was mounted at another place, or renamed)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_an_earlier_version_is_compared_by_its_location() {
        for stored in [None, Some("null"), Some("{}"), Some("[]")] {
            let theirs = stored_source("csv", "/data", true, stored);
            let conflict = |location: &str| conflict(("a", &SourceInfo::new("csv", location)), ("b", &theirs));
            assert!(
                conflict("/data")
                    .unwrap()
                    .contains("pipeline \"b\" archives or deletes")
            );
            assert_eq!(conflict("/data/sub"), None);
        }
    }
}
