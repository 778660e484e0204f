//! Finds events that are in the table already, by their keys, before the copy.

use postgres_types::ToSql;
use tokio_postgres::Client;

use crate::epoch::{Epoch, EventKey, LeftOut};
use crate::failure::{Deadline, Failure};

/// Looks up each key in the index, by the settings of the session. LIMIT keeps the server from
/// turning the join around. The range of times lets it skip partitions.
const LOOK_UP: &str = "
    SELECT k.row::int8
    FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS k (event_id, event_time, row), LATERAL (
        SELECT FROM ecom.events e
        WHERE e.event_id = k.event_id AND e.event_time = k.event_time AND e.event_time BETWEEN $3 AND $4
        LIMIT 1
    ) found";

/// Leaves the rows out of the copy that the table has already, and returns how many they are.
/// Call it within the transaction that will copy: rows that another pipeline adds meanwhile are
/// found by the next try.
pub(crate) async fn look_up(client: &Client, epoch: &mut Epoch, deadline: Deadline) -> Result<u64, Failure> {
    let (rows, keys) = epoch.open_keys();
    let times = keys.iter().map(EventKey::time);
    let (Some(first), Some(last)) = (times.clone().min(), times.clone().max()) else {
        return Ok(0);
    };
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let times: Vec<_> = times.collect();
    let params: [&(dyn ToSql + Sync); 4] = [&ids, &times, &first, &last];
    let hits = client.query(LOOK_UP, &params);
    let hits = deadline.of("looking up keys", hits).await?;
    for hit in &hits {
        let ordinal: i64 = hit.get(0);
        if let Some(&row) = rows.get(ordinal as usize - 1) {
            epoch.leave_out(row, LeftOut::Duplicate);
        }
    }
    Ok(hits.len() as u64)
}
