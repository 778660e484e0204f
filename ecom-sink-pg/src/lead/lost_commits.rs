//! Looks for commits that the server has lost, and reports what is missing until it is loaded
//! again.

use tokio_postgres::Client;

use super::acknowledged::{CommittedSplit, in_words, lost_splits};
use super::instance_state::{InstanceStateSender, PUT_BACK};
use crate::failure::{Deadline, Failure};

/// Looks up in the ledger what earlier runs of this instance have committed, and reports what is
/// missing there. Call it at the start of a run.
pub(crate) async fn find(
    client: &Client,
    deadline: Deadline,
    pipeline: &str,
    state_sender: &InstanceStateSender,
) -> Result<(), Failure> {
    let doubted = state_sender.doubted();
    if doubted.is_empty() {
        return Ok(());
    }
    let lost = lost_splits(client, deadline, pipeline, &doubted).await?;
    if !lost.is_empty() {
        tracing::error!(
            "the server has lost commits of pipeline {pipeline:?}, as after a restore or a fail-over to a replica that \
             lagged behind: missing from the tables are {}: {PUT_BACK}",
            in_words(&lost)
        );
    }
    state_sender.looked_up(lost);
    Ok(())
}

/// Looks whether what was lost is there again.
pub(crate) async fn check_again(
    client: &Client,
    deadline: Deadline,
    pipeline: &str,
    state_sender: &InstanceStateSender,
) -> Result<(), Failure> {
    let lost = state_sender.lost();
    if lost.is_empty() {
        return Ok(());
    }
    let committed: Vec<CommittedSplit> = lost.into_iter().map(|lost| lost.committed).collect();
    let lost = lost_splits(client, deadline, pipeline, &committed).await?;
    match lost.is_empty() {
        true => tracing::info!("what the server had lost is in the tables again"),
        false => tracing::debug!("still missing from the tables: {}", in_words(&lost)),
    }
    state_sender.set_lost(lost);
    Ok(())
}

/// The last epoch that an instance has seen while it stood by. It has made none of these commits,
/// but it may be the only one left that knows of them.
#[derive(Debug, Default)]
pub(crate) struct SeenEpoch(i64);

impl SeenEpoch {
    /// Reports an epoch of the ledger that is lower than before, and remembers it.
    pub(crate) fn see(&mut self, pipeline: &str, epoch: i64) {
        let before = std::mem::replace(&mut self.0, epoch);
        if epoch < before {
            tracing::error!(
                "the server has lost commits of pipeline {pipeline:?}, as after a restore or a fail-over to a replica \
                 that lagged behind: its ledger was at epoch {before}, and is at epoch {epoch}: {PUT_BACK}"
            );
        }
    }
}
