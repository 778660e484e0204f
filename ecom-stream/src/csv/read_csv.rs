//! `read_csv`: reads one CSV text from start to end.

use async_stream::try_stream;
use futures::Stream;
use tokio::io::AsyncRead;

use super::{Columns, CsvLimits, CsvReader, CsvRecord, Dialect, End, HeaderStep, Step};
use crate::contract::{Batch, Error, ErrorKind, Refusal, Result, Split};

/// Reads one CSV text, header first, with all the checks that a file in a directory gets. Records that can't be used are among the
/// rejects. `split` is the name that records and errors have for the text.
///
/// ```
/// # use ecom_stream::{Columns, Split, read_csv};
/// # use futures::TryStreamExt;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let text = b"id,name\n1,lamp\n2\n".as_slice();
/// let batches: Vec<_> = read_csv(text, Split::new("csv", "lamps"), Columns::any()).try_collect().await?;
/// assert_eq!(batches[0].records[0].value.get("name"), Some("lamp"));
/// assert_eq!(batches[0].rejects[0].refusal.reason.as_str(), "field_count");
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Source`] when the input can't be read, when its header can't be used, or when it is damaged so that nothing after
/// the damage can be trusted. The batches before the error are good.
pub fn read_csv(
    input: impl AsyncRead + Unpin + Send,
    split: Split,
    columns: Columns,
) -> impl Stream<Item = Result<Batch<CsvRecord>>> + Send {
    try_stream! {
        let unreadable = |err| Error::new(ErrorKind::Source, format!("can't read {}", split.path())).caused_by(err);
        let opened = CsvReader::open(input, split.clone(), CsvLimits::default(), Dialect::default(), &columns).await;
        let (mut reader, header) = opened.map_err(unreadable)?;
        reader.expect_utf8();
        match header {
            HeaderStep::Empty => return,
            HeaderStep::Found { check: Ok(_), .. } => {}
            HeaderStep::Found { check: Err(refusal), .. } => Err(damaged(&split, 0, &refusal))?,
        }
        loop {
            let mut step = reader.step().await.map_err(unreadable)?;
            let end = step.end.take();
            yield batch(&split, step);
            let end = match end {
                None => continue,
                Some(End::Tail) => {
                    let mut tail = reader.take_tail();
                    let end = tail.end.take();
                    yield batch(&split, tail);
                    end
                }
                Some(end) => Some(end),
            };
            if let Some(End::Damaged(refusal)) = end {
                Err(damaged(&split, reader.offset(), &refusal))?;
            }
            return;
        }
    }
}

/// The batch of a step: its records and rejects, counted, without a position.
fn batch(split: &Split, step: Step) -> Batch<CsvRecord> {
    let mut batch = Batch {
        bytes: step.bytes,
        ..Batch::default()
    };
    let read = step.records.len() + step.rejects.len();
    if read > 0 {
        batch.count_of(split).read = read as u64;
    }
    batch.records = step.records;
    batch.rejects = step.rejects;
    batch
}

/// The error for input that can't be read further than `offset`.
fn damaged(split: &Split, offset: u64, refusal: &Refusal) -> Error {
    Error::new(ErrorKind::Source, format!("can't read further: {refusal}")).at(split, offset)
}
