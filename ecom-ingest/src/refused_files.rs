//! Files of which every record is rejected, and the most frequent reasons: what a run warns of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ecom_stream::{Batch, Counts, Reason, Reject, Split, SplitState};

use crate::format::{count, on_one_line};

/// Watches the batches of a run behind its rules, and warns of each file of which every record is rejected.
///
/// So many files in a row cannot flood the log: after the third one, only the 10th, the 100th and so on are told.
///
/// # Examples
///
/// ```
/// use ecom_ingest::RefusedFiles;
/// use ecom_stream::memory::MemorySink;
/// use ecom_stream::{CsvDirSource, Rules, SourceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// std::fs::write(dir.path().join("a.csv"), "event_time,event_type,user_id,session_id,product_id\nnoon,view,u,s,p\n")?;
/// let refused = RefusedFiles::new(|path| format!("ecom-ingest infer data/{path}"));
/// let source = CsvDirSource::new(dir.path()).available_now(true).validate(Rules::default());
/// let summary = source.inspect(refused.watch()).to(MemorySink::new("doc")).run().await?;
/// assert_eq!(
///     refused.most_are_rejected(&summary.counts).unwrap(),
///     "1 of 1 records read were rejected, 1 of them for event_time_malformed, such as record 1 of a.csv: found \"noon\"",
/// );
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RefusedFiles {
    watched: Arc<Mutex<Watched>>,
    advice: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// A file that goes on and on is told of after this many records.
const TOLD_AFTER: u64 = 10_000;
/// This many files may be open at the same time. If they are more, the oldest knowledge is dropped.
const MAX_FILES: usize = 4_096;
/// A run has at most this many kinds of reasons; sinks and operators of the user's own may add some.
const MAX_REASONS: usize = 256;

#[derive(Default)]
struct Watched {
    files: HashMap<Split, Tally>,
    reasons: Reasons,
    /// How many files in a row had nothing but rejects.
    refused_in_a_row: u64,
}

/// What became of the records of a file so far.
#[derive(Default)]
struct Tally {
    read: u64,
    filtered: u64,
    rejected: u64,
    /// Whether an earlier run has read a part of it.
    is_part: bool,
    is_told: bool,
    reasons: Reasons,
}

/// How often each reason came, with an example.
#[derive(Default)]
struct Reasons(Vec<(Reason, u64, String)>);

impl Reasons {
    fn add(&mut self, reject: &Reject) {
        let reason = &reject.refusal.reason;
        if let Some((_, times, _)) = self.0.iter_mut().find(|(known, ..)| known == reason) {
            *times += 1;
        } else if self.0.len() < MAX_REASONS {
            let place = reject.origin.as_ref().map_or_else(String::new, |origin| {
                format!("record {} of {}: ", origin.record, on_one_line(origin.split.path()))
            });
            let example = format!("{place}{}", on_one_line(&reject.refusal.detail));
            self.0.push((reason.clone(), 1, example));
        }
    }

    /// The most frequent reason in words.
    fn in_words(&self) -> Option<String> {
        // Of equally frequent ones, the first.
        let (reason, times, example) = self.0.iter().rev().max_by_key(|(_, times, _)| *times)?;
        Some(format!("{} of them for {reason}, such as {example}", count(*times)))
    }
}

impl Tally {
    fn is_refused(&self) -> bool {
        !self.is_part && self.rejected > 0 && self.rejected + self.filtered == self.read
    }
}

impl RefusedFiles {
    /// Nothing is known yet. `advice` says for the path of a file what to do about it, in the words of a log.
    pub fn new(advice: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self {
            watched: Arc::default(),
            advice: Arc::new(advice),
        }
    }

    /// A closure for [`inspect`](ecom_stream::SourceExt::inspect), for one run of the pipeline. It takes time for rejects only.
    pub fn watch<T>(&self) -> impl FnMut(&Batch<T>) + Send + Clone + use<T> {
        // What an interrupted run had read is read again.
        self.watched().files.clear();
        let this = self.clone();
        move |batch| this.add(batch)
    }

    /// The most frequent reason of rejects in words, if at least half of the records that were read are rejected.
    #[must_use]
    pub fn most_are_rejected(&self, counts: &Counts) -> Option<String> {
        let Counts { read, rejected, .. } = counts;
        let reasons = self.watched().reasons.in_words();
        let reasons = reasons.map_or_else(String::new, |reasons| format!(", {reasons}"));
        let are_most = *rejected > 0 && rejected * 2 >= *read;
        are_most.then(|| {
            format!(
                "{} of {} records read were rejected{reasons}",
                count(*rejected),
                count(*read)
            )
        })
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        // The numbers are for messages: they are good enough even if a holder of the lock panicked.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add<T>(&self, batch: &Batch<T>) {
        let mut watched = self.watched();
        let Watched { files, reasons, .. } = &mut *watched;
        if files.len() > MAX_FILES {
            files.clear();
        }
        for counted in &batch.counts {
            let mut positions = batch.positions.iter();
            let position = positions.rfind(|position| position.split == counted.split);
            let tally = files.entry(counted.split.clone()).or_insert_with(|| Tally {
                is_part: position.is_none_or(|position| position.record != counted.read),
                ..Tally::default()
            });
            tally.read += counted.read;
            tally.filtered += counted.filtered;
        }
        for reject in &batch.rejects {
            reasons.add(reject);
            let split = reject.origin.as_ref().map(|origin| &origin.split);
            if let Some(tally) = split.and_then(|split| files.get_mut(split)) {
                tally.rejected += 1;
                tally.reasons.add(reject);
            }
        }
        for position in &batch.positions {
            let is_ended = position.state != SplitState::Open;
            self.tell(&mut watched, &position.split, is_ended);
        }
    }

    /// Warns of a file if it is time to.
    fn tell(&self, watched: &mut Watched, split: &Split, is_ended: bool) {
        let Some(tally) = watched.files.get_mut(split) else {
            return;
        };
        if !tally.is_refused() {
            if is_ended || tally.read >= TOLD_AFTER {
                watched.refused_in_a_row = 0;
            }
        } else if !tally.is_told && (is_ended || tally.rejected >= TOLD_AFTER) {
            tally.is_told = true;
            watched.refused_in_a_row += 1;
            let files = watched.refused_in_a_row;
            if files <= 3 || 10_u64.pow(files.ilog10()) == files {
                let records = match is_ended {
                    true => format!("all {} records", count(tally.rejected)),
                    false => format!("the first {} records", count(tally.rejected)),
                };
                let reasons = tally.reasons.in_words().unwrap_or_default();
                let others = match files {
                    1..=3 => String::new(),
                    files => format!("; it is the {}th such file in a row", count(files)),
                };
                let path = split.path();
                tracing::warn!(
                    "{}: {records} are rejected, {reasons}{others}: {}",
                    on_one_line(path),
                    (self.advice)(path)
                );
            }
        }
        if is_ended {
            watched.files.remove(split);
        }
    }
}

impl std::fmt::Debug for RefusedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefusedFiles").finish_non_exhaustive()
    }
}
