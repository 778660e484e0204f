//! Writes epochs: each in a transaction of its own, in parallel, committed in order.
//!
//! ```text
//! commit_loop   fills an epoch, and hands it to an idle writer
//!     │
//! writer        tries the epoch until it is durable; decides what to do after each failure
//!     ├── commit_order   whose turn it is, and which epochs must roll back
//!     ├── bisect         finds rows that the server rejects
//!     ├── sessions       the connections that there are, lent to epochs in their order
//!     └── session        one connection: BEGIN, COPY, staging tables, ledger, COMMIT
//!             ├── statements   the SQL, and its parameters
//!             └── duplicates   looks up keys that are in the table already
//! ```
//!
//! The protocol of one epoch on its connection:
//!
//! 1. `BEGIN` and `COPY` of the rows; rows with a key go to staging tables.
//! 2. Dead letters are inserted.
//! 3. The writer waits until all older epochs are committed.
//! 4. Staging tables are merged into the user's tables.
//! 5. Operator state and positions are written, the row of the pipeline is advanced under the
//!    fence, and `COMMIT` is sent, all in one round trip.
//!
//! A failure at any step rolls all of it back, and the epoch is tried again with the rows that it
//! has kept.

mod bisect;
mod commit_loop;
mod commit_order;
mod duplicates;
mod session;
mod sessions;
mod statements;
mod writer;

pub(crate) use commit_loop::commit;
pub(crate) use statements::ENSURE_PARTITIONS;
