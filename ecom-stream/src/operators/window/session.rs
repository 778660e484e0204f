//! Session windows.

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

/// What is remembered of one session; times are microseconds.
#[derive(Debug, Serialize, Deserialize)]
struct Session<A> {
    start: i64,
    /// The gap after its last record.
    end: i64,
    /// Whether its result has come out.
    is_out: bool,
    /// Whether it changed since early results came out last.
    is_new: bool,
    acc: A,
}

/// The sessions of a key, in the order of their starts.
#[derive(Debug)]
struct KeySessions<A> {
    sessions: Vec<Session<A>>,
    /// Since it was saved last.
    changed: bool,
    /// Whether it is in the state.
    stored: bool,
}

pub(super) struct SessionOperator<F, G, K, A, L> {
    windows: Windows,
    gap: i64,
    key: F,
    aggregate: G,
    keys: HashMap<K, KeySessions<A>>,
    /// Keys by the times at which a session of theirs comes out or goes, or earlier.
    timers: Timers<K>,
    watermark: WindowWatermark,
    changed: Vec<K>,
    /// Those that changed since early results came out last.
    new: BTreeSet<K>,
    late: PhantomData<L>,
}

impl<F, G, K: DeserializeOwned, A: DeserializeOwned, L> SessionOperator<F, G, K, A, L> {
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
    /// When it comes out, or goes.
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
    /// Adds a record, unless it is late: then it comes back.
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
        // They lie apart, so those that the record joins stand side by side.
        let joined = known.as_ref().map_or(0..0, |key_sessions| {
            let first = key_sessions.sessions.partition_point(|session| session.end <= start);
            let behind = key_sessions.sessions.partition_point(|session| session.start < end);
            first..behind.max(first)
        });
        if joined.is_empty() && end.saturating_add(allowed_lateness) <= self.watermark.current {
            return Some(timed);
        }
        let key_sessions = self.keys.entry(key.clone()).or_insert_with(|| KeySessions {
            // Most keys have one.
            sessions: Vec::with_capacity(1),
            changed: false,
            stored: false,
        });
        let at = joined.start;
        // Most records make a session longer, and change nothing else.
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
        // An earlier timer of one that it joined will do.
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

    /// Moves event time on: sessions that are due come out, and those that are no longer kept go.
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
                // A timer may be that of another session, or too early.
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

    /// Lets out the results so far that changed, of the sessions that are open.
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
