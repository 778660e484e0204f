//! Leading a pipeline: one instance claims it and answers from its ledger, others stand by.

mod claim;
mod leader;
mod ledger;
mod lock;
mod ownership;
mod split_ids;
mod standing;

pub(crate) use claim::{Claim, Terms, claim};
pub(crate) use leader::{Leader, Outcome};
pub(crate) use ledger::PgLedger;
pub(crate) use lock::holder;
pub(crate) use split_ids::{SplitIds, is_over};
pub(crate) use standing::Teller;
pub use standing::{Standing, StandingReceiver};
