//! Progress under the names that users of Spark know.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use uuid::Uuid;

use super::progress::Progress;
use crate::contract::Counts;
use crate::event::id_of_text;

/// Tells progress as JSON, with the field names of Spark's `StreamingQueryProgress`.
///
/// An object stands for all commits since the last one that was made, so that `numInputRows` adds up to the records that were
/// read, whichever commits a receiver misses. What there is no equivalent of is left out.
///
/// | field | here |
/// |---|---|
/// | `id`, `name` | of the pipeline: the same in every run |
/// | `runId` | of this run |
/// | `batchId` | the number of the last epoch |
/// | `timestamp` | when it was committed |
/// | `numInputRows` | records that were read |
/// | `inputRowsPerSecond` | these, since the last object |
/// | `processedRowsPerSecond` | these, in the time that reading and writing were not idle |
/// | `durationMs` | the stages of the last epoch, and their sum as `triggerExecution` |
/// | `eventTime` | `max` and `min` of the last epoch |
/// | `sources` | the positions of the last epoch: `endOffset` by split |
/// | `sink` | `numOutputRows` and `description` |
///
/// ```
/// # use ecom_stream::{QueryProgress, SourceExt, memory::{MemorySink, MemorySource}};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let pipeline = MemorySource::new("numbers", vec![1, 2, 3]).to(MemorySink::new("doc"));
/// let mut progress = pipeline.subscribe();
/// let mut told = QueryProgress::new("doc", "numbers", "memory");
/// pipeline.run().await?;
/// let json = told.of(&progress.next().await.unwrap());
/// assert_eq!((json["numInputRows"].as_u64(), json["sink"]["numOutputRows"].as_u64()), (Some(3), Some(3)));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct QueryProgress {
    id: Uuid,
    run_id: Uuid,
    name: String,
    source: String,
    sink: String,
    told: Counts,
    told_at: Instant,
}

impl QueryProgress {
    /// For a run that begins, of the pipeline of that name; `source` and `sink` describe them.
    pub fn new(pipeline: &str, source: impl Into<String>, sink: impl Into<String>) -> Self {
        Self {
            id: id_of_text(pipeline),
            run_id: id_of_text(&format!("{pipeline} {:032x}", rand::random::<u128>())),
            name: pipeline.to_owned(),
            source: source.into(),
            sink: sink.into(),
            told: Counts::default(),
            told_at: Instant::now(),
        }
    }

    /// What happened since the last call.
    pub fn of(&mut self, progress: &Arc<Progress>) -> Value {
        let now = Instant::now();
        let rows = progress.counts.read - self.told.read;
        let stored = progress.counts.stored - self.told.stored;
        let since = (now - self.told_at).as_secs_f64();
        (self.told, self.told_at) = (progress.counts, now);
        let commit = &progress.commit;
        let busy = commit.stages.sum().as_secs_f64();
        let per_second = |rows: u64, time: f64| if time > 0.0 { rows as f64 / time } else { 0.0 };
        let stages = commit.stages.iter();
        let mut duration: Map<String, Value> = stages
            .map(|(stage, time)| (stage.to_owned(), json!(time.as_millis() as u64)))
            .collect();
        duration.insert("triggerExecution".into(), json!(commit.stages.sum().as_millis() as u64));
        let text = |time: OffsetDateTime| time.format(&Rfc3339).ok();
        let mut event_time = Map::new();
        for (name, time) in [("max", commit.times.newest_event), ("min", commit.times.oldest_event)] {
            if let Some(time) = time.and_then(text) {
                event_time.insert(name.into(), json!(time));
            }
        }
        let offsets: Map<String, Value> = commit
            .positions
            .iter()
            .map(|position| (position.split.path().to_owned(), json!(position.offset)))
            .collect();
        let (input, processed) = (per_second(rows, since), per_second(commit.counts.read, busy));
        json!({
            "id": self.id.to_string(),
            "runId": self.run_id.to_string(),
            "name": self.name,
            "timestamp": text(progress.committed_at),
            "batchId": commit.epoch,
            "numInputRows": rows,
            "inputRowsPerSecond": input,
            "processedRowsPerSecond": processed,
            "durationMs": duration,
            "eventTime": event_time,
            "stateOperators": [],
            "sources": [{
                "description": self.source,
                "endOffset": offsets,
                "numInputRows": rows,
                "inputRowsPerSecond": input,
                "processedRowsPerSecond": processed,
            }],
            "sink": {"description": self.sink, "numOutputRows": stored},
        })
    }
}
