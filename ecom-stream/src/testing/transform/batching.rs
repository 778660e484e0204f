//! The checks that a transform keeps everything but the records, and splits no batch.

use std::collections::HashMap;
use std::fmt::{Debug, Display};

use crate::contract::{Batch, Origin, Reject};
use crate::testing::law::Law;
use crate::testing::run_output::{RunOutput, difference_in_any_order};
use crate::testing::script::{OPERATOR, Script};

/// Checks that positions, state, counts and rejects of the input come out. Records are not compared, since a transform changes them.
pub(super) fn check_kept<In: Clone, Out: PartialEq + Debug>(
    seen: &RunOutput<Out>,
    script: &Script<In>,
    one_to_one: bool,
    at: &dyn Display,
) {
    let end = script.len();
    let tally = script.tally(0..end);
    let positions: Vec<_> = seen.positions().cloned().collect();
    Law::KEEPS.holds(positions == script.positions(end), at, || {
        format!("the positions {positions:?} where {:?} came in", script.positions(end))
    });
    let state = Script::<In>::state(end).value;
    Law::KEEPS.holds(seen.state_of(OPERATOR) == state.as_deref().as_slice(), at, || {
        "an operator upstream changed its state, and the change is gone".into()
    });
    let (read, filtered) = seen.totals();
    Law::KEEPS.holds(read == end as u64 && filtered >= tally.filtered, at, || {
        format!(
            "{read} read and {filtered} filtered, where {end} and {} came in",
            tally.filtered
        )
    });

    let scripted = |reject: &&Reject| reject.refusal.reason.as_str() == "scripted";
    let rejects: Vec<_> = seen.rejects().iter().filter(scripted).cloned().collect();
    if let Some(difference) = difference_in_any_order("rejects", &rejects, script.rejects()) {
        Law::REJECTS.broken(at, difference);
    }
    if one_to_one {
        let fates = seen.records() + seen.rejects().len() as u64 + filtered;
        Law::BALANCE.holds(fates == read, at, || {
            format!("{read} read, {fates} records, rejects and filtered")
        });
    }
}

/// Checks that everything of one batch of the input leaves in one batch of the output.
pub(super) fn check_whole_batches<In: Clone, Out>(batches: &[Batch<Out>], script: &Script<In>, at: &dyn Display) {
    let batch_of = script.batch_of(0);
    let mut left_in: HashMap<usize, usize> = HashMap::new();
    for (number, batch) in batches.iter().enumerate() {
        let entry_at = |origin: &Origin| script.entry_at(origin);
        let of_records = batch.records.iter().filter_map(|record| record.origin.as_ref());
        let of_rejects = batch.rejects.iter().filter_map(|reject| reject.origin.as_ref());
        let by_origin = of_records.chain(of_rejects).filter_map(entry_at);
        for entry in by_origin.chain(script.entry_of_state(&batch.state)) {
            let came_in = batch_of[entry];
            let before = *left_in.entry(came_in).or_insert(number);
            Law::WHOLE_BATCHES.holds(before == number, at, || {
                let (came_in, before, number) = (came_in + 1, before + 1, number + 1);
                format!("batch {came_in} of the input left in the batches {before} and {number}")
            });
        }
    }
}
