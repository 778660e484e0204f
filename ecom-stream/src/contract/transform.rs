//! Transforms: what turns a stream of batches into another.

use super::batch::BatchStream;
use super::ledger::Checkpoint;
use super::topology::Topology;

/// Turns a stream of batches into another.
///
/// Laws, which every transform keeps:
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
    /// What comes out.
    type Out: Send + 'static;

    /// Adds the operator to the parts of a pipeline, if it keeps state.
    fn describe(&self, _topology: &mut Topology) {}

    /// Turns `input` into a stream that goes on from the operator's state in `from`.
    fn apply(self, input: impl BatchStream<In> + 'static, from: Checkpoint) -> impl BatchStream<Self::Out>;
}
