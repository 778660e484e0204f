//! `Either`: a record of one of two kinds, for a stream that carries both.

use serde::{Deserialize, Serialize};

/// A record of one of two kinds, in a stream that carries both: what [`route`](crate::SourceExt::route) tells apart, and what
/// [`join_within`](crate::SourceExt::join_within) joins.
///
/// A pipeline is one stream, because what must become durable together is committed together. So a branch is a variant of the
/// record, and a sink that writes to several places decides by it.
///
/// ```
/// use ecom_stream::Either;
///
/// let order: Either<u64, &str> = Either::Right("cancelled");
/// assert_eq!(order.right(), Some("cancelled"));
/// assert_eq!(order.left(), None);
///
/// let celsius: Either<f64, f64> = Either::Left(21.5);
/// assert_eq!(celsius.into_inner(), 21.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Either<L, R> {
    /// One kind.
    Left(L),
    /// The other.
    Right(R),
}

impl<L, R> Either<L, R> {
    /// The value if it is `Left`.
    pub fn left(self) -> Option<L> {
        match self {
            Self::Left(left) => Some(left),
            Self::Right(_) => None,
        }
    }

    /// The value if it is `Right`.
    pub fn right(self) -> Option<R> {
        match self {
            Self::Left(_) => None,
            Self::Right(right) => Some(right),
        }
    }
}

impl<T> Either<T, T> {
    /// A reference to the value, whichever variant it is in.
    pub fn as_inner(&self) -> &T {
        match self {
            Self::Left(value) | Self::Right(value) => value,
        }
    }

    /// The value, whichever variant it is in.
    pub fn into_inner(self) -> T {
        match self {
            Self::Left(value) | Self::Right(value) => value,
        }
    }
}
