//! What is unlikely of real events, though the rules accept it: a mapping may read the file in a wrong way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use time::{Date, Time};

use crate::event::{Event, Price};

/// How many ids, sessions and prices are remembered at most, so that the memory is bounded.
const MAX_REMEMBERED: usize = 1 << 20;
/// From so many events on it is unlikely that all of them have the same user or session.
const MIN_EVENTS: u64 = 3;
/// Words that stand for no user, session or product, in lower case. Words such as `NULL` are counted for all columns alike.
const NOBODY: [&str; 6] = ["0", "-1", "unknown", "anonymous", "guest", "?"];

/// Something about a file that is unlikely of real events; a part of the [report](super::CheckedFile).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ecom_stream::{Rules, check::check_file};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("events.csv");
/// std::fs::write(&path, "event_time,event_type,user_id,session_id,product_id\n\
///                        2026-11-01T00:00:00Z,view,u1,s1,p1\n\
///                        2026-11-02T00:00:00Z,view,guest,s2,p2\n")?;
/// let checked = check_file(&path, None, Rules::default(), 10).await?;
/// let fields: Vec<&str> = checked.doubts.iter().map(|doubt| doubt.field).collect();
/// assert_eq!(fields, ["event_time", "user_id"]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Doubt {
    /// The column of an event that it is about.
    pub field: &'static str,
    /// What was seen and what to do, in whole sentences.
    pub text: String,
}

/// What is remembered of the events of a file.
#[derive(Debug, Default)]
pub(super) struct Observed {
    events: u64,
    ids: HashSet<u64>,
    ids_and_times: HashSet<u64>,
    /// Events with the id and time of an earlier one, and events with the id alone.
    same_id_and_time: u64,
    same_id: u64,
    times_of_day: HashSet<Time>,
    days: HashSet<Date>,
    users: HashSet<u64>,
    /// The first two users of each session, and the sessions that have more. Two can be a guest who logs in.
    sessions: HashMap<u64, [u64; 2]>,
    shared_sessions: HashSet<u64>,
    /// Texts that stand for nobody or for nothing, by field.
    placeholders: BTreeMap<(&'static str, String), u64>,
    prices: Vec<Price>,
    /// How many prices have no sign before decimals or between thousands, and how many have three digits behind the last.
    whole_prices: usize,
    prices_in_thousands: usize,
    /// A price with three digits behind the last sign, as it is written and as it is stored.
    example: Option<(String, Price)>,
    /// The price and the quantity of the line with the highest quantity.
    largest: Option<(Price, i32)>,
}

impl Observed {
    /// Remembers an event, and its price as it is written in the file.
    pub(super) fn add(&mut self, event: &Event, price: Option<&str>) {
        self.events += 1;
        let is_new = |set: &mut HashSet<u64>, hash: u64| set.len() >= MAX_REMEMBERED || set.insert(hash);
        if !is_new(&mut self.ids_and_times, hash_of((event.event_id, event.event_time))) {
            self.same_id_and_time += 1;
        } else if !is_new(&mut self.ids, hash_of(event.event_id)) {
            self.same_id += 1;
        }
        // Three are enough to know that there are several.
        const SEVERAL: usize = 3;
        if self.times_of_day.len() < SEVERAL {
            self.times_of_day.insert(event.event_time.time());
        }
        if self.days.len() < SEVERAL {
            self.days.insert(event.event_time.date());
        }
        let (user, session) = (hash_of(&event.user_id), hash_of(&event.session_id));
        if self.users.len() < SEVERAL {
            self.users.insert(user);
        }
        if self.sessions.len() < MAX_REMEMBERED {
            let [first, second] = self.sessions.entry(session).or_insert([user; 2]);
            if first == second {
                *second = user;
            } else if ![*first, *second].contains(&user) {
                self.shared_sessions.insert(session);
            }
        }
        self.add_placeholders(event);
        if let (Some(price), Some(text)) = (event.price, price) {
            self.add_price(price, text);
            if self.largest.is_none_or(|(_, most)| event.quantity > most) {
                self.largest = Some((price, event.quantity));
            }
        }
    }

    fn add_placeholders(&mut self, event: &Event) {
        for (field, value) in [
            ("user_id", &event.user_id),
            ("session_id", &event.session_id),
            ("product_id", &event.product_id),
        ] {
            let is_short = value.len() <= 12;
            if is_short && NOBODY.contains(&value.trim().to_lowercase().as_str()) {
                *self.placeholders.entry((field, value.clone())).or_default() += 1;
            }
        }
    }

    fn add_price(&mut self, price: Price, text: &str) {
        if self.prices.len() >= MAX_REMEMBERED {
            return;
        }
        self.prices.push(price);
        let is_sign = |c: char| !c.is_ascii_digit() && !['-', '+'].contains(&c);
        match text.rsplit_once(is_sign) {
            None => self.whole_prices += 1,
            Some((_, behind)) if behind.len() == 3 => {
                self.prices_in_thousands += 1;
                self.example.get_or_insert_with(|| (text.to_owned(), price));
            }
            Some(_) => {}
        }
    }

    /// The doubts, in the order of the columns of an event.
    pub(super) fn doubts(mut self) -> Vec<Doubt> {
        let mut found = Vec::new();
        self.of_ids(&mut found);
        self.of_times(&mut found);
        self.of_users_and_sessions(&mut found);
        self.of_prices(&mut found);
        let of_words = self.placeholders.iter().map(|((field, word), count)| {
            let text = format!(
                "{count} of {} events have the {field} {word:?}. If it means that there is no value, add it to nulls in a mapping.",
                self.events
            );
            Doubt { field, text }
        });
        found.extend(of_words);
        let place = |field: &str| Event::COLUMNS.iter().position(|column| *column == field);
        found.sort_by_key(|doubt| place(doubt.field));
        found
    }

    fn of_ids(&self, found: &mut Vec<Doubt>) {
        let Self {
            events,
            same_id_and_time,
            same_id,
            ..
        } = self;
        if *same_id_and_time > 0 {
            found.push(Doubt {
                field: "event_id",
                text: format!(
                    "{same_id_and_time} of {events} events have the id and time of an earlier one: they are duplicates and would not be \
                     stored. If they are other events, event_id is taken from a column that does not identify an event: map another \
                     column, or none."
                ),
            });
        }
        if *same_id > 0 {
            found.push(Doubt {
                field: "event_id",
                text: format!(
                    "{same_id} of {events} events have the id of an earlier one, at another time: they would be stored as events of \
                     their own. An id is usually that of one event."
                ),
            });
        }
    }

    fn of_times(&self, found: &mut Vec<Doubt>) {
        let mut times = self.times_of_day.iter();
        if self.events < 2 || times.len() != 1 {
            return;
        }
        let all = self.events;
        let text = match times.next() {
            Some(time) if *time == Time::MIDNIGHT => format!(
                "All {all} events are at midnight: their times are days. Their order within a day is not known, and hours mean nothing. If \
                 the time of day is in another column, map it too."
            ),
            // Midnight in another zone.
            Some(time) if self.days.len() > 1 => format!(
                "All {all} events are at the same time of day, {time} UTC, on several days: their times may be days. If the time of day \
                 is in another column, map it too."
            ),
            _ => return,
        };
        found.push(Doubt {
            field: "event_time",
            text,
        });
    }

    fn of_users_and_sessions(&self, found: &mut Vec<Doubt>) {
        let all = self.events;
        let (users, sessions, shared) = (self.users.len(), self.sessions.len(), self.shared_sessions.len());
        if users == 1 && all >= MIN_EVENTS {
            found.push(Doubt {
                field: "user_id",
                text: format!("All {all} events have the same user. If the file has several, map the column that tells them apart."),
            });
        }
        let text = match (sessions, users) {
            (1, 2..) => format!(
                "All {all} events have the same session, but several users. What counts sessions or orders takes them for one: map a \
                 column that tells visits or orders apart, or the column of the user."
            ),
            (1, _) if all >= MIN_EVENTS => {
                format!(
                    "All {all} events have the same session. If the file has several, map the column that tells them apart."
                )
            }
            _ if shared >= 3 && shared * 5 >= sessions => format!(
                "{shared} of {sessions} sessions have several users: the column may have the number of a user's visit, or something \
                 else that visits share."
            ),
            _ => return,
        };
        found.push(Doubt {
            field: "session_id",
            text,
        });
    }

    fn of_prices(&mut self, found: &mut Vec<Doubt>) {
        const HIGH: Price = Price::from_cents(10_000_000).unwrap();
        const LOW: Price = Price::from_cents(10).unwrap();
        const WHOLE_FROM: Price = Price::from_cents(10_000).unwrap();
        const MANY_PIECES: i32 = 1_000;
        self.prices.sort_unstable();
        let Some(&middle) = self.prices.get(self.prices.len() / 2) else {
            return;
        };
        let all = self.prices.len();
        let mut say = |field, text| found.push(Doubt { field, text });
        if let Some((text, stored)) = &self.example
            && self.prices_in_thousands + self.whole_prices == all
        {
            say(
                "price",
                format!(
                    "{} of {all} prices have three digits behind the sign, and no price has another number of decimals: {text:?} is \
                     stored as {stored}. If the sign has the other meaning, set decimal and thousands in the mapping.",
                    self.prices_in_thousands
                ),
            );
        } else if self.whole_prices == all && all >= 2 && middle >= WHOLE_FROM {
            say(
                "price",
                format!(
                    "All {all} prices are whole numbers; the one in the middle is {middle}. If they are in cents, set \
                     scale = 2 in a mapping."
                ),
            );
        } else if middle == Price::default() {
            say(
                "price",
                format!(
                    "More than half of {all} prices are 0.00. If that means that there is no price, add the word to nulls in a mapping."
                ),
            );
        } else if !(LOW..=HIGH).contains(&middle) {
            say(
                "price",
                format!(
                    "The price in the middle of {all} is {middle}. If that is not usual in this shop, the column is not the price of one \
                     piece, or its signs are read in a wrong way."
                ),
            );
        }
        if let Some((price, pieces)) = self.largest.filter(|(_, pieces)| *pieces >= MANY_PIECES) {
            say(
                "quantity",
                format!(
                    "A purchase has {pieces} pieces of {price} each. If that is the price of all of them, the price in the mapping is the \
                     total of the line, and sales are too high."
                ),
            );
        }
    }
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
