//! The operators that [`SourceExt`](crate::SourceExt) gives to every source, one a file.

pub mod aggregate;
mod beside;
mod event_time;
mod filter;
mod flat_map;
mod inspect;
mod join;
mod keyed;
mod map;
mod merge;
mod par_map;
mod source_ext;
mod split_by;
mod stamp;
mod state;
mod then;
mod try_map;
mod validate;
mod window;

pub use beside::{Beside, Branch};
pub use event_time::{EventTime, LateBeside, LatePolicy, RejectLate, Timed, Timestamp, WithLate};
pub use filter::Filter;
pub use flat_map::FlatMap;
pub use inspect::Inspect;
pub use join::{IntervalJoin, Joined, LookupJoin};
pub use keyed::{Deduplicate, KeyBy, KeyedWindows, Scan};
pub use map::Map;
pub use merge::Merge;
pub use par_map::ParMap;
pub use source_ext::SourceExt;
pub use split_by::SplitBy;
pub use stamp::Stamp;
pub use then::Then;
pub use try_map::TryMap;
pub use validate::Validate;
pub use window::{Firing, Window, WindowAggregate, Windowed, Windows};
