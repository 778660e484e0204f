//! The operators that [`SourceExt`](crate::SourceExt) gives to every source, one a file.

mod beside;
mod filter;
mod flat_map;
mod inspect;
mod map;
mod merge;
mod par_map;
mod split_by;
mod stamp;
mod then;
mod try_map;
mod validate;

pub use crate::event_time::{EventTime, LateBeside, LatePolicy, RejectLate, WithLate};
pub use crate::join::{IntervalJoin, Joined, LookupJoin};
pub use crate::keyed::{Deduplicate, KeyBy, KeyedWindows, Scan};
pub use crate::window::{Firing, Window, WindowAggregate, Windowed, Windows};
pub use beside::{Beside, Branch};
pub use filter::Filter;
pub use flat_map::FlatMap;
pub use inspect::Inspect;
pub use map::Map;
pub use merge::Merge;
pub use par_map::ParMap;
pub use split_by::SplitBy;
pub use stamp::Stamp;
pub use then::Then;
pub use try_map::TryMap;
pub use validate::Validate;
