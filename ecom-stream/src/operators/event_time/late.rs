//! What happens to late records: [`RejectLate`] or [`EmitLate`].

use std::time::Duration;

use crate::contract::{Either, Origin, Reason, Refusal};
use crate::operators::event_time::{Timed, Timestamp};
use crate::operators::state::Output;

/// Rejects late records with the reason [`Reason::LATE`]. The sink stores them with the other rejects. This is the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct RejectLate;

/// Emits late records in the same stream as the results. Both come as [`WithLate`].
#[derive(Debug, Clone, Copy, Default)]
pub struct EmitLate;

/// What an operator with [`EmitLate`] emits: a result, or a record that came too late.
///
/// ```
/// use std::time::Duration;
/// use ecom_stream::memory::{MemorySink, MemorySource};
/// use ecom_stream::operators::Deduplicate;
/// use ecom_stream::{Either, SourceExt, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let sink = MemorySink::new("doc");
/// MemorySource::new("seconds", vec![10, 100, 20])
///     .event_time(|second: &i64| Timestamp::from_micros(second * 1_000_000), Duration::ZERO)
///     .via(Deduplicate::new(|second: &i64| *second, Duration::from_secs(30)).emit_late())
///     .map(|out| match out.into_either() {
///         Either::Left(timed) => (timed.value, "in time"),
///         Either::Right(second) => (second, "late"),
///     })
///     .to(sink.clone())
///     .run()
///     .await?;
/// assert_eq!(sink.values(), [(10, "in time"), (100, "in time"), (20, "late")]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithLate<R, T> {
    /// A result of the operator.
    Result(R),
    /// A record that came too late, as it came. It keeps its origin.
    Late(T),
}

impl<R, T> WithLate<R, T> {
    /// The result on the left, the late record on the right: for a `match` that has no third arm, and for a sink with a table
    /// for each.
    ///
    /// ```
    /// # use ecom_stream::{Either, operators::WithLate};
    /// assert_eq!(WithLate::<i64, _>::Late("o7").into_either(), Either::Right("o7"));
    /// ```
    pub fn into_either(self) -> Either<R, T> {
        match self {
            Self::Result(result) => Either::Left(result),
            Self::Late(record) => Either::Right(record),
        }
    }
}

/// What happens to late records: [`RejectLate`] or [`EmitLate`]. No other type can implement it.
pub trait LatePolicy<T>: sealed::Sealed + Send {
    /// What the operator emits if its results have the type `R`.
    type Out<R: Send + 'static>: Send + 'static;

    #[doc(hidden)]
    fn result<R: Send + 'static>(result: R) -> Self::Out<R>;

    #[doc(hidden)]
    fn late<R: Send + 'static>(value: T) -> Option<Self::Out<R>>;
}

impl<T> LatePolicy<T> for RejectLate {
    type Out<R: Send + 'static> = R;

    fn result<R: Send + 'static>(result: R) -> R {
        result
    }

    fn late<R: Send + 'static>(_: T) -> Option<R> {
        None
    }
}

impl<T: Send + 'static> LatePolicy<T> for EmitLate {
    type Out<R: Send + 'static> = WithLate<R, T>;

    fn result<R: Send + 'static>(result: R) -> WithLate<R, T> {
        WithLate::Result(result)
    }

    fn late<R: Send + 'static>(value: T) -> Option<WithLate<R, T>> {
        Some(WithLate::Late(value))
    }
}

/// Emits a record that is older than `watermark`, or rejects it, as the policy `L` says.
pub(crate) fn emit_or_reject_late<T, R, L>(
    timed: Timed<T>,
    origin: Option<Origin>,
    watermark: i64,
    out: &mut Output<L::Out<R>>,
) where
    R: Send + 'static,
    L: LatePolicy<T>,
{
    let refusal = late_refusal(timed.time, Timestamp::from_micros(watermark));
    match L::late(timed.value) {
        Some(late) => out.push(late, origin),
        None => out.reject(origin, refusal),
    }
}

/// The reason for the reject of a late record.
fn late_refusal(time: Timestamp, watermark: Timestamp) -> Refusal {
    let detail = match watermark {
        Timestamp::MAX => format!("the event of {time} came after the last run of the pipeline"),
        _ => {
            let behind = watermark.as_micros().saturating_sub(time.as_micros());
            let behind = Duration::from_micros(u64::try_from(behind).unwrap_or_default());
            format!("the event of {time} is {behind:?} behind the watermark, which is {watermark}")
        }
    };
    Refusal::new(Reason::LATE, detail)
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::RejectLate {}
    impl Sealed for super::EmitLate {}
}
