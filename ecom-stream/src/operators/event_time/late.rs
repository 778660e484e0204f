//! What becomes of late records.

use std::time::Duration;

use crate::contract::{Either, Origin, Reason, Refusal};
use crate::operators::event_time::{Timed, Timestamp};
use crate::operators::state::Output;

/// Refuses late records, with the reason `late`: they are counted as rejected, and end among the dead letters.
#[derive(Debug, Clone, Copy, Default)]
pub struct RejectLate;

/// Lets late records out beside the results, as [`WithLate`].
#[derive(Debug, Clone, Copy, Default)]
pub struct EmitLate;

/// A result, or a record that came too late for its window.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithLate<R, T> {
    /// A result.
    Result(R),
    /// A record that came too late.
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

/// What becomes of late records: [`RejectLate`] or [`EmitLate`].
pub trait LatePolicy<T>: sealed::Sealed + Send {
    /// What comes out where results are of type `R`.
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

/// Lets a record out that is older than `watermark`, or refuses it.
pub(crate) fn emit_or_reject_late<T, R, L>(
    timed: Timed<T>,
    origin: Option<Origin>,
    watermark: i64,
    out: &mut Output<L::Out<R>>,
) where
    R: Send + 'static,
    L: LatePolicy<T>,
{
    let refusal = late(timed.time, Timestamp::from_micros(watermark));
    match L::late(timed.value) {
        Some(late) => out.push(late, origin),
        None => out.reject(origin, refusal),
    }
}

/// Why a record is refused that came too late.
fn late(time: Timestamp, watermark: Timestamp) -> Refusal {
    let detail = match watermark {
        Timestamp::MAX => format!("the event of {time} came after the last run"),
        _ => {
            let behind = watermark.as_micros().saturating_sub(time.as_micros());
            let behind = Duration::from_micros(u64::try_from(behind).unwrap_or_default());
            format!("the event of {time} came {behind:?} behind the watermark, {watermark}")
        }
    };
    Refusal::new(Reason::LATE, detail)
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::RejectLate {}
    impl Sealed for super::EmitLate {}
}
