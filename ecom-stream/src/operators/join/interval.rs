//! [`IntervalJoin`]: joins two kinds of records by key and time.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::buffer::{EntryId, EntryKey, JoinBuffer};
use crate::contract::{
    BatchStream, Checkpoint, Either, Error, ErrorKind, Position, Record, Result, StateChange, Topology, Transform,
};
use crate::operators::event_time::{EmitLate, LatePolicy, RejectLate, Timed, Timestamp, emit_or_reject_late};
use crate::operators::state::{Changes, Operator, OperatorEntry, Output, check_schema, decode_key, run, schema_hash};

/// Joins records of two kinds that have the same key and happened within an interval of each other; see
/// [`SourceExt::join_within`](crate::SourceExt::join_within).
///
/// A pair is emitted when the second of its records is read. Its event time is the later of the two. With
/// [`keep_left`](Self::keep_left), a left record without a match is emitted alone once no right record can match it any more, that
/// is, when the watermark has passed its interval. A record that is older than the watermark is late and becomes a reject with
/// the reason `late`, because the records that it would match may be gone.
///
/// Results have an event time and a watermark, and can be put into windows. With `keep_left` or `keep_right` the watermark of
/// the results is behind that of the records by the time for which unmatched records are held.
///
/// Abandoned baskets, that is, carts without a purchase within half an hour:
///
/// ```
/// # use std::time::Duration;
/// # use ecom_stream::operators::{IntervalJoin, Joined};
/// # use ecom_stream::{Either, SourceExt, Timestamp, memory::{MemorySink, MemorySource}, time};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// type Click = (i64, String, bool);
/// let click = |minute, user: &str, bought| (minute, user.to_owned(), bought);
/// let clicks = vec![click(1, "ann", false), click(2, "bob", false), click(9, "ann", true)];
///
/// let user = |click: &Click| click.1.clone();
/// let sink = MemorySink::new("doc");
/// MemorySource::new("clicks", clicks)
///     .event_time(|click: &Click| Timestamp::from_micros(click.0 * 60_000_000), Duration::ZERO)
///     .map(|timed| timed.map(|click| if click.2 { Either::Right(click) } else { Either::Left(click) }))
///     .via(IntervalJoin::new(user, user, time::Duration::ZERO, time::Duration::minutes(30)).keep_left(true))
///     .filter(|joined| matches!(joined.value, Joined::Left(_)))
///     .map(|cart| cart.value)
///     .to(sink.clone())
///     .last_run(true)
///     .run()
///     .await?;
/// assert_eq!(sink.values(), [Joined::Left(click(2, "bob", false))]);
/// # Ok(()) }
/// ```
///
/// # Cost
///
/// Each record is held until nothing can match it: in memory with its key twice and some 170 bytes, in the state as an entry of
/// the record and some 15 bytes. A batch writes its own records and, with `keep_left` or `keep_right`, the records that are
/// matched for the first time. The time per record grows with the number of its matches.
///
/// # Errors
///
/// A run fails with [`ErrorKind::Configuration`] at its start if the interval ends before it begins, or if the state under its
/// name is of other types.
#[derive(Debug, Clone)]
pub struct IntervalJoin<KL, KR, Late = RejectLate> {
    left_key: KL,
    right_key: KR,
    name: Arc<str>,
    from: i64,
    to: i64,
    keep_left: bool,
    keep_right: bool,
    late: PhantomData<Late>,
}

/// A result of an [`IntervalJoin`].
///
/// ```
/// use ecom_stream::operators::Joined;
///
/// assert_eq!(Joined::Both("view", "purchase").both(), Some(("view", "purchase")));
/// assert_eq!(Joined::<&str, &str>::Left("view").both(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Joined<L, R> {
    /// A left and a right record that match.
    Both(L, R),
    /// A left record without a match, with [`keep_left`](IntervalJoin::keep_left).
    Left(L),
    /// A right record without a match, with [`keep_right`](IntervalJoin::keep_right).
    Right(R),
}

impl<L, R> Joined<L, R> {
    /// Both sides as a row of SQL has them, where the side without a match is `NULL`.
    ///
    /// ```
    /// # use ecom_stream::operators::Joined;
    /// assert_eq!(Joined::<_, i32>::Left("view").into_options(), (Some("view"), None));
    /// ```
    pub fn into_options(self) -> (Option<L>, Option<R>) {
        match self {
            Self::Both(left, right) => (Some(left), Some(right)),
            Self::Left(left) => (Some(left), None),
            Self::Right(right) => (None, Some(right)),
        }
    }

    /// Returns the pair; `None` if it is a record without a match.
    pub fn both(self) -> Option<(L, R)> {
        match self {
            Self::Both(left, right) => Some((left, right)),
            Self::Left(_) | Self::Right(_) => None,
        }
    }
}

impl<KL, KR> IntervalJoin<KL, KR> {
    /// Joins each left record with every right record of the same key that happened from `from` to `to` after it, both
    /// inclusive. A negative duration means before it. Intervals of more than some 36,000 years are cut to that.
    pub fn new(left_key: KL, right_key: KR, from: Duration, to: Duration) -> Self {
        let micros = |duration: Duration| {
            let micros = duration.whole_microseconds();
            // Keeps sums of times and intervals far from an overflow.
            micros.clamp(-i128::from(i64::MAX / 8), i128::from(i64::MAX / 8)) as i64
        };
        Self {
            left_key,
            right_key,
            name: "join".into(),
            from: micros(from),
            to: micros(to),
            keep_left: false,
            keep_right: false,
            late: PhantomData,
        }
    }
}

impl<KL, KR, Late> IntervalJoin<KL, KR, Late> {
    /// Sets the name under which the state is stored. It is `join` unless it is set.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets whether left records without a match are emitted alone, like SQL's `LEFT JOIN`. Together with
    /// [`keep_right`](Self::keep_right) it is a `FULL JOIN`. `false` unless it is set.
    #[must_use]
    pub fn keep_left(mut self, keep_left: bool) -> Self {
        self.keep_left = keep_left;
        self
    }

    /// Sets whether right records without a match are emitted alone, like SQL's `RIGHT JOIN`. `false` unless it is set.
    #[must_use]
    pub fn keep_right(mut self, keep_right: bool) -> Self {
        self.keep_right = keep_right;
        self
    }

    /// Emits late records along with the results, as [`WithLate`](crate::operators::WithLate), instead of rejecting them.
    #[must_use]
    pub fn emit_late(self) -> IntervalJoin<KL, KR, EmitLate> {
        IntervalJoin {
            left_key: self.left_key,
            right_key: self.right_key,
            name: self.name,
            from: self.from,
            to: self.to,
            keep_left: self.keep_left,
            keep_right: self.keep_right,
            late: PhantomData,
        }
    }

    /// The watermark at which nothing can match a left record of that time any more.
    fn left_due(&self, time: i64) -> i64 {
        time.saturating_add(self.to).saturating_add(1)
    }

    /// The watermark at which nothing can match a right record of that time any more.
    fn right_due(&self, time: i64) -> i64 {
        time.saturating_sub(self.from).saturating_add(1)
    }

    /// The watermark of the results when that of the records is `watermark`: no later result will be older than it.
    fn watermark(&self, watermark: i64) -> Timestamp {
        let left = if self.keep_left { self.to } else { 0 };
        let right = if self.keep_right { -self.from } else { 0 };
        let held = left.max(right).max(0);
        match watermark {
            i64::MAX => Timestamp::MAX,
            _ => Timestamp::from_micros(watermark.saturating_sub(held)),
        }
    }
}

impl<L, R, K, KL, KR, Late> Transform<Timed<Either<L, R>>> for IntervalJoin<KL, KR, Late>
where
    Late: LatePolicy<Either<L, R>>,
    L: Clone + Serialize + DeserializeOwned + Send + 'static,
    R: Clone + Serialize + DeserializeOwned + Send + 'static,
    K: Ord + Hash + Clone + Send + 'static,
    KL: Fn(&L) -> K + Send,
    KR: Fn(&R) -> K + Send,
{
    type Out = Late::Out<Timed<Joined<L, R>>>;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator(&*self.name);
    }

    fn apply(
        self,
        input: impl BatchStream<Timed<Either<L, R>>> + 'static,
        from: Checkpoint,
    ) -> impl BatchStream<Self::Out> {
        let name = self.name.clone();
        let operator = IntervalJoinOperator {
            join: self,
            left: JoinBuffer::<K, L>::new(LEFT),
            right: JoinBuffer::<K, R>::new(RIGHT),
            state: JoinState {
                watermark: i64::MIN,
                next: 0,
            },
            schema: schema_hash::<(L, R)>(),
            entry: OperatorEntry::default(),
        };
        run(operator, name, input, from)
    }
}

// The sides in the keys of state entries.
const LEFT: u8 = 0;
const RIGHT: u8 = 1;
/// The key of the entry with the [`JoinState`].
const STATE: EntryKey = (2, (0, 0));

/// The state of a running [`IntervalJoin`].
struct IntervalJoinOperator<KL, KR, K, L, R, Late> {
    join: IntervalJoin<KL, KR, Late>,
    left: JoinBuffer<K, L>,
    right: JoinBuffer<K, R>,
    state: JoinState,
    schema: u64,
    entry: OperatorEntry<(JoinState, u64)>,
}

/// The part of the state that is not about a single record. Its entry exists as long as a record is buffered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct JoinState {
    watermark: i64,
    /// The number of the next record that is buffered. It starts again at 0 when no record is.
    next: u64,
}

type Out<L, R, Late> = Output<<Late as LatePolicy<Either<L, R>>>::Out<Timed<Joined<L, R>>>>;

impl<L, R, K, KL, KR, Late> Operator<Timed<Either<L, R>>> for IntervalJoinOperator<KL, KR, K, L, R, Late>
where
    Late: LatePolicy<Either<L, R>>,
    L: Clone + Serialize + DeserializeOwned + Send + 'static,
    R: Clone + Serialize + DeserializeOwned + Send + 'static,
    K: Ord + Hash + Clone + Send + 'static,
    KL: Fn(&L) -> K + Send,
    KR: Fn(&R) -> K + Send,
{
    type Out = Late::Out<Timed<Joined<L, R>>>;

    const FORMAT: u16 = 2;

    fn check(&self) -> Result<()> {
        let (from, to) = (self.join.from, self.join.to);
        if from <= to {
            return Ok(());
        }
        let (from, to) = (Duration::microseconds(from), Duration::microseconds(to));
        let message = format!("cannot join within an interval from {from} to {to}: it ends before it begins");
        Err(Error::new(ErrorKind::Configuration, message).hint("`from` must not be more than `to`"))
    }

    fn load(&mut self, entry: &StateChange) -> Result<()> {
        let (side, id): EntryKey = decode_key(entry, <Self as Operator<Timed<Either<L, R>>>>::FORMAT)?;
        let join = &self.join;
        match side {
            LEFT => self.left.load(entry, id, &join.left_key, |time| join.left_due(time)),
            RIGHT => self.right.load(entry, id, &join.right_key, |time| join.right_due(time)),
            _ => {
                let (state, schema) = self.entry.load(entry)?;
                self.state = state;
                check_schema(entry, schema, self.schema)
            }
        }
    }

    fn process(&mut self, records: Vec<Record<Timed<Either<L, R>>>>, _: &[Position], out: &mut Out<L, R, Late>) {
        for Record { value: timed, origin } in records {
            self.advance(timed.watermark.as_micros(), out);
            // The operator's own watermark counts: records were removed by it, and that of this record may be older.
            let (time, watermark) = (timed.time.as_micros(), self.state.watermark);
            if time < watermark {
                emit_or_reject_late::<_, _, Late>(timed, origin, watermark, out);
                continue;
            }
            match timed.value {
                Either::Left(left) => self.add_left(time, left, out),
                Either::Right(right) => self.add_right(time, right, out),
            }
        }
    }

    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        self.left.save(changes)?;
        self.right.save(changes)?;
        let is_empty = self.left.is_empty() && self.right.is_empty();
        let saved = (self.state, self.schema);
        self.entry.save(&STATE, (!is_empty).then_some(saved), changes)
    }

    fn end(&mut self, out: &mut Out<L, R, Late>) {
        self.advance(i64::MAX, out);
    }
}

impl<KL, KR, K, L, R, Late> IntervalJoinOperator<KL, KR, K, L, R, Late>
where
    L: Clone + Serialize + DeserializeOwned + Send + 'static,
    R: Clone + Serialize + DeserializeOwned + Send + 'static,
    K: Ord + Hash + Clone,
    Late: LatePolicy<Either<L, R>>,
{
    fn add_left(&mut self, time: i64, left: L, out: &mut Out<L, R, Late>)
    where
        KL: Fn(&L) -> K,
    {
        let (from, to) = (time.saturating_add(self.join.from), time.saturating_add(self.join.to));
        let (key, watermark) = ((self.join.left_key)(&left), self.join.watermark(self.state.watermark));
        let is_matched = self.right.matching(&key, from, to, self.join.keep_right, |at, right| {
            push::<L, R, Late>(at.max(time), watermark, Joined::Both(left.clone(), right.clone()), out);
        });
        let due = self.join.left_due(time);
        if due > self.state.watermark {
            let id = self.next_id(time);
            self.left.add(key, id, left, is_matched, due);
        } else if self.join.keep_left && !is_matched {
            push::<L, R, Late>(time, watermark, Joined::Left(left), out);
        }
    }

    fn add_right(&mut self, time: i64, right: R, out: &mut Out<L, R, Late>)
    where
        KR: Fn(&R) -> K,
    {
        let (from, to) = (time.saturating_sub(self.join.to), time.saturating_sub(self.join.from));
        let (key, watermark) = ((self.join.right_key)(&right), self.join.watermark(self.state.watermark));
        let is_matched = self.left.matching(&key, from, to, self.join.keep_left, |at, left| {
            push::<L, R, Late>(at.max(time), watermark, Joined::Both(left.clone(), right.clone()), out);
        });
        let due = self.join.right_due(time);
        if due > self.state.watermark {
            let id = self.next_id(time);
            self.right.add(key, id, right, is_matched, due);
        } else if self.join.keep_right && !is_matched {
            push::<L, R, Late>(time, watermark, Joined::Right(right), out);
        }
    }

    /// A new id for a record of that time.
    fn next_id(&mut self, time: i64) -> EntryId {
        let number = self.state.next;
        self.state.next += 1;
        (time, number)
    }

    /// Moves the watermark to `to`: removes the records that nothing can match any more, and emits those without a match if the
    /// join keeps them.
    fn advance(&mut self, to: i64, out: &mut Out<L, R, Late>) {
        if to <= self.state.watermark {
            return;
        }
        // Records that are emitted now may be older than the new watermark, so they get the one before.
        let before = self.join.watermark(self.state.watermark);
        while let Some((time, left)) = self.left.take_due(to) {
            if self.join.keep_left && !left.is_matched {
                push::<L, R, Late>(time, before, Joined::Left(left.value), out);
            }
        }
        while let Some((time, right)) = self.right.take_due(to) {
            if self.join.keep_right && !right.is_matched {
                push::<L, R, Late>(time, before, Joined::Right(right.value), out);
            }
        }
        self.state.watermark = to;
        if self.left.is_empty() && self.right.is_empty() {
            self.state.next = 0;
        }
    }
}

/// Emits a result with its event time and watermark.
fn push<L, R, Late>(time: i64, watermark: Timestamp, value: Joined<L, R>, out: &mut Out<L, R, Late>)
where
    L: Send + 'static,
    R: Send + 'static,
    Late: LatePolicy<Either<L, R>>,
{
    let time = Timestamp::from_micros(time);
    out.push(Late::result(Timed { value, time, watermark }), None);
}
