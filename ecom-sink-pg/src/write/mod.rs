//! Writing epochs: each in a transaction of its own, in parallel, committed in order.

mod bisect;
mod duplicates;
mod epochs;
mod order;
mod session;
mod statements;
mod writer;

pub(crate) use epochs::commit;
pub(crate) use statements::ENSURE_PARTITIONS;
