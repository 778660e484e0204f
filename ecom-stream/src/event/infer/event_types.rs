//! Finds the column that says what a shopper did, and what its words mean.

use std::collections::BTreeSet;

use super::column::{Column, shortened};
use super::names::{STATES, word_of};
use super::relations;
use super::synonyms::{self, Standing, plain, standing};
use super::verdict::{Candidate, Verdict};
use crate::event::EventType;

/// The field that is looked for.
const FIELD: &str = "event_type";
/// A column of types has few words, which come again and again.
const MAX_WORDS: usize = 150;

/// A column that may have event types.
struct Kinds {
    at: usize,
    standing: Option<(Standing, usize)>,
    /// How many event types its words stand for.
    kinds: usize,
    /// Whether one of its words can hardly mean anything else.
    is_sure: bool,
}

/// Finds the column, or those that may be it. `is_taken` says which columns have times.
pub(super) fn find(columns: &[Column], is_taken: impl Fn(usize) -> bool) -> Verdict {
    let free = || (0..columns.len()).filter(|at| !is_taken(*at));
    let mut all: Vec<Kinds> = free().filter_map(|at| Kinds::of(at, &columns[at])).collect();
    all.sort_by_key(|kinds| (kinds.tier(), std::cmp::Reverse(kinds.kinds), kinds.standing));
    let Some((best, rest)) = all.split_first() else {
        return Verdict::Unknown;
    };
    let is_rival = |other: &&Kinds| {
        let is_same = relations::same(&columns[best.at], &columns[other.at]);
        !is_same && (other.tier() == best.tier() || (best.kinds == 0 && other.kinds > 0))
    };
    let rivals: Vec<&Kinds> = match best.tier() {
        0 if best.kinds > 0 => Vec::new(),
        _ => rest.iter().filter(is_rival).collect(),
    };
    // Words such as "cart" and "order" in a column without a name may be states, and the types words that are not known.
    let is_open = best.standing.is_none() && !best.is_sure;
    let unnamed = free().filter(|at| is_open && *at != best.at && has_few_words(&columns[*at]));
    let unnamed: Vec<usize> = unnamed.collect();
    let doubt = match word_of(&columns[best.at].name, STATES).filter(|_| best.standing.is_none()) {
        Some(word) => Some(format!(
            "its name (\"{word}\") speaks of a state, not of what a shopper did"
        )),
        None if rivals.is_empty() && unnamed.is_empty() => None,
        None => Some(match best.kinds {
            0 => "by its name; none of its words is known".to_owned(),
            kinds => format!("words for {kinds} event types are in it, but not in it alone"),
        }),
    };
    let Some(doubt) = doubt else {
        let also = rest.iter().filter(|other| other.kinds > 0).map(|other| {
            let column = &columns[other.at];
            format!("{:?} has words for event types too: {}", column.name, column.samples())
        });
        return Verdict::Clear {
            column: best.at,
            notes: also.collect(),
        };
    };
    let as_rival = |rival: &&Kinds| match rival.kinds {
        0 => Candidate::new(rival.at, "by its name"),
        kinds => Candidate::new(rival.at, format!("it has words for {kinds} event types")),
    };
    let first = std::iter::once(Candidate::new(best.at, doubt));
    let unnamed = unnamed
        .into_iter()
        .filter(|at| rivals.iter().all(|rival| rival.at != *at));
    let unnamed: Vec<Candidate> = unnamed
        .map(|at| Candidate::new(at, "it has a few words that come again"))
        .collect();
    Verdict::Doubtful(first.chain(rivals.iter().map(as_rival)).chain(unnamed).collect())
}

impl Kinds {
    /// The column, if its name or more than half of its values speak of event types.
    fn of(at: usize, column: &Column) -> Option<Self> {
        let standing = standing(FIELD, &column.name);
        let known = column
            .values
            .iter()
            .filter(|word| synonyms::event_type(word).is_some())
            .count();
        let words = || column.distinct().filter_map(|(word, _)| synonyms::event_type(word));
        let kinds = match known * 2 >= column.values.len() || standing.is_some() {
            true => words().map(|(of, _)| of.as_str()).collect::<BTreeSet<_>>().len(),
            false => 0,
        };
        let has_few_words = column.distinct_count() <= MAX_WORDS;
        (kinds > 0 || (standing.is_some() && has_few_words)).then(|| Self {
            at,
            standing,
            kinds,
            is_sure: words().any(|(_, is_sure)| is_sure),
        })
    }

    fn tier(&self) -> u8 {
        match (self.standing, self.kinds) {
            (Some((Standing::Own, _)), _) => 0,
            (Some(_), 1..) => 1,
            (Some((Standing::Sure, _)), 0) => 2,
            (None, _) => 3,
            (Some(_), 0) => 4,
        }
    }
}

/// What a word of a column of types means.
#[derive(Debug)]
pub(super) struct Word<'a> {
    pub(super) word: &'a str,
    pub(super) count: usize,
    /// `None` if a person must say it.
    pub(super) meaning: Option<EventType>,
    /// Why a word that is known is left to a person.
    pub(super) doubt: Option<String>,
}

/// The words of a column with their meanings. If several words seem to mean the same, at most the one that can hardly mean anything
/// else is translated: beside `add_to_cart`, the word `cart` is perhaps the page of the cart.
pub(super) fn meanings(column: &Column) -> Vec<Word<'_>> {
    let words: Vec<(&str, usize)> = column.distinct().collect();
    let meaning = |(word, count): &(&'_ str, usize)| {
        let (meaning, doubt) = match synonyms::event_type(word) {
            None => (None, None),
            Some((of, is_sure)) => {
                let mut rivals = words.iter().filter(|(other, _)| {
                    let is_same = |(other_of, _): (EventType, bool)| other_of == of;
                    plain(other) != plain(word) && synonyms::event_type(other).is_some_and(is_same)
                });
                // Our own name is always kept, and a word that is sure beside those that are not.
                let is_weaker = |other: &str| {
                    let other_is_sure = synonyms::event_type(other).is_some_and(|(_, is_sure)| is_sure);
                    plain(word) != plain(of.as_str()) && (!is_sure || other_is_sure)
                };
                match rivals.find(|(other, _)| is_weaker(other)) {
                    Some((other, _)) => {
                        let other = shortened(other);
                        let doubt = format!("{word:?} may mean {of}, but {other} does so too: what is the difference?");
                        (None, Some(doubt))
                    }
                    None => (Some(of), None),
                }
            }
        };
        (*count, meaning, doubt)
    };
    let found: Vec<_> = words.iter().map(meaning).collect();
    let joined = words.iter().zip(found);
    joined
        .map(|((word, _), (count, meaning, doubt))| Word {
            word,
            count,
            meaning,
            doubt,
        })
        .collect()
}

/// Whether the values look like those of a column of types, though no word is known: two to six words without digits, which come again
/// and again.
pub(super) fn has_few_words(column: &Column) -> bool {
    let words: Vec<_> = column.distinct().collect();
    let is_word = |word: &str| !word.contains(|c: char| c.is_numeric());
    (2..=6).contains(&words.len()) && words.len() < column.values.len() && words.iter().all(|(word, _)| is_word(word))
}
