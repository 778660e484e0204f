//! The progress of a run: lines in the log, a live line on a terminal, or JSON.
//!
//! [`show`](fn@show) picks the form. The receiver of a pipeline holds only the latest progress,
//! so none of the forms can slow the pipeline down, however slow its reader is.

mod live;
mod show;
mod total;
mod words;

pub use live::LiveLine;
pub(crate) use live::LogAboveProgress;
pub use show::{Form, show};
pub use total::{Total, bytes_to_read, count_csv_files};
pub use words::counts_in_words;
