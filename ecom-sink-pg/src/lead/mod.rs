//! Leader election: one instance leads a pipeline and reads its ledger, and the others stand by.

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
