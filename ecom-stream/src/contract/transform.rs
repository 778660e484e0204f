//! Transforms: operators that turn one stream of batches into another.

use super::batch::BatchStream;
use super::ledger::Checkpoint;
use super::topology::Topology;

/// Turns a stream of batches into another one.
///
/// Every transform keeps these laws:
/// - A position leaves with or after every record up to it.
/// - A state change leaves with the position that made it.
/// - Batches may be merged, never split.
/// - Every record that comes in goes out, is rejected, or is counted as filtered.
/// - The result does not depend on how the input was cut into batches.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take records of type `{In}`",
    label = "not a transform of `{In}`",
    note = "a closure that is passed to an operator must take a record by value or by reference, as that operator's documentation says"
)]
pub trait Transform<In: Send + 'static>: Send {
    /// The type of the records that come out.
    type Out: Send + 'static;

    /// Adds the operator to `topology`, if it keeps state.
    fn describe(&self, _topology: &mut Topology) {}

    /// Turns `input` into the stream of results, starting with the operator's state in `from`.
    fn apply(self, input: impl BatchStream<In> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out>;
}
