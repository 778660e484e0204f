//! Generates files as the world writes them, from traits that files have, with the events that are in them.
//!
//! ```text
//!  TRAITS: delimiter × quotes × names × … ─► layouts, so that every pair of kinds of two traits is in one ─► bytes, and the truth
//! ```
//!
//! A new trait is an entry of [`TRAITS`], a new kind a line of it: what it changes in the layout, and which fields a person may have to
//! decide on because of it. All other fields must be right without help.

use std::collections::BTreeSet;

use ecom_stream::EventType;
use time::macros::{datetime, format_description};
use time::{Duration, OffsetDateTime};

/// What a shopper did, as it should be stored.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) time: OffsetDateTime,
    /// `None` for something that is no event of a shop, such as the page of the cart.
    pub(crate) kind: Option<EventType>,
    /// `None` if nobody knows.
    pub(crate) user: Option<String>,
    pub(crate) session: String,
    pub(crate) product: String,
    pub(crate) name: Option<String>,
    /// The price of one piece.
    pub(crate) cents: Option<i64>,
    pub(crate) quantity: i64,
    /// The number of the event; the same for a row that is sent again.
    pub(crate) number: usize,
}

/// A column besides those of the event: its name and its values.
type Extra = (&'static str, fn(&Truth) -> String);

/// A column of amounts besides the price: its name and its values in cents.
type Amount = (&'static str, fn(&Truth) -> i64);

/// How a file is written.
pub(crate) struct Layout {
    /// The kind of each trait.
    pub(crate) kinds: Vec<String>,
    /// The fields that may be doubtful.
    pub(crate) doubtful: BTreeSet<&'static str>,
    pub(crate) truth: Vec<Truth>,
    /// The names of the time, type, user, session, product, its name, price and quantity; empty if the file lacks the column.
    names: [&'static str; 8],
    has_header: bool,
    delimiter: char,
    /// The quote, and whether all fields have it.
    quote: (char, bool),
    line_end: &'static str,
    time: fn(OffsetDateTime) -> String,
    has_zone: bool,
    /// How far local times are behind UTC.
    behind: Duration,
    time_of_day: Option<fn(OffsetDateTime) -> String>,
    amount: fn(i64) -> String,
    price: fn(&Truth) -> i64,
    word: fn(&Truth) -> &'static str,
    null: &'static str,
    user: fn(&Truth) -> Option<String>,
    session: fn(&Truth) -> String,
    amounts: Vec<Amount>,
    extra: Vec<Extra>,
    /// Makes the bytes of the file of its text.
    bytes: fn(String) -> Vec<u8>,
}

/// One way in which files are, for one trait.
struct Kind {
    name: &'static str,
    apply: fn(&mut Layout),
    /// The fields about which a person may have to decide.
    doubtful: &'static [&'static str],
}

const fn kind(name: &'static str, apply: fn(&mut Layout), doubtful: &'static [&'static str]) -> Kind {
    Kind { name, apply, doubtful }
}

const TIME: &[&str] = &["event_time"];
const PRICE: &[&str] = &["price"];
const ALL: &[&str] = &[
    "event_time",
    "event_type",
    "user_id",
    "session_id",
    "product_id",
    "product_name",
    "price",
    "quantity",
];

/// The traits, in the order in which they are applied.
const TRAITS: &[&[Kind]] = &[
    // Whose names the columns have.
    &[
        kind("own names", |_| {}, &[]),
        kind(
            "names of GA4",
            |l| {
                l.names = [
                    "event_timestamp",
                    "event_name",
                    "user_pseudo_id",
                    "ga_session_id",
                    "item_id",
                    "item_name",
                    "price",
                    "quantity",
                ]
            },
            &[],
        ),
        kind(
            "names of a shop",
            |l| {
                l.names = [
                    "Order Date",
                    "Action",
                    "Customer ID",
                    "Order ID",
                    "SKU",
                    "Item Name",
                    "Unit Price",
                    "Qty",
                ]
            },
            &[],
        ),
        kind(
            "names of Segment",
            |l| {
                l.names = [
                    "timestamp",
                    "event",
                    "anonymousId",
                    "session_id",
                    "product_id",
                    "name",
                    "price",
                    "quantity",
                ]
            },
            &["product_name"],
        ),
        kind(
            "names of REES46",
            |l| {
                l.names = [
                    "event_time",
                    "event_type",
                    "user_id",
                    "user_session",
                    "product_id",
                    "",
                    "price",
                    "",
                ];
                l.truth.iter_mut().for_each(|of| of.quantity = 1)
            },
            &[],
        ),
        kind(
            "names of a till",
            |l| {
                l.names = [
                    "InvoiceDate",
                    "type",
                    "Customer",
                    "Invoice",
                    "StockCode",
                    "Description",
                    "UnitPrice",
                    "Quantity",
                ]
            },
            &["product_name"],
        ),
        kind(
            "bare names",
            |l| l.names = ["date", "kind", "user", "visit", "item", "title", "price", "units"],
            TIME,
        ),
        kind(
            "names of nobody",
            |l| {
                l.names = [
                    "Zeit",
                    "Aktion",
                    "Kunde",
                    "Sitzung",
                    "Artikel",
                    "Bezeichnung",
                    "Preis",
                    "Menge",
                ]
            },
            ALL,
        ),
        kind("no header", |l| l.has_header = false, ALL),
    ],
    // How times are written.
    &[
        kind("RFC 3339", |l| (l.time, l.has_zone) = (|t| text(t, 0), true), &[]),
        kind("a blank and seconds", |l| l.time = |t| text(t, 1), &[]),
        kind(
            "milliseconds",
            |l| (l.time, l.has_zone) = (|t: OffsetDateTime| (t.unix_timestamp() * 1_000).to_string(), true),
            &[],
        ),
        kind("the day first", |l| l.time = |t| text(t, 2), &[]),
        kind(
            "the day first, to the 12th",
            |l| {
                first_days(l);
                l.time = |t| text(t, 2)
            },
            TIME,
        ),
        kind(
            "the month first, to the 12th",
            |l| {
                first_days(l);
                l.time = |t| text(t, 3)
            },
            TIME,
        ),
        kind("points", |l| l.time = |t| text(t, 4), &[]),
        kind("AM and PM", |l| l.time = |t| text(t, 5), &[]),
        kind(
            "date and time apart",
            |l| {
                l.time = |t| text(t, 6);
                l.time_of_day = Some(|t| text(t, 7))
            },
            &[],
        ),
        kind(
            "days only",
            |l| {
                l.truth
                    .iter_mut()
                    .for_each(|of| of.time = of.time.replace_time(time::Time::MIDNIGHT));
                l.time = |t| text(t, 6)
            },
            TIME,
        ),
    ],
    // How amounts are written.
    &[
        kind("a point", |l| l.amount = |cents| grouped(cents, "", '.'), &[]),
        kind("a comma", |l| l.amount = |cents| grouped(cents, "", ','), &[]),
        kind(
            "a comma and points",
            |l| l.amount = |cents| grouped(cents, ".", ','),
            &[],
        ),
        kind(
            "a point and commas",
            |l| l.amount = |cents| grouped(cents, ",", '.'),
            &[],
        ),
        kind(
            "blanks between thousands",
            |l| l.amount = |cents| grouped(cents, " ", ','),
            &[],
        ),
        kind(
            "yen",
            |l| {
                thousands(l);
                l.amount = |cents| whole(&grouped(cents, ",", '.'))
            },
            PRICE,
        ),
        kind(
            "rupiah",
            |l| {
                thousands(l);
                l.amount = |cents| whole(&grouped(cents, ".", ','))
            },
            PRICE,
        ),
        kind(
            "three decimals",
            |l| l.amount = |cents| grouped(cents, "", '.') + "0",
            PRICE,
        ),
        kind(
            "whole numbers",
            |l| {
                thousands(l);
                l.amount = |cents| (cents / 100).to_string()
            },
            PRICE,
        ),
        kind(
            "dollars",
            |l| l.amount = |cents| format!("${}", grouped(cents, ",", '.')),
            &[],
        ),
        kind("euros", |l| l.amount = |cents| grouped(cents, ".", ',') + " EUR", &[]),
        kind("cents", |l| l.amount = |cents| cents.to_string(), PRICE),
    ],
    // Which amounts there are.
    &[
        kind("a price", |_| {}, &[]),
        kind("a price and a total", |l| l.amounts.push(("total", line)), &[]),
        kind(
            "a total",
            |l| {
                l.names[6] = "amount";
                l.price = line
            },
            PRICE,
        ),
        kind("a price and a cost", |l| l.amounts.push(("unit_cost", cost)), &[]),
        kind(
            "a cost",
            |l| {
                l.names[6] = "cost";
                l.price = cost;
                l.truth.iter_mut().for_each(|of| of.cents = None)
            },
            PRICE,
        ),
        kind(
            "a price and a list price",
            |l| l.amounts.push(("list_price", |of| unit(of) * 2)),
            &[],
        ),
        kind(
            "a price and a sale price",
            |l| l.amounts.push(("sale_price", |of| unit(of) / 2)),
            PRICE,
        ),
    ],
    // Which words say what was done.
    &[
        kind("own words", |_| {}, &[]),
        kind(
            "words of REES46",
            |l| {
                l.word = |of| {
                    of.kind.map_or("", |kind| {
                        if kind == EventType::AddToCart {
                            "cart"
                        } else {
                            kind.as_str()
                        }
                    })
                }
            },
            &[],
        ),
        kind(
            "capitals",
            |l| {
                l.word = |of| match of.kind {
                    Some(EventType::View) => "VIEW",
                    Some(EventType::AddToCart) => "ADD_TO_CART",
                    _ => "PURCHASE",
                }
            },
            &[],
        ),
        kind(
            "the page of the cart",
            |l| {
                pages(l, None);
                l.word = |of| of.kind.map_or("cart", EventType::as_str)
            },
            &["event_type"],
        ),
        kind(
            "pages and items",
            |l| {
                pages(l, Some(EventType::PageView));
                l.word = |of| match of.kind {
                    Some(EventType::View) => "view_item",
                    Some(kind) => kind.as_str(),
                    None => "",
                }
            },
            &[],
        ),
        kind(
            "words of nobody",
            |l| {
                l.word = |of| match of.kind {
                    Some(EventType::View) => "look",
                    Some(EventType::AddToCart) => "take",
                    _ => "pay",
                };
                l.extra.push(("status", |of| {
                    if of.number.is_multiple_of(2) { "order" } else { "cart" }.into()
                }))
            },
            &["event_type"],
        ),
    ],
    // Which other times there are.
    &[
        kind("one time", |_| {}, &[]),
        kind(
            "a delivery",
            |l| {
                l.extra
                    .push(("delivered_at", |of| text(of.time + Duration::days(5), 1)))
            },
            &[],
        ),
        kind(
            "an upload",
            |l| {
                l.extra
                    .push(("received_at", |of| text(of.time + Duration::minutes(1), 1)))
            },
            &[],
        ),
        kind(
            "a birthday",
            |l| {
                l.extra.push(("birthday", |of| {
                    format!("2001-{:02}-{:02}", of.number % 12 + 1, of.number % 28 + 1)
                }))
            },
            &[],
        ),
        kind(
            "a deadline",
            |l| {
                l.extra
                    .push(("shipping_limit_date", |of| text(of.time + Duration::days(2), 1)))
            },
            &[],
        ),
        kind(
            "a creation",
            |l| l.extra.push(("created_at", |of| text(of.time - Duration::days(9), 1))),
            TIME,
        ),
    ],
    // Which ids events have.
    &[
        kind("no ids", |_| {}, &[]),
        kind(
            "ids",
            |l| l.extra.push(("event_id", |of| format!("e-{}", of.number))),
            &[],
        ),
        kind(
            "ids of visitors",
            |l| {
                l.extra
                    .push(("uuid", |of| format!("0b5d7c9e-1111-4222-8333-{:012}", of.number % 3)))
            },
            &[],
        ),
        kind(
            "rows sent again",
            |l| {
                l.truth.extend_from_within(3..6);
                l.extra.push(("event_id", |of| format!("e-{}", of.number)))
            },
            &[],
        ),
    ],
    // What is written where there is no value.
    &[
        kind("empty", |_| {}, &[]),
        kind(
            "NULL",
            |l| {
                gaps(l);
                l.null = "NULL"
            },
            &[],
        ),
        kind(
            "(not set)",
            |l| {
                gaps(l);
                l.null = "(not set)"
            },
            &[],
        ),
        kind(
            "\\N",
            |l| {
                gaps(l);
                l.null = "\\N"
            },
            &[],
        ),
        kind(
            "guest",
            |l| {
                guests(l);
                l.null = "guest"
            },
            &[],
        ),
    ],
    // What other columns there are.
    &[
        kind("nothing else", |_| {}, &[]),
        kind(
            "a column of pandas",
            |l| l.extra.insert(0, ("", |of| of.number.to_string())),
            &[],
        ),
        kind(
            "an empty user",
            |l| {
                l.user = |_| None;
                l.names[2] = "user_id";
                l.extra
                    .push(("user_pseudo_id", |of| of.user.clone().unwrap_or_default()))
            },
            &["user_id"],
        ),
        kind(
            "a second user",
            |l| {
                // Beside a name of nobody, this would be the only user by its name.
                if l.names[2] != "Kunde" {
                    l.extra
                        .push(("customer_unique_id", |of| format!("person-{}", of.number % 3)))
                }
            },
            &["user_id"],
        ),
        kind(
            "a zone",
            |l| {
                l.behind = Duration::hours(8);
                l.extra.push(("timezone", |_| "PST".into()))
            },
            TIME,
        ),
        kind(
            "an offset",
            |l| {
                l.behind = Duration::hours(8);
                l.extra.push(("utc_offset", |_| "-08:00".into()))
            },
            &[],
        ),
        kind(
            "numbers of visits",
            |l| {
                l.names[3] = "visit";
                l.session = |of| (of.number % 3 + 1).to_string()
            },
            &["session_id"],
        ),
        kind(
            "stock and weight",
            |l| {
                l.extra.push(("stock_quantity", |of| (of.number * 7).to_string()));
                l.extra.push(("weight", |_| "0.250".into()))
            },
            &[],
        ),
        kind(
            "a person",
            |l| {
                if l.names[5] != "name" {
                    l.extra.push(("name", |of| format!("Ann {}", of.number)))
                }
            },
            &[],
        ),
    ],
    // Delimiters.
    &[
        kind("commas", |_| {}, &[]),
        kind("semicolons", |l| l.delimiter = ';', &[]),
        kind("tabs", |l| l.delimiter = '\t', &[]),
        kind("bars", |l| l.delimiter = '|', &[]),
    ],
    // Quotes.
    &[
        kind("quotes where they must be", |_| {}, &[]),
        kind("quotes everywhere", |l| l.quote = ('"', true), &[]),
        kind("single quotes", |l| l.quote = ('\'', true), &[]),
    ],
    // Line ends.
    &[kind("LF", |_| {}, &[]), kind("CRLF", |l| l.line_end = "\r\n", &[])],
    // Bytes.
    &[
        kind("no mark", |_| {}, &[]),
        kind(
            "a byte order mark",
            |l| l.bytes = |text| format!("\u{feff}{text}").into_bytes(),
            &[],
        ),
    ],
];

fn unit(of: &Truth) -> i64 {
    of.cents.unwrap_or(777)
}

fn line(of: &Truth) -> i64 {
    unit(of) * of.quantity
}

fn cost(of: &Truth) -> i64 {
    unit(of) / 3
}

/// Moves all days to the first twelve of their month.
fn first_days(layout: &mut Layout) {
    for of in &mut layout.truth {
        of.time = of.time.replace_day(of.time.day() % 12 + 1).unwrap();
    }
}

/// Makes all prices whole numbers from 1,000, of which the last digit is 0.
fn thousands(layout: &mut Layout) {
    layout
        .truth
        .iter_mut()
        .for_each(|of| of.cents = of.cents.map(|cents| (cents % 900 + 100) * 1_000));
}

/// Makes some rows pages, of that kind; `None`: they are no events.
fn pages(layout: &mut Layout, kind: Option<EventType>) {
    layout
        .truth
        .iter_mut()
        .filter(|of| of.number % 4 == 1)
        .for_each(|of| of.kind = kind);
}

/// Makes some users and names unknown.
fn gaps(layout: &mut Layout) {
    let unknown = layout.truth.iter_mut().filter(|of| of.number % 7 == 2);
    unknown.for_each(|of| (of.user, of.name) = (None, None));
}

/// Makes some users unknown.
fn guests(layout: &mut Layout) {
    layout
        .truth
        .iter_mut()
        .filter(|of| of.number % 5 == 0)
        .for_each(|of| of.user = None);
}

fn text(time: OffsetDateTime, form: usize) -> String {
    let written = match form {
        0 => time.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")),
        1 => time.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")),
        2 => time.format(format_description!("[day]/[month]/[year] [hour]:[minute]")),
        3 => time.format(format_description!("[month]/[day]/[year] [hour]:[minute]")),
        4 => time.format(format_description!("[day].[month].[year] [hour]:[minute]")),
        5 => time.format(format_description!(
            "[month]/[day]/[year] [hour repr:12]:[minute] [period]"
        )),
        6 => time.format(format_description!("[year]-[month]-[day]")),
        _ => time.format(format_description!("[hour]:[minute]:[second]")),
    };
    written.unwrap()
}

/// An amount with two decimals and groups of thousands.
fn grouped(cents: i64, thousands: &str, decimal: char) -> String {
    let mut whole = (cents / 100).to_string();
    for at in (1..whole.len())
        .rev()
        .filter(|at| (whole.len() - at).is_multiple_of(3))
        .collect::<Vec<_>>()
    {
        whole.insert_str(at, thousands);
    }
    format!("{whole}{decimal}{:02}", cents % 100)
}

/// An amount without its decimals.
fn whole(amount: &str) -> String {
    amount[..amount.len() - 3].to_owned()
}

impl Layout {
    /// A plain file of our own columns.
    fn plain() -> Self {
        let kinds = [EventType::View, EventType::AddToCart, EventType::Purchase];
        let truth = (0..24_usize).map(|n| Truth {
            time: datetime!(2024-03-01 00:05 UTC) + Duration::minutes(n as i64 * 1_637),
            kind: Some(kinds[n % 3]),
            user: Some(format!("u{}", n % 7)),
            session: format!("s{}", n % 7 + n / 12 * 7),
            product: format!("p-{}", n % 5),
            name: Some(format!("Lamp {}", ["red", "blue", "green", "white", "black"][n % 5])),
            cents: Some(1_005 + (n as i64 * 7_919) % 250_000),
            quantity: (n % 4 + 1) as i64,
            number: n,
        });
        Self {
            kinds: Vec::new(),
            doubtful: BTreeSet::new(),
            truth: truth.collect(),
            names: [
                "event_time",
                "event_type",
                "user_id",
                "session_id",
                "product_id",
                "product_name",
                "price",
                "quantity",
            ],
            has_header: true,
            delimiter: ',',
            quote: ('"', false),
            line_end: "\n",
            time: |t| text(t, 0),
            has_zone: false,
            behind: Duration::ZERO,
            time_of_day: None,
            amount: |cents| grouped(cents, "", '.'),
            price: unit,
            word: |of| of.kind.map_or("", EventType::as_str),
            null: "",
            user: |of| of.user.clone(),
            session: |of| of.session.clone(),
            amounts: Vec::new(),
            extra: Vec::new(),
            bytes: String::into_bytes,
        }
    }

    /// The file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let is_there = |at: usize| !self.names[at].is_empty();
        let mut names: Vec<String> = (0..8)
            .filter(|at| is_there(*at))
            .map(|at| self.names[at].to_owned())
            .collect();
        names.extend(self.time_of_day.map(|_| {
            if self.names[0] == "Zeit" {
                "Uhrzeit"
            } else {
                "time of day"
            }
            .to_owned()
        }));
        names.extend(self.amounts.iter().map(|(name, _)| (*name).to_owned()));
        names.extend(self.extra.iter().map(|(name, _)| (*name).to_owned()));
        if self.has_header {
            rows.push(names);
        }
        for of in &self.truth {
            let local = if self.has_zone { of.time } else { of.time - self.behind };
            let null = || self.null.to_owned();
            let event = [
                (self.time)(local),
                (self.word)(of).to_owned(),
                (self.user)(of).unwrap_or_else(null),
                (self.session)(of),
                of.product.clone(),
                of.name.clone().unwrap_or_else(null),
                (self.amount)((self.price)(of)),
                of.quantity.to_string(),
            ];
            let mut row: Vec<String> = event
                .into_iter()
                .enumerate()
                .filter(|(at, _)| is_there(*at))
                .map(|(_, value)| value)
                .collect();
            row.extend(self.time_of_day.map(|time| time(local)));
            row.extend(self.amounts.iter().map(|(_, amount)| (self.amount)(amount(of))));
            row.extend(self.extra.iter().map(|(_, value)| value(of)));
            rows.push(row);
        }
        let (quote, everywhere) = self.quote;
        let quoted = |value: &String| match everywhere || value.contains([self.delimiter, quote]) {
            true => format!("{quote}{value}{quote}"),
            false => value.clone(),
        };
        let lines = rows.iter().map(|row| {
            let fields: Vec<String> = row.iter().map(quoted).collect();
            fields.join(&self.delimiter.to_string()) + self.line_end
        });
        (self.bytes)(lines.collect())
    }
}

/// Layouts in which every kind of each trait comes together with every kind of each other trait.
pub(crate) fn all_pairs() -> Vec<Layout> {
    pairs_of(|_| true)
}

/// The same of the kinds about which nobody has to decide anything.
pub(crate) fn clear_pairs() -> Vec<Layout> {
    pairs_of(|kind| kind.doubtful.is_empty())
}

fn pairs_of(is_wanted: fn(&Kind) -> bool) -> Vec<Layout> {
    let wanted = |of: &[Kind]| (0..of.len()).filter(|kind| is_wanted(&of[*kind])).collect::<Vec<_>>();
    let traits: Vec<Vec<usize>> = TRAITS.iter().map(|of| wanted(of)).collect();
    let mut open: BTreeSet<[(usize, usize); 2]> = BTreeSet::new();
    for a in 0..traits.len() {
        for b in a + 1..traits.len() {
            let pairs = traits[a]
                .iter()
                .flat_map(|i| traits[b].iter().map(move |j| [(a, *i), (b, *j)]));
            open.extend(pairs);
        }
    }
    let mut layouts = Vec::new();
    while let Some(seed) = open.first().copied() {
        let mut chosen: Vec<Option<usize>> = vec![None; TRAITS.len()];
        seed.iter().for_each(|(of, kind)| chosen[*of] = Some(*kind));
        for of in 0..TRAITS.len() {
            if chosen[of].is_some() {
                continue;
            }
            // The kind that makes the most new pairs; of several, the next in turn.
            let gain = |kind: usize| {
                let pairs = chosen
                    .iter()
                    .enumerate()
                    .filter_map(|(other, chosen)| Some((other, (*chosen)?)));
                pairs.filter(|other| open.contains(&sorted((of, kind), *other))).count()
            };
            let count = traits[of].len();
            let turn = |at: usize| (at + count - layouts.len() % count) % count;
            let best = (0..count).max_by_key(|at| (gain(traits[of][*at]), turn(*at)));
            chosen[of] = best.map(|at| traits[of][at]);
        }
        let chosen: Vec<(usize, usize)> = chosen
            .into_iter()
            .enumerate()
            .filter_map(|(of, kind)| Some((of, kind?)))
            .collect();
        open.retain(|pair| !pair.iter().all(|of| chosen.contains(of)));
        let mut layout = Layout::plain();
        for (of, kind) in chosen {
            let kind = &TRAITS[of][kind];
            (kind.apply)(&mut layout);
            layout.doubtful.extend(kind.doubtful);
            layout.kinds.push(kind.name.to_owned());
        }
        layouts.push(layout);
    }
    layouts
}

fn sorted(a: (usize, usize), b: (usize, usize)) -> [(usize, usize); 2] {
    if a < b { [a, b] } else { [b, a] }
}
