//! Progress as JSON, with the field names of Spark.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use uuid::Uuid;

use super::progress::Progress;
use crate::contract::Counts;
use crate::event::id_of_text;

/// Formats [`Progress`] as JSON, with the field names of Spark's `StreamingQueryProgress`, for tools that read those.
///
/// Each object covers all commits since the object before, so that the sum of `numInputRows` is the number of records that
/// were read, even if a receiver misses some commits. Fields of Spark without an equivalent are left out.
///
/// | field | here |
/// |---|---|
/// | `id`, `name` | identify the pipeline: the same in every run |
/// | `runId` | identifies this run |
/// | `batchId` | the number of the last epoch |
/// | `timestamp` | when the last epoch was committed |
/// | `numInputRows` | the number of records that were read since the object before |
/// | `inputRowsPerSecond` | that number per second since the object before |
/// | `processedRowsPerSecond` | records of the last epoch per second of its stages |
/// | `durationMs` | the stages of the last epoch, and their sum as `triggerExecution` |
/// | `eventTime` | `max` and `min` of the event times of the last epoch |
/// | `sources` | the positions of the last epoch: `endOffset` by split |
/// | `sink` | `numOutputRows` and `description` |
///
/// ```
/// # use ecom_stream::{QueryProgress, SourceExt, memory::{MemorySink, MemorySource}};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let pipeline = MemorySource::new("numbers", vec![1, 2, 3]).to(MemorySink::new("doc"));
/// let mut progress = pipeline.subscribe();
/// let mut query = QueryProgress::new("doc", "numbers", "memory");
/// pipeline.run().await?;
/// let json = query.of(&progress.next().await.unwrap());
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
    reported: Counts,
    reported_at: Instant,
}

impl QueryProgress {
    /// The progress of a run that begins now, of the pipeline with that name. `source` and `sink` are their descriptions in the
    /// JSON.
    pub fn new(pipeline: &str, source: impl Into<String>, sink: impl Into<String>) -> Self {
        Self {
            id: id_of_text(pipeline),
            run_id: id_of_text(&format!("{pipeline} {:032x}", rand::random::<u128>())),
            name: pipeline.to_owned(),
            source: source.into(),
            sink: sink.into(),
            reported: Counts::default(),
            reported_at: Instant::now(),
        }
    }

    /// The JSON object for everything since the last call. Pass each progress that a receiver gets.
    pub fn of(&mut self, progress: &Arc<Progress>) -> Value {
        let now = Instant::now();
        let rows = progress.counts.read - self.reported.read;
        let stored = progress.counts.stored - self.reported.stored;
        let since = (now - self.reported_at).as_secs_f64();
        (self.reported, self.reported_at) = (progress.counts, now);
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
