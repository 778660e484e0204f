//! Finds the columns of users, sessions, products and event ids by their names, and looks at the values for what speaks against them.

use std::collections::HashMap;

use super::column::{Column, shortened};
use super::relations;
use super::synonyms::{Standing, standing};
use super::verdict::{Candidate, Verdict};
use crate::event::Event;

/// A column with more gaps is hardly that of a field that every event has, unless it has just its name.
const MAX_GAPS_PERCENT: f64 = 50.0;

/// Finds the column for `field` among those that `is_free`. A second column whose name is as good is a rival, unless it has the same
/// values; so is one with fewer gaps. `against` says what the values say against a column.
pub(super) fn by_name(
    field: &str,
    columns: &[Column],
    is_free: impl Fn(usize) -> bool,
    against: impl Fn(&Column) -> Option<String>,
) -> Verdict {
    let named = (0..columns.len()).filter(|at| is_free(*at));
    let mut named: Vec<(Standing, usize, usize)> = named
        .filter_map(|at| standing(field, &columns[at].name).map(|(standing, rank)| (standing, rank, at)))
        .collect();
    named.sort_unstable();
    // Other names are exact enough to win, but a file can have users and customers, who are known by several ids.
    let is_user = field == "user_id";
    let Some(((best_standing, _, best), rest)) = named.split_first() else {
        return Verdict::Unknown;
    };
    let column = &columns[*best];
    let is_alike = |standing: Standing| match (best_standing, standing) {
        (Standing::Own, Standing::Sure) => is_user,
        (Standing::Own, _) => false,
        (Standing::Sure, Standing::Likely) => is_user,
        (best, other) => *best == other,
    };
    let is_required = Event::REQUIRED_COLUMNS.contains(&field);
    let mut rivals = Vec::new();
    for (standing, _, at) in rest {
        let other = &columns[*at];
        if relations::same(column, other)
            || relations::one_to_one(column, other)
            || (is_user && relations::alike(column, other))
        {
            continue;
        }
        if is_required && other.gaps() < column.gaps() {
            rivals.push(Candidate::new(*at, "it has fewer gaps"));
        } else if is_alike(*standing) && !other.values.is_empty() {
            rivals.push(Candidate::new(*at, "its name is as good"));
        }
    }
    let best_is_too_empty = match best_standing {
        Standing::Own => column.values.is_empty(),
        Standing::Sure | Standing::Likely => column.nulls_percent() > MAX_GAPS_PERCENT,
    };
    let has_fewer_gaps = |rival: &Candidate| is_required && columns[rival.column].gaps() < column.gaps();
    let doubt = match against(column) {
        Some(doubt) => Some(doubt),
        None if rivals.iter().any(has_fewer_gaps) => {
            Some("rows without a value would be rejected, and another column has more values".to_owned())
        }
        None if is_required && best_is_too_empty => Some("most rows have no value and would be rejected".to_owned()),
        None if rivals.is_empty() => None,
        None => Some("it is not the only column with such a name".to_owned()),
    };
    match doubt {
        None => Verdict::clear(*best),
        Some(doubt) => {
            let first = std::iter::once(Candidate::new(*best, doubt));
            Verdict::Doubtful(first.chain(rivals).collect())
        }
    }
}

/// What the values say against a column of event ids: an id is there once, except in rows that are sent again as a whole.
pub(super) fn against_event_id(columns: &[Column], column: &Column) -> Option<String> {
    let mut first_rows: HashMap<&str, usize> = HashMap::new();
    let mut repeated = 0;
    let mut example = None;
    for (row, id) in column.cells.iter().enumerate().filter(|(_, id)| !id.is_empty()) {
        let first = *first_rows.entry(id).or_insert(row);
        if columns.iter().any(|column| column.cells[row] != column.cells[first]) {
            repeated += 1;
            example = example.or(Some(id));
        }
    }
    let example = example?;
    Some(format!(
        "its values repeat: {repeated} of {} rows have the value of an earlier row that is another, such as {}. As the id, it would make \
         them duplicates, or not one event",
        column.values.len(),
        shortened(example)
    ))
}

/// What the values say against a column of sessions: the numbers of a user's visits, 1, 2, 3, are shared by all users. Two users in one
/// session can be a guest who logs in.
pub(super) fn against_session(users: Option<&Column>, column: &Column) -> Option<String> {
    const MANY_USERS: usize = 3;
    const MIN_SHARED: usize = 3;
    let Some(users) = users else {
        let is_small = |value: &String| value.len() <= 2 && value.bytes().all(|byte| byte.is_ascii_digit());
        let is_count = !column.values.is_empty() && column.values.iter().all(is_small);
        return is_count
            .then(|| "its values are small numbers, so it may be a number of visits and not of one visit".to_owned());
    };
    let (shared, repeated) = relations::shared(column, users, MANY_USERS);
    (shared >= MIN_SHARED && shared * 5 >= repeated).then(|| {
        format!("{shared} of its values come with several users, so it may be a number of visits and not of one visit")
    })
}

/// What the values say against a column of products: texts with blanks are names.
pub(super) fn against_product(column: &Column) -> Option<String> {
    let is_name = |value: &str| value.trim().contains(' ') && value.contains(char::is_alphabetic);
    let names = column.values.iter().filter(|value| is_name(value)).count();
    (names * 5 > column.values.len())
        .then(|| "its values read like names, which may change or be there twice".to_owned())
}

/// What the values say against a column of names of products. Each product has one name.
pub(super) fn against_product_name(products: Option<&Column>, column: &Column) -> Option<String> {
    let is_sure = standing("product_name", &column.name).is_some_and(|(standing, _)| standing < Standing::Likely);
    if !column.values.is_empty() && !column.mostly(|value| value.contains(char::is_alphabetic)) {
        return Some("its values have no letters: it may be the name of an order or of something else".to_owned());
    }
    if is_sure {
        return None;
    }
    let Some(products) = products else {
        return Some(
            "it may be the name of something else, and there is no column of products to compare it with".to_owned(),
        );
    };
    match relations::depends(products, column) {
        true => None,
        false => Some(format!(
            "one value of {:?} comes with several values here, so it may be the name of something else, such as a person or a page",
            products.name
        )),
    }
}
