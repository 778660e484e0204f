//! The check that a source acts after commits, and not before.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::pin::pin;

use futures::StreamExt;

use crate::contract::{Commit, Committed, Position, Source, Split, SplitState};
use crate::testing::law::Law;
use crate::testing::ledger::TestLedger;

/// Reads everything without a commit, and then reports the commits to the ack one by one. `acted_on` says whether the source has
/// done what it does after the commit of a position. `positions` are those at the end of a complete run.
pub(super) async fn check_ack<S: Source>(
    source: S,
    until_idle: bool,
    positions: &[Position],
    acted_on: &dyn Fn(&Position) -> bool,
) {
    let (stream, mut ack) = source.open(TestLedger::new().checkpoint());
    tell(&mut ack, &commit(0, others(positions)), &"told of another source").await;
    let early = |position: &Position, law: Law, at: &dyn Display| {
        law.holds(!acted_on(position), at, || format!("{position:?} was acted on"));
    };
    for position in positions {
        early(
            position,
            Law::ACK_OTHERS,
            &"told of another source that has splits of the same paths",
        );
    }

    let mut batches = Vec::new();
    let mut stream = pin!(stream);
    while let Some(batch) = stream.next().await {
        let Ok(batch) = batch else { break };
        if until_idle && batch.is_empty() {
            break;
        }
        batches.push(batch.positions);
        for position in batches.iter().flatten() {
            early(position, Law::ACK_EARLY, &"before any commit");
        }
    }

    let mut last: BTreeMap<Split, Position> = BTreeMap::new();
    for (epoch, told) in (1_u64..).zip(&batches) {
        tell(
            &mut ack,
            &commit(epoch, told.clone()),
            &format!("told of epoch {epoch}"),
        )
        .await;
        last.extend(told.iter().map(|position| (position.split.clone(), position.clone())));
        for position in batches[epoch as usize..].iter().flatten() {
            if last.get(&position.split) != Some(position) {
                early(position, Law::ACK_EARLY, &format!("committed up to epoch {epoch}"));
            }
        }
    }

    // If splits end, the source may act only on their last positions.
    let any_finished = last.values().any(|position| position.state == SplitState::Finished);
    let done = last
        .values()
        .filter(|position| !any_finished || position.state == SplitState::Finished);
    let done: Vec<&Position> = done.collect();
    for again in ["told of everything", "told of everything again"] {
        for position in &done {
            let law = if again.ends_with("again") {
                Law::ACK_AGAIN
            } else {
                Law::ACK_ACTS
            };
            law.holds(acted_on(position), &again, || {
                format!("nothing was done about {position:?}")
            });
        }
        for (epoch, told) in (1..).zip(&batches) {
            if let Err(err) = ack.committed(&commit(epoch, told.clone())).await {
                Law::ACK_AGAIN.broken(&format!("told of epoch {epoch} again"), err.report());
            }
        }
    }
}

async fn tell(ack: &mut impl Committed, commit: &Commit, at: &dyn Display) {
    if let Err(err) = ack.committed(commit).await {
        Law::ACK_ACTS.broken(at, err.report());
    }
}

fn commit(epoch: u64, positions: Vec<Position>) -> Commit {
    let mut commit = Commit::new(epoch);
    commit.positions = positions;
    commit
}

/// The same positions, of a source with another name.
fn others(positions: &[Position]) -> Vec<Position> {
    let of_another = |position: &Position| {
        let split = &position.split;
        let name = format!("not {}", split.source());
        Position {
            split: Split::with_generation(name, split.path(), split.generation()),
            ..position.clone()
        }
    };
    positions.iter().map(of_another).collect()
}
