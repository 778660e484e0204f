//! The operators that [`SourceExt`](crate::SourceExt) gives to every source, one a file.

pub mod aggregate;
mod event_time;
mod filter;
mod flat_map;
mod inspect;
mod join;
mod keyed;
mod map;
mod merge;
mod par_map;
mod route;
mod source_ext;
mod stamp;
mod state;
mod try_map;
mod validate;
mod via;
mod window;
mod with_branch;

pub use event_time::{EmitLate, EventTime, LatePolicy, RejectLate, Timed, Timestamp, WithLate};
pub use filter::Filter;
pub use flat_map::FlatMap;
pub use inspect::Inspect;
pub use join::{IntervalJoin, Joined, LookupJoin};
pub use keyed::{Deduplicate, KeyBy, KeyedWindows, Scan};
pub use map::Map;
pub use merge::Merge;
pub use par_map::ParMap;
pub use route::Route;
pub use source_ext::SourceExt;
pub use stamp::Stamp;
pub use try_map::TryMap;
pub use validate::Validate;
pub use via::Via;
pub use window::{Firing, Window, WindowAggregate, Windowed, Windows};
pub use with_branch::{BranchSource, WithBranch};
