//! [`Stamp`]: sets the processing time of each event.

use futures::TryStreamExt;
use time::OffsetDateTime;

use crate::contract::{BatchStream, Checkpoint, Transform};
use crate::event::{Event, to_microseconds};

/// Sets the processing time of each event; see [`SourceExt::stamp`](crate::SourceExt::stamp).
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
    /// Takes the time from `clock`, once for each batch, and rounds it down to microseconds.
    ///
    /// ```
    /// use ecom_stream::memory::{MemorySink, MemorySource};
    /// use ecom_stream::operators::Stamp;
    /// use ecom_stream::time::macros::datetime;
    /// use ecom_stream::{Event, EventType, SourceExt, uuid::Uuid};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
    /// let noon = datetime!(2026-11-01 12:00 UTC);
    /// let event = Event::new(Uuid::nil(), noon, EventType::View, "user", "session", "product");
    /// let sink = MemorySink::new("doc");
    /// MemorySource::new("events", vec![event]).via(Stamp::new(move || noon)).to(sink.clone()).run().await?;
    /// assert_eq!(sink.values()[0].processed_at, Some(noon));
    /// # Ok(()) }
    /// ```
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
