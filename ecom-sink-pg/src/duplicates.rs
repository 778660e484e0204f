//! Rows that the table has already, found by their keys before the copy.

use futures::future::join;
use tokio_postgres::Client;

use crate::epoch::{Epoch, Fate};
use crate::failure::{Deadline, Failure};
use crate::in_flight::Key;

/// One look into the key's index for each key, whatever the statistics say. The default plan hashes whole partitions, at a
/// fifth of the speed; and where the statistics are of a time when the partition was small, the server compares each key
/// with each row that it finds, until the deadline. LIMIT keeps it from turning the look-up round. The range lets it pass
/// partitions over.
const PLAN: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off";
const LOOK_UP: &str = "
    SELECT k.row::int8
    FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS k (event_id, event_time, row), LATERAL (
        SELECT FROM ecom.events e
        WHERE e.event_id = k.event_id AND e.event_time = k.event_time AND e.event_time BETWEEN $3 AND $4
        LIMIT 1
    ) found";

/// Leaves out of the copy what the table has already, and says how many rows that were. Within the transaction that will
/// copy: what another one adds meanwhile is found by the next try.
pub(crate) async fn look_up(client: &Client, epoch: &mut Epoch, deadline: Deadline) -> Result<u64, Failure> {
    let (rows, keys) = epoch.open_keys();
    let times = keys.iter().map(Key::time);
    let (Some(first), Some(last)) = (times.clone().min(), times.clone().max()) else {
        return Ok(0);
    };
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let times: Vec<_> = times.collect();
    // Sent together: the server has the plan's settings before it makes the plan.
    let (set, hits) = join(
        deadline.of("looking keys up", client.batch_execute(PLAN)),
        deadline.of("looking keys up", client.query(LOOK_UP, &[&ids, &times, &first, &last])),
    )
    .await;
    set?;
    let hits = hits?;
    for hit in &hits {
        let ordinal: i64 = hit.get(0);
        if let Some(&row) = rows.get(ordinal as usize - 1) {
            epoch.leave_out(row, Fate::Duplicate);
        }
    }
    Ok(hits.len() as u64)
}
