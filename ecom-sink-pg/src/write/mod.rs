//! Writing epochs: each in a transaction of its own, in parallel, committed in order.

mod bisect;
mod commit_loop;
mod commit_order;
mod duplicates;
mod session;
mod statements;
mod writer;

pub(crate) use commit_loop::commit;
pub(crate) use statements::ENSURE_PARTITIONS;
