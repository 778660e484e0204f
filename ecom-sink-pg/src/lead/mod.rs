//! Leader election: one instance leads a pipeline and reads its ledger, and the others stand by.
//!
//! Two things make an instance the leader. An *advisory lock* of PostgreSQL keeps the others
//! waiting; the server frees it when the session ends. A *fence*, a number in
//! `ecom.ingest_pipeline`, is raised by each new leader; every commit checks it. The lock alone
//! would not be enough, since a leader that was cut off from the server may not know that it has
//! lost the lock. The fence alone would let two instances disturb each other all the time.
//!
//! ```text
//! claim ──► lock free?  no ──► stand by, poll ──┐
//!              │ yes          (--take-over: raise the fence, terminate the holder)
//!              ▼                                 │
//!           raise the fence ◄────────────────────┘
//!              ▼
//!           Leader: reads the ledger, checks the fence every second
//!              ▼
//!           each commit: UPDATE … WHERE fence = mine AND epoch = expected
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `claim` | makes this instance the leader |
//! | `lock` | the advisory lock, and who holds it |
//! | `leader` | the session that leads, and what became of an unanswered COMMIT |
//! | `ledger` | the [`Ledger`](ecom_stream::Ledger) that sources and operators read |
//! | `split_ids` | assigns numbers to splits |
//! | `ownership` | refuses directories that another pipeline empties |
//! | `instance_state` | the state of this instance, for health checks |

mod claim;
mod instance_state;
mod leader;
mod ledger;
mod lock;
mod ownership;
mod split_ids;

pub(crate) use claim::{Claim, ClaimOptions, claim};
pub(crate) use instance_state::InstanceStateSender;
pub use instance_state::{InstanceState, InstanceStateReceiver};
pub(crate) use leader::{CommitOutcome, Leader};
pub(crate) use ledger::PgLedger;
pub(crate) use lock::holder;
pub(crate) use split_ids::{SplitIds, is_ended};
