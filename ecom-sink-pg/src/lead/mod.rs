//! Leader election: one instance leads a pipeline and reads its ledger, and the others stand by.
//!
//! Two things make an instance the leader. An *advisory lock* of PostgreSQL keeps the others
//! waiting; the server frees it when the session ends. A *fence* and a *holder* in
//! `ecom.ingest_pipeline` are written by each new leader; every commit checks them. The lock alone
//! would not be enough, since a leader that was cut off from the server may not know that it has
//! lost the lock. The row alone would let two instances disturb each other all the time. The fence
//! is a number that rises. A server that goes back in time gives the same fence twice, so the holder
//! is random.
//!
//! ```text
//! claim ──► lock free?  no ──► stand by, poll ──┐
//!              │ yes          (--take-over: raise the fence, terminate the holder)
//!              ▼                                 │
//!           raise the fence, write the holder ◄──┘
//!              ▼
//!           Leader: reads the ledger, checks its row every second
//!              ▼
//!           each commit: UPDATE … WHERE fence = mine AND holder_id = mine AND epoch = expected
//!              ▼
//!           the row differs ──► step down: run again and stand by; after --take-over, end
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `claim` | makes this instance the leader |
//! | `lock` | the advisory lock, and who holds it |
//! | `leader` | the session that leads, and what became of an unanswered COMMIT |
//! | `step_down` | why an instance stops leading, by the row of the pipeline |
//! | `acknowledged` | the commits that were seen, to notice when the server loses them |
//! | `lost_commits` | finds those that the server has lost, and reports them |
//! | `ledger` | the [`Ledger`](ecom_stream::Ledger) that sources and operators read |
//! | `split_ids` | assigns numbers to splits |
//! | `ownership` | refuses directories that another pipeline empties, or to which it archives |
//! | `instance_state` | the state of this instance, for health checks |

mod acknowledged;
mod claim;
mod instance_state;
mod leader;
mod ledger;
mod lock;
mod lost_commits;
mod ownership;
mod split_ids;
mod step_down;

pub(crate) use claim::{Claim, ClaimOptions, claim};
pub(crate) use instance_state::InstanceStateSender;
pub use instance_state::{InstanceState, InstanceStateReceiver};
pub(crate) use leader::{CommitOutcome, Leader};
pub(crate) use ledger::PgLedger;
pub(crate) use lock::holder;
pub(crate) use split_ids::{SplitIds, is_ended};
pub(crate) use step_down::Token;
