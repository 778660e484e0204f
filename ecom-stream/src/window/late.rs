//! What becomes of late records.

/// Refuses late records, with the reason `late`: they are counted as rejected, and end among the dead letters.
#[derive(Debug, Clone, Copy, Default)]
pub struct RejectLate;

/// Lets late records out beside the results, as [`WithLate`].
#[derive(Debug, Clone, Copy, Default)]
pub struct LateBeside;

/// A result, or a record that came too late for its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithLate<R, T> {
    /// A result.
    Result(R),
    /// A record that came too late.
    Late(T),
}

/// What becomes of late records: [`RejectLate`] or [`LateBeside`].
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

impl<T: Send + 'static> LatePolicy<T> for LateBeside {
    type Out<R: Send + 'static> = WithLate<R, T>;

    fn result<R: Send + 'static>(result: R) -> WithLate<R, T> {
        WithLate::Result(result)
    }

    fn late<R: Send + 'static>(value: T) -> Option<WithLate<R, T>> {
        Some(WithLate::Late(value))
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::RejectLate {}
    impl Sealed for super::LateBeside {}
}
