//! One of two.

use serde::{Deserialize, Serialize};

/// A record of one kind or of another, where one stream carries both: what [`route`](crate::SourceExt::route) tells apart, and
/// what [`join_within`](crate::SourceExt::join_within) joins.
///
/// A pipeline is one stream, since what becomes true together must be committed together. So a branch is a variant, and a
/// sink that writes to several places decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Either<L, R> {
    /// One kind.
    Left(L),
    /// The other.
    Right(R),
}

impl<L, R> Either<L, R> {
    /// The left one, if it is that.
    pub fn left(self) -> Option<L> {
        match self {
            Self::Left(left) => Some(left),
            Self::Right(_) => None,
        }
    }

    /// The right one, if it is that.
    pub fn right(self) -> Option<R> {
        match self {
            Self::Left(_) => None,
            Self::Right(right) => Some(right),
        }
    }
}

impl<T> Either<T, T> {
    /// Whichever it is, to look at.
    pub fn as_inner(&self) -> &T {
        match self {
            Self::Left(value) | Self::Right(value) => value,
        }
    }

    /// Whichever it is.
    pub fn into_inner(self) -> T {
        match self {
            Self::Left(value) | Self::Right(value) => value,
        }
    }
}
