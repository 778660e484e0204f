//! The contract between sources, transforms and sinks: the three traits, and the types in their signatures.
//!
//! ```text
//!              Checkpoint                     Checkpoint
//!                  │                              │
//!  Source::open ───┴─► stream of Batch ── Transform::apply ─► stream of Batch ─► Sink::commit ─► stream of Commit
//!       ▲                                                                                              │
//!       └─────────────────────── Committed::committed (for example: archive the file) ◄────────────────┘
//! ```
//!
//! A `Batch` carries records, rejects, state changes and positions. A `Sink` commits it as a whole, so the `Ledger` that it hands
//! out at the next start is always consistent with the stored records.

mod batch;
mod directory_identity;
mod either;
mod error;
mod ledger;
mod origin;
mod reason;
mod refusal;
mod reject;
mod sink;
mod source;
mod split;
mod stage_durations;
mod times;
mod topology;
mod transform;

pub use batch::{Batch, BatchStream, Record, SplitCount, StateChange};
pub use directory_identity::DirectoryIdentity;
#[cfg(feature = "csv-dir")]
pub(crate) use directory_identity::{DirectoryPart, Inode, Place};
pub use either::Either;
pub use error::{Error, ErrorKind, Result};
pub(crate) use ledger::RunLedger;
pub use ledger::{
    Checkpoint, EmptyLedger, Ledger, MAX_FINISHED_CANDIDATES, MAX_UNFINISHED_CANDIDATES, SplitCandidates,
};
pub use origin::Origin;
pub use reason::Reason;
pub use refusal::Refusal;
pub use reject::Reject;
pub use sink::{Commit, Counts, Sink};
pub use source::{Committed, Source};
pub use split::{Mark, Position, Split, SplitState};
pub use stage_durations::StageDurations;
pub use times::Times;
pub use topology::{SourceInfo, Topology};
pub use transform::Transform;
