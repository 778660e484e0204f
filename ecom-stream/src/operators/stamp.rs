use futures::TryStreamExt;
use time::OffsetDateTime;

use crate::contract::{BatchStream, Checkpoint, Transform};
use crate::event::{Event, to_microseconds};

/// Puts the processing time on each event; see [`SourceExt::stamp`](crate::SourceExt::stamp).
#[derive(Debug, Clone)]
pub struct Stamp<C = fn() -> OffsetDateTime> {
    clock: C,
}

impl Default for Stamp {
    fn default() -> Self {
        Self::new(OffsetDateTime::now_utc)
    }
}

impl<C> Stamp<C> {
    /// Takes the time from `clock`, once a batch.
    pub fn new(clock: C) -> Self {
        Self { clock }
    }
}

impl<C> Transform<Event> for Stamp<C>
where
    C: FnMut() -> OffsetDateTime + Send,
{
    type Out = Event;

    fn apply(mut self, input: impl BatchStream<Event> + 'static, _: Checkpoint) -> impl BatchStream<Event> {
        input.map_ok(move |mut batch| {
            let now = to_microseconds((self.clock)());
            for record in &mut batch.records {
                record.value.processed_at = Some(now);
            }
            batch
        })
    }
}
