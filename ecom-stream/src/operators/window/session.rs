//! [`SessionOperator`]: session windows.
//!
//! The sessions of a key never overlap: a record that is less than the gap away from several sessions joins them into one. The
//! state has one entry for each key, with all its sessions, and one for the watermark. A timer says when a key is due; it may
//! be early, since a session gets longer with each record and its timer is not set again each time.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::result::{Firing, Window, Windowed};
use super::spec::Windows;
use super::watermark::WindowWatermark;
use crate::contract::{Position, Record, Result, StateChange};
use crate::operators::aggregate::Aggregate;
use crate::operators::event_time::{LatePolicy, Timed, Timestamp, emit_or_reject_late, micros};
use crate::operators::state::{Changes, Operator, Output, Timers, decode_key, decode_value, schema_hash};

/// One session, as it is stored. Times are microseconds.
#[derive(Debug, Serialize, Deserialize)]
struct Session<A> {
    start: i64,
    /// The time of its last record plus the gap.
    end: i64,
    /// Whether its result has been emitted. It is then kept for the allowed lateness.
    is_out: bool,
    /// Whether it has changed since early results were last emitted.
    is_new: bool,
    acc: A,
}

/// The sessions of a key in memory, in the order of their starts.
#[derive(Debug)]
struct KeySessions<A> {
    sessions: Vec<Session<A>>,
    /// Whether one of them has changed since the last save.
    changed: bool,
    /// Whether the state has an entry of the key.
    stored: bool,
}

/// The state of a running aggregate over sessions; see the module.
pub(super) struct SessionOperator<F, G, K, A, L> {
    windows: Windows,
    gap: i64,
    key: F,
    aggregate: G,
    keys: HashMap<K, KeySessions<A>>,
    /// For each session a time at which it is due, or an earlier one.
    timers: Timers<K>,
    watermark: WindowWatermark,
    /// The keys that have changed since the last save.
    changed: Vec<K>,
    /// The keys that have changed since early results were last emitted.
    new: BTreeSet<K>,
    late: PhantomData<L>,
}

impl<F, G, K: DeserializeOwned, A: DeserializeOwned, L> SessionOperator<F, G, K, A, L> {
    /// An operator without state. `gap` is that of `windows`, in microseconds.
    pub(super) fn new(windows: Windows, gap: i64, key: F, aggregate: G) -> Self {
        Self {
            windows,
            gap,
            key,
            aggregate,
            keys: HashMap::new(),
            timers: Timers::default(),
            watermark: WindowWatermark::new(schema_hash::<(K, A)>()),
            changed: Vec::new(),
            new: BTreeSet::new(),
            late: PhantomData,
        }
    }
}

impl<A> Session<A> {
    /// The watermark at which its result is emitted or, if that has happened, at which it is deleted.
    fn due(&self, allowed_lateness: i64) -> i64 {
        match self.is_out {
            false => self.end,
            true => self.end.saturating_add(allowed_lateness),
        }
    }
}

impl<T, K, F, G, L> Operator<Timed<T>> for SessionOperator<F, G, K, G::Acc, L>
where
    T: Send + 'static,
    K: Ord + Hash + Clone + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&T) -> K + Send,
    G: Aggregate<T>,
    L: LatePolicy<T>,
{
    type Out = L::Out<Windowed<K, G::Out>>;

    const FORMAT: u16 = 2;

    fn check(&self) -> Result<()> {
        self.windows.check()
    }

    fn load(&mut self, entry: &StateChange) -> Result<()> {
        let key: Option<K> = decode_key(entry, <Self as Operator<Timed<T>>>::FORMAT)?;
        let Some(key) = key else {
            return self.watermark.load(entry, &self.windows);
        };
        let sessions: Vec<Session<G::Acc>> = decode_value(entry)?;
        for session in &sessions {
            self.timers
                .set(session.due(micros(self.windows.allowed_lateness)), key.clone());
            if session.is_new {
                self.new.insert(key.clone());
            }
        }
        let key_sessions = KeySessions {
            sessions,
            changed: false,
            stored: true,
        };
        self.keys.insert(key, key_sessions);
        Ok(())
    }

    fn process(&mut self, records: Vec<Record<Timed<T>>>, _: &[Position], out: &mut Output<Self::Out>) {
        for Record { value: timed, origin } in records {
            self.advance::<T>(timed.watermark.as_micros(), out);
            if let Some(timed) = self.add(timed, out) {
                emit_or_reject_late::<_, _, L>(timed, origin, self.watermark.current, out);
            }
        }
    }

    fn save(&mut self, changes: &mut Changes<'_>) -> Result<()> {
        for key in self.changed.drain(..) {
            let Some(key_sessions) = self.keys.get_mut(&key) else {
                continue;
            };
            if !key_sessions.sessions.is_empty() {
                changes.put(&Some(&key), &key_sessions.sessions)?;
                (key_sessions.changed, key_sessions.stored) = (false, true);
                continue;
            }
            if key_sessions.stored {
                changes.delete(&Some(&key))?;
            }
            self.keys.remove(&key);
        }
        let is_empty = self.keys.is_empty();
        self.watermark.save(&None::<K>, &self.windows, is_empty, changes)
    }

    fn end(&mut self, out: &mut Output<Self::Out>) {
        self.advance::<T>(i64::MAX, out);
    }
}

impl<F, G, K, A, L> SessionOperator<F, G, K, A, L>
where
    K: Ord + Hash + Clone + Send + 'static,
{
    /// Adds a record to the session that it makes longer, joins or begins. Returns the record if it is late.
    fn add<T>(&mut self, timed: Timed<T>, out: &mut Output<L::Out<Windowed<K, G::Out>>>) -> Option<Timed<T>>
    where
        F: Fn(&T) -> K,
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let allowed_lateness = micros(self.windows.allowed_lateness);
        let key = (self.key)(&timed.value);
        let (mut start, mut end) = (timed.time.as_micros(), timed.time.as_micros().saturating_add(self.gap));
        let known = self.keys.get_mut(&key);
        // Sessions don't overlap, so those that the record joins are next to each other.
        let joined = known.as_ref().map_or(0..0, |key_sessions| {
            let first = key_sessions.sessions.partition_point(|session| session.end <= start);
            let behind = key_sessions.sessions.partition_point(|session| session.start < end);
            first..behind.max(first)
        });
        if joined.is_empty() && end.saturating_add(allowed_lateness) <= self.watermark.current {
            return Some(timed);
        }
        let key_sessions = self.keys.entry(key.clone()).or_insert_with(|| KeySessions {
            // Most keys have a single session.
            sessions: Vec::with_capacity(1),
            changed: false,
            stored: false,
        });
        let at = joined.start;
        // Most records make one session longer: its accumulator is taken over without a merge.
        let is_longer = joined.len() == 1;
        let mut acc = self.aggregate.empty();
        let mut due_before = i64::MAX;
        for session in key_sessions.sessions.drain(joined) {
            due_before = due_before.min(session.due(allowed_lateness));
            (start, end) = (start.min(session.start), end.max(session.end));
            if is_longer {
                acc = session.acc;
            } else {
                self.aggregate.merge(&mut acc, &session.acc);
            }
        }
        self.aggregate.add(&mut acc, &timed.value, timed.time);
        let is_out = end <= self.watermark.current;
        let session = Session {
            start,
            end,
            is_out,
            is_new: self.windows.early.is_some() && !is_out,
            acc,
        };
        if session.is_new {
            self.new.insert(key.clone());
        }
        // The timer of a session that it joined will do if it is not later.
        let due = session.due(allowed_lateness);
        if due_before > due {
            self.timers.set(due, key.clone());
        }
        if is_out {
            out.push(L::result(result(&self.aggregate, &key, &session, Firing::Late)), None);
        }
        key_sessions.sessions.insert(at, session);
        if !std::mem::replace(&mut key_sessions.changed, true) {
            self.changed.push(key);
        }
        None
    }

    /// Moves the watermark to `to`: emits the sessions that have ended, and deletes those whose allowed lateness is over.
    fn advance<T>(&mut self, to: i64, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        let Some(from) = self.watermark.advance(to) else { return };
        let allowed_lateness = micros(self.windows.allowed_lateness);
        while let Some((at, key)) = self.timers.take_due(to) {
            let Some(key_sessions) = self.keys.get_mut(&key) else {
                continue;
            };
            let mut changed = false;
            key_sessions.sessions.retain_mut(|session| {
                // The timer may be early, or that of another session of the key.
                let mut due = session.due(allowed_lateness);
                if due <= at && !session.is_out {
                    out.push(L::result(result(&self.aggregate, &key, session, Firing::OnTime)), None);
                    (session.is_out, session.is_new, changed) = (true, false, true);
                    due = session.due(allowed_lateness);
                }
                let goes = due <= at;
                if !goes {
                    self.timers.set(due, key.clone());
                }
                changed |= goes;
                !goes
            });
            if changed && !std::mem::replace(&mut key_sessions.changed, true) {
                self.changed.push(key);
            }
        }
        if self.windows.fires_early(from, to) {
            self.fire_early(out);
        }
    }

    /// Emits the results so far of the open sessions that have changed since the last time.
    fn fire_early<T>(&mut self, out: &mut Output<L::Out<Windowed<K, G::Out>>>)
    where
        G: Aggregate<T, Acc = A>,
        L: LatePolicy<T>,
    {
        for key in std::mem::take(&mut self.new) {
            let Some(key_sessions) = self.keys.get_mut(&key) else {
                continue;
            };
            let new = key_sessions.sessions.iter_mut().filter(|session| session.is_new);
            let mut changed = false;
            for session in new {
                (session.is_new, changed) = (false, true);
                out.push(L::result(result(&self.aggregate, &key, session, Firing::Early)), None);
            }
            if changed && !std::mem::replace(&mut key_sessions.changed, true) {
                self.changed.push(key);
            }
        }
    }
}

/// The result of a session so far.
fn result<T, K: Clone, G: Aggregate<T>>(
    aggregate: &G,
    key: &K,
    session: &Session<G::Acc>,
    firing: Firing,
) -> Windowed<K, G::Out> {
    Windowed {
        key: key.clone(),
        window: Window {
            start: Timestamp::from_micros(session.start),
            end: Timestamp::from_micros(session.end),
        },
        value: aggregate.result(&session.acc),
        firing,
    }
}
