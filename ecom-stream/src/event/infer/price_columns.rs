//! Finds the column of the price of one piece, among amounts of other kinds: the total of a line, a cost, a price before a discount.
//!
//! Names tell the kinds apart; the values say whether price × quantity is the total.

use super::column::{Column, shortened};
use super::names::{BEFORE_DISCOUNT, COSTS, OTHER_AMOUNTS, SMALL_UNITS, TOTALS, UNIT_PRICES, word_of, words};
use super::prices::{Reading, are_numbers, look_like_prices, number};
use super::relations;
use super::synonyms::{Standing, standing};
use super::verdict::{Candidate, Verdict};
use crate::event::{Event, PriceFormat};

/// What kind of amount a column has, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The price of one piece.
    Unit,
    /// The amount of a line or of an order.
    Total,
    /// What the shop paid.
    Cost,
    /// The price without a discount.
    Before,
}

/// An amount of a column, read as a number.
struct Amount<'a> {
    at: usize,
    column: &'a Column,
    format: PriceFormat,
}

impl Amount<'_> {
    fn in_row(&self, row: usize) -> Option<f64> {
        number(self.format, self.column.cells.get(row)?)
    }
}

/// The columns of amounts of any kind, by their names.
pub(super) fn money(columns: &[Column]) -> Vec<&Column> {
    let is_money = |column: &&Column| kind(&column.name).is_some() || word_of(&column.name, OTHER_AMOUNTS).is_some();
    columns.iter().filter(is_money).collect()
}

/// Finds the column among those that `is_free`. `quantity` is the column of the number of pieces, if there is one; `order` that of orders
/// or sessions.
pub(super) fn find(
    columns: &[Column],
    is_free: impl Fn(usize) -> bool,
    quantity: Option<&Column>,
    order: Option<&Column>,
) -> Verdict {
    let money = money(columns);
    let amount = |at: usize| Amount {
        at,
        column: &columns[at],
        format: Reading::of(&columns[at], &money).format,
    };
    let of_kind = |wanted: Kind| -> Vec<Amount<'_>> {
        let free = (0..columns.len()).filter(|at| is_free(*at));
        free.filter(|at| kind(&columns[*at].name) == Some(wanted))
            .map(amount)
            .collect()
    };
    let (mut units, totals) = (of_kind(Kind::Unit), of_kind(Kind::Total));
    // A column called "Price" is surer than one called "sale price"; of the same values, one is enough.
    units.sort_by_key(|unit| words(&unit.column.name) != ["price"]);
    let (costs, before) = (of_kind(Kind::Cost), of_kind(Kind::Before));
    // The real price may have a name in another language.
    let unnamed = (0..columns.len()).filter(|at| is_free(*at) && says_nothing(&columns[*at]));
    let unnamed: Vec<usize> = unnamed.filter(|at| look_like_prices(&columns[*at])).collect();
    let Some((unit, more)) = units.split_first() else {
        let mut unnamed_pieces = columns
            .iter()
            .filter(|column| says_nothing(column) && look_like_pieces(column));
        return without_unit(
            totals,
            costs,
            before,
            &unnamed,
            quantity.or_else(|| unnamed_pieces.next()),
            order,
        );
    };
    // Of two, the one that makes the other by the quantity is that of one piece.
    let multiplied = |unit: &Amount<'_>, total: &Amount<'_>| quantity.map(|of| product(unit, of, total));
    if let [other] = more {
        for (one, line) in [(unit, other), (other, unit)] {
            if multiplied(one, line).is_some_and(|found| found.is_product()) {
                let line = &line.column.name;
                let note = format!(
                    "{:?} × {:?} is {line:?}.",
                    one.column.name,
                    quantity.map(|of| &of.name).unwrap_or(line)
                );
                return Verdict::Clear {
                    column: one.at,
                    notes: vec![note],
                };
            }
        }
    }
    let rivals: Vec<&Amount<'_>> = more
        .iter()
        .filter(|other| !relations::same(unit.column, other.column))
        .collect();
    let mut doubts = Vec::new();
    let is_known = standing("price", &unit.column.name).is_some_and(|(standing, _)| standing < Standing::Likely);
    if !is_known && !unnamed.is_empty() {
        doubts.push("another column looks like prices, and the name of neither is a usual one".to_owned());
    }
    if let Some(word) = word_of(&unit.column.name, SMALL_UNITS) {
        let scale = if word.starts_with("micro") { 6 } else { 2 };
        doubts.push(format!(
            "by its name (\"{word}\") it is not in whole units of the currency: it needs scale = {scale} at the top"
        ));
    }
    for total in totals.iter().filter(|_| says_nothing_of_pieces(unit.column)) {
        if let Some(example) = multiplied(unit, total).and_then(Products::against) {
            doubts.push(format!("it may be the total of the line: {example}"));
            break;
        }
    }
    if doubts.is_empty() && rivals.is_empty() {
        let mut notes = Vec::new();
        if are_whole(unit) {
            notes.push("Whole numbers only: if they are cents, add scale = 2 at the top.".to_owned());
        }
        return Verdict::Clear { column: unit.at, notes };
    }
    if doubts.is_empty() {
        doubts.push("it is not the only column that may have the price of one piece".to_owned());
    }
    let first = std::iter::once(Candidate::new(unit.at, doubts.join("; ")));
    let rivals = rivals
        .into_iter()
        .map(|rival| Candidate::new(rival.at, "it may be the price of one piece as well"));
    let totals = totals
        .iter()
        .map(|total| Candidate::new(total.at, "by its name it is the amount of a line or of an order"));
    let unnamed = unnamed
        .into_iter()
        .filter(|_| !is_known)
        .map(|at| Candidate::new(at, "its values look like prices"));
    Verdict::Doubtful(first.chain(rivals).chain(totals).chain(unnamed).collect())
}

/// Decides if no name speaks of the price of one piece.
fn without_unit(
    totals: Vec<Amount<'_>>,
    costs: Vec<Amount<'_>>,
    before: Vec<Amount<'_>>,
    unnamed: &[usize],
    quantity: Option<&Column>,
    order: Option<&Column>,
) -> Verdict {
    let is_lone = costs.is_empty() && before.is_empty() && unnamed.is_empty() && totals.len() == 1;
    if let Some(total) = totals.first().filter(|_| is_lone && quantity.is_none()) {
        let doubt = match order {
            _ if are_whole(total) => Some("whole numbers only: it may be a number of pieces, or cents".to_owned()),
            Some(order) if is_repeated(order, total.column) => Some(format!(
                "all rows of one {:?} have the same amount: it may be the total of the order, which is then counted once a row",
                order.name
            )),
            _ => None,
        };
        return match doubt {
            None => Verdict::clear(total.at),
            Some(doubt) => Verdict::Doubtful(vec![Candidate::new(total.at, doubt)]),
        };
    }
    let why_total = |total: &Amount<'_>| match quantity.and_then(|of| line(total, of)) {
        Some((amount, pieces, product)) => format!(
            "it may be the total of the line: {amount} for {pieces} pieces, or {product:.2} if it is the price of one"
        ),
        None => "by its name it is the amount of a line or of an order".to_owned(),
    };
    let mut candidates: Vec<Candidate> = totals
        .iter()
        .map(|total| Candidate::new(total.at, why_total(total)))
        .collect();
    candidates.extend(
        costs
            .iter()
            .map(|cost| Candidate::new(cost.at, "it may be what the shop paid, not the shopper")),
    );
    candidates.extend(
        before
            .iter()
            .map(|price| Candidate::new(price.at, "by its name it is a price without a discount")),
    );
    if candidates.is_empty() {
        return Verdict::Unknown;
    }
    candidates.extend(
        unnamed
            .iter()
            .map(|at| Candidate::new(*at, "its values look like prices")),
    );
    Verdict::Doubtful(candidates)
}

/// What kind of amount a name speaks of.
fn kind(name: &str) -> Option<Kind> {
    let words = words(name);
    let has = |word: &str| words.iter().any(|of| of == word);
    // "purchase price" and "buying price" are what a shop pays, but only for goods that it sells on.
    if word_of(name, COSTS).is_some() || (has("purchase") && has("price")) {
        return Some(Kind::Cost);
    }
    if has("date")
        || has("time")
        || has("id")
        || has("code")
        || has("currency")
        || word_of(name, OTHER_AMOUNTS).is_some()
    {
        return None;
    }
    let is_price = word_of(name, UNIT_PRICES).is_some();
    if is_price && word_of(name, BEFORE_DISCOUNT).is_some() {
        return Some(Kind::Before);
    }
    // "line item price" is not the price of a line.
    let of_piece = ["unit", "item", "each", "piece"].iter().any(|word| has(word));
    let is_total = word_of(name, TOTALS).is_some_and(|word| word != "line" || (is_price && !of_piece));
    match (is_total, is_price) {
        (true, _) if has("unit") => Some(Kind::Unit),
        (true, _) => Some(Kind::Total),
        (false, true) => Some(Kind::Unit),
        (false, false) => None,
    }
}

/// Whether the name says neither that it is an amount nor that it is something else.
fn says_nothing(column: &Column) -> bool {
    let is_amount = kind(&column.name).is_some() || word_of(&column.name, OTHER_AMOUNTS).is_some();
    let is_field = Event::COLUMNS
        .iter()
        .any(|field| standing(field, &column.name).is_some());
    !is_amount && !is_field
}

/// Whether the values look like numbers of pieces: small whole numbers from 1, which come again and again.
fn look_like_pieces(column: &Column) -> bool {
    let pieces = || column.values.iter().map(|value| value.parse::<u32>().ok());
    pieces().all(|pieces| pieces.is_some_and(|pieces| (1..1_000).contains(&pieces)))
        && pieces().flatten().any(|pieces| pieces > 1)
        && column.distinct_count() < column.values.len()
}

/// Whether an amount may be that of the whole line.
pub(super) fn may_be_of_line(column: &Column) -> bool {
    says_nothing_of_pieces(column) && !matches!(kind(&column.name), Some(Kind::Cost | Kind::Before))
}

/// Whether the name leaves open whether it is the price of one piece or of all.
fn says_nothing_of_pieces(column: &Column) -> bool {
    let words = words(&column.name);
    !["unit", "item", "lineitem", "piece", "each", "unitprice", "itemprice"]
        .iter()
        .any(|word| words.iter().any(|of| of == word))
}

/// Whether all amounts are whole numbers of three digits or more, as cents are.
fn are_whole(amount: &Amount<'_>) -> bool {
    let values = &amount.column.values;
    !values.is_empty()
        && are_numbers(amount.column, amount.format)
        && values
            .iter()
            .all(|value| value.len() >= 3 && value.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether an order with several rows has the same amount in all of them, and no order has several amounts.
fn is_repeated(order: &Column, amount: &Column) -> bool {
    let (_, repeated) = relations::shared(order, amount, 2);
    repeated > 0 && amount.distinct_count() > 1 && relations::depends(order, amount)
}

/// The first row with more than one piece: amount, pieces and their product.
fn line(total: &Amount<'_>, quantity: &Column) -> Option<(String, String, f64)> {
    (0..quantity.cells.len()).find_map(|row| {
        let pieces = number(PriceFormat::default(), &quantity.cells[row]).filter(|pieces| *pieces > 1.0)?;
        let amount = total.in_row(row)?;
        Some((
            total.column.cells[row].clone(),
            quantity.cells[row].clone(),
            amount * pieces,
        ))
    })
}

/// How a price, the quantity and a total relate in the rows with more than one piece.
#[derive(Debug, Default)]
struct Products {
    rows: usize,
    /// In how many rows price × quantity is the total.
    equal: usize,
    /// The first row in which it is not.
    example: Option<String>,
}

impl Products {
    /// Whether price × quantity is the total in nearly all rows.
    fn is_product(&self) -> bool {
        self.rows > 0 && self.equal * 10 >= self.rows * 9
    }

    /// A row that speaks against the price being that of one piece, if most rows do.
    fn against(self) -> Option<String> {
        self.example.filter(|_| self.equal * 2 < self.rows)
    }
}

fn product(unit: &Amount<'_>, quantity: &Column, total: &Amount<'_>) -> Products {
    const HALF_A_CENT: f64 = 0.005;
    let mut found = Products::default();
    for row in 0..quantity.cells.len() {
        let pieces = number(PriceFormat::default(), &quantity.cells[row]).filter(|pieces| *pieces > 1.0);
        let (Some(pieces), Some(price), Some(amount)) = (pieces, unit.in_row(row), total.in_row(row)) else {
            continue;
        };
        found.rows += 1;
        if (price * pieces - amount).abs() <= HALF_A_CENT * pieces + f64::EPSILON * amount {
            found.equal += 1;
        } else if found.example.is_none() {
            found.example = Some(format!(
                "{} × {} is not {} of {:?}",
                shortened(&unit.column.cells[row]),
                shortened(&quantity.cells[row]),
                shortened(&total.column.cells[row]),
                total.column.name
            ));
        }
    }
    found
}
