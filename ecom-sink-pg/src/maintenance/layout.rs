//! The layout of new partitions: how much time each holds, and which indexes it has.
//!
//! The width is that of recent days, from 31 days ago to 7 days ahead. Old and thin time gets wider
//! partitions, whatever it is: the SQL function `ecom.partition_widths` has the rule.

use std::fmt;
use std::str::FromStr;

use ecom_stream::{Error, ErrorKind, Result};
use postgres_types::ToSql;
use tokio_postgres::Row;

use super::maintenance::{DEADLINE, Maintenance};

/// How much time a new partition of `ecom.events` covers, in UTC, if its time is recent.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::PartitionWidth;
///
/// assert_eq!("hour".parse::<PartitionWidth>().unwrap(), PartitionWidth::Hour);
/// assert_eq!(PartitionWidth::Month.to_string(), "month");
/// assert!("week".parse::<PartitionWidth>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionWidth {
    /// For millions of events an hour.
    Hour,
    /// The default.
    Day,
    /// For few events that are kept for years.
    Month,
}

/// Which indexes a new partition of `ecom.events` has.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::IndexProfile;
///
/// assert_eq!("full".parse::<IndexProfile>().unwrap(), IndexProfile::Full);
/// assert_eq!(IndexProfile::Lean.to_string(), "lean");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexProfile {
    /// Only those that the ingest needs, until the partition is [settled](Maintenance::settle).
    Lean,
    /// All of them from the start, which makes loading slower.
    Full,
}

/// How new partitions are created. Existing partitions stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// How much time each one covers.
    pub partition_width: PartitionWidth,
    /// Which indexes each has.
    pub index_profile: IndexProfile,
    /// How many partitions there are.
    pub partitions: i64,
    /// How many of these have all indexes.
    pub settled_partitions: i64,
    /// How many of these [`merge`](Maintenance::merge) would replace by wider ones.
    pub mergeable_partitions: i64,
}

impl Maintenance {
    /// Reads how new partitions are created, and how many partitions there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the server cannot be reached, [`ErrorKind::Schema`] when
    /// the schema does not fit, [`ErrorKind::Configuration`] when the role does not own the
    /// table.
    pub async fn layout(&self) -> Result<Layout> {
        // The row may have been deleted: then the defaults hold.
        const LOOK: &str = "
            SELECT coalesce(s.partition_width, 'day'), coalesce(s.index_profile, 'lean'),
                (SELECT count(*) FROM ecom.partitions), (SELECT count(*) FROM ecom.partitions WHERE is_settled),
                (SELECT coalesce(sum(cardinality(partitions)), 0) FROM ecom.mergeable_partitions)::int8
            FROM (VALUES (1)) AS one LEFT JOIN ecom.settings s ON true";
        let connection = self.session().await?;
        let looked = DEADLINE
            .of(
                "reading the layout of partitions",
                connection.client.query_one(LOOK, &[]),
            )
            .await;
        read(&looked.map_err(|failure| failure.into_error("reading the layout of partitions"))?)
    }

    /// Changes how partitions are created from now on; `None` leaves a setting as it is. The
    /// setting belongs to the database, so that all who write there agree.
    ///
    /// New partitions never overlap with existing ones: where a part of a day or a month is
    /// covered already, the rest of it gets partitions of hours or days.
    ///
    /// # Errors
    ///
    /// Those of [`layout`](Self::layout).
    pub async fn change_layout(&self, width: Option<PartitionWidth>, profile: Option<IndexProfile>) -> Result<Layout> {
        const CHANGE: &str = "
            INSERT INTO ecom.settings AS s (partition_width, index_profile)
            VALUES (coalesce($1, 'day'), coalesce($2, 'lean'))
            ON CONFLICT (only_row) DO UPDATE SET
                partition_width = coalesce($1, s.partition_width), index_profile = coalesce($2, s.index_profile)
            RETURNING s.partition_width, s.index_profile, (SELECT count(*) FROM ecom.partitions),
                (SELECT count(*) FROM ecom.partitions WHERE is_settled),
                (SELECT coalesce(sum(cardinality(partitions)), 0) FROM ecom.mergeable_partitions)::int8";
        let connection = self.session().await?;
        let width = width.map(|width| width.to_string());
        let profile = profile.map(|profile| profile.to_string());
        let params: [&(dyn ToSql + Sync); 2] = [&width, &profile];
        let changed = DEADLINE
            .of(
                "changing the layout of partitions",
                connection.client.query_one(CHANGE, &params),
            )
            .await;
        read(&changed.map_err(|failure| failure.into_error("changing the layout of partitions"))?)
    }
}

/// The layout in a row of the queries above.
fn read(row: &Row) -> Result<Layout> {
    Ok(Layout {
        partition_width: row.get::<_, &str>(0).parse()?,
        index_profile: row.get::<_, &str>(1).parse()?,
        partitions: row.get(2),
        settled_partitions: row.get(3),
        mergeable_partitions: row.get(4),
    })
}

impl fmt::Display for PartitionWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        })
    }
}

impl FromStr for PartitionWidth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Hour, Self::Day, Self::Month]
            .into_iter()
            .find(|width| width.to_string() == text)
            .ok_or_else(|| {
                Error::new(ErrorKind::Configuration, format!("{text:?} is not a partition width"))
                    .hint("use hour, day or month")
            })
    }
}

impl fmt::Display for IndexProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lean => "lean",
            Self::Full => "full",
        })
    }
}

impl FromStr for IndexProfile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Lean, Self::Full]
            .into_iter()
            .find(|profile| profile.to_string() == text)
            .ok_or_else(|| {
                Error::new(ErrorKind::Configuration, format!("{text:?} is not an index profile"))
                    .hint("use lean or full")
            })
    }
}
