//! The known word that is nearest to one that was written, for hints.

/// The nearest of the known words, if it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(word, known), *known))
        .filter(|(likeness, _)| *likeness > 0.6);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, near)| near)
}
