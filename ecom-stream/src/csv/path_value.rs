//! Values in the path of a file: in directories such as `date=2026-11-01`, or by a pattern such as `orders_{}.csv`.
//!
//! A text without braces is the key of a directory. A pattern is compared with the end of the path, name by name: `{}` is the value, `*`
//! is anything, and neither goes beyond a `/`. Several values are joined by blanks.

use std::borrow::Cow;

use super::from_path;

/// Hive's word for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The value for `key`, which is a key or a pattern, in a path. Percent escapes in the value of a key are decoded. `None` if the path has
/// no such value, or if it is Hive's word for null.
///
/// `date=2026-11-01/hour=09%3A30/a.csv` has `2026-11-01` for `date` and `09:30` for `hour`. `north/2026/11/a.csv` has `north` for
/// `{}/*/*/*`, and `2026 11` for `{}/{}/*.csv`.
pub(crate) fn value_in_path(path: &str, key: &str) -> Option<String> {
    if is_pattern(key) {
        return by_pattern(path, key);
    }
    let value = directory(path, key)?;
    (value != NULL).then(|| percent_decoded(&unescaped(value)).into_owned())
}

/// Whether the path has a value for `key`, be it null.
pub(super) fn is_in_path(path: &str, key: &str) -> bool {
    match is_pattern(key) {
        true => by_pattern(path, key).is_some(),
        false => directory(path, key).is_some(),
    }
}

/// What is missing in a path that has no value for `key`.
pub(super) fn missing_in_path(path: &str, key: &str) -> String {
    match is_pattern(key) {
        true => format!("the path {path:?} is not like {key:?}"),
        false => format!("the path {path:?} has no directory {key}=..."),
    }
}

/// Checks a key or a pattern.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check_path_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() || key.split('/').any(str::is_empty) {
        return Err("a path needs the key of a directory, or a pattern such as \"orders_{}.csv\"");
    }
    if key.replace("{}", "").contains(['{', '}']) {
        return Err("the value in a pattern for the path is written {}, without a name in the braces");
    }
    if !is_pattern(key) && key.contains(['*', '/']) {
        return Err("a pattern for the path needs {} where the value is");
    }
    if ["{}{}", "{}*", "*{}"].iter().any(|unclear| key.contains(unclear)) {
        return Err(
            "where the value {} in the path begins and ends must be clear: put a character between {} and * or {}",
        );
    }
    Ok(())
}

fn is_pattern(key: &str) -> bool {
    key.contains("{}")
}

/// The value of the directory `key=value`, as it is in the path.
fn directory<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let (directories, _) = path.rsplit_once('/')?;
    directories
        .split('/')
        .find_map(|name| name.strip_prefix(key)?.strip_prefix('='))
}

/// The values at the places of `{}`.
fn by_pattern(path: &str, pattern: &str) -> Option<String> {
    let mut values = Vec::new();
    let mut names = path.rsplit('/');
    for pattern in pattern.rsplit('/') {
        let name = unescaped(names.next()?);
        let mut found = Vec::new();
        if !matches(pattern, &name, &mut found) {
            return None;
        }
        // Names are compared from the last one on.
        values.splice(0..0, found);
    }
    Some(values.join(" "))
}

/// Whether a name is like a pattern. The values are appended to `values`; each takes as little as it can.
fn matches(pattern: &str, name: &str, values: &mut Vec<String>) -> bool {
    let Some(at) = pattern.find(['*', '{']) else {
        return pattern == name;
    };
    let (literal, wild) = pattern.split_at(at);
    let Some(name) = name.strip_prefix(literal) else {
        return false;
    };
    let (is_value, after) = match wild.strip_prefix("{}") {
        Some(after) => (true, after),
        None => (false, &wild[1..]),
    };
    let kept = values.len();
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    for end in ends.skip(usize::from(is_value)) {
        if is_value {
            values.push(name[..end].to_owned());
        }
        if matches(after, &name[end..], values) {
            return true;
        }
        values.truncate(kept);
    }
    false
}

/// The original name of a directory or a file, if it is UTF-8.
fn unescaped(name: &str) -> Cow<'_, str> {
    match from_path(name).into_string() {
        Ok(original) => original.into(),
        Err(_) => name.into(),
    }
}

/// The text with `%3A` and the like decoded; unchanged if the result would not be UTF-8 or would have a NUL.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        (decoded, rest) = match (first, after) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                decoded.push((hex(high).unwrap_or_default() << 4 | hex(low).unwrap_or_default()) as u8);
                (decoded, after)
            }
            _ => {
                decoded.push(*first);
                (decoded, after)
            }
        };
    }
    // PostgreSQL can't store a NUL in text.
    let decoded = String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'));
    decoded.map_or(text.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_directory_names() {
        let path = "date=2026-11-01/hour=09%3A30/a=b/x=y.csv";
        assert_eq!(value_in_path(path, "date").as_deref(), Some("2026-11-01"));
        assert_eq!(value_in_path(path, "hour").as_deref(), Some("09:30"));
        for (path, value) in [
            ("d=%zz%/f.csv", "%zz%"),
            ("d=%00/f.csv", "%00"),
            ("d=a\\\\b/f.csv", "a\\b"),
            ("d=\\xff/f.csv", "\\xff"),
        ] {
            assert_eq!(value_in_path(path, "d").as_deref(), Some(value));
        }
        for none in ["x", "dat", "minute"] {
            assert_eq!(value_in_path(path, none), None, "{none}");
            assert!(!is_in_path(path, none), "{none}");
        }
        assert_eq!(value_in_path("d=__HIVE_DEFAULT_PARTITION__/f.csv", "d"), None);
        assert!(is_in_path("d=__HIVE_DEFAULT_PARTITION__/f.csv", "d"));
    }

    #[test]
    fn values_are_read_from_the_end_of_a_path_by_a_pattern() {
        for (pattern, path, value) in [
            ("orders_{}.csv", "orders_2026-11-01.csv", Some("2026-11-01")),
            ("orders_{}.csv", "in/north/orders_2026-11-01.csv", Some("2026-11-01")),
            ("orders_{}.csv*", "orders_2026-11-01.csv.gz", Some("2026-11-01")),
            ("{}.csv", "2026-11-01.csv", Some("2026-11-01")),
            ("*-{}T*.csv", "shop-2026-11-01T0930.csv", Some("2026-11-01")),
            ("{}/{}/{}/*", "shop/2026/11/01/a.csv", Some("2026 11 01")),
            ("{}/*/*", "shop/2026/a.csv", Some("shop")),
            ("{}_{}_*.csv", "north_20261101_7.csv", Some("north 20261101")),
            ("*/{}.csv", "a/läden.csv", Some("läden")),
            ("orders_{}.csv", "orders_.csv", None),
            ("orders_{}.csv", "orders_1.csv.gz", None),
            ("orders_{}.csv", "returns_1.csv", None),
            ("{}/{}/*", "01/a.csv", None),
            ("{}.csv", "a/b/c", None),
        ] {
            assert_eq!(value_in_path(path, pattern).as_deref(), value, "{pattern} {path}");
            assert_eq!(is_in_path(path, pattern), value.is_some(), "{pattern} {path}");
        }
    }

    #[test]
    fn an_unclear_pattern_is_refused() {
        for key in ["date", "shop name", "{}", "a_{}.csv", "{}/*/x*_{}.csv"] {
            assert_eq!(check_path_key(key), Ok(()), "{key}");
        }
        for key in [
            "",
            "a//{}",
            "/{}.csv",
            "{date}.csv",
            "{",
            "a}.csv",
            "*.csv",
            "a/b",
            "{}{}.csv",
            "{}*.csv",
            "*{}.csv",
        ] {
            assert!(check_path_key(key).is_err(), "{key}");
        }
    }
}
