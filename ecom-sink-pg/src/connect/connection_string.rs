//! Parses the two forms of connection settings that libpq accepts: a URL, and `keyword=value`
//! pairs.
//!
//! No error quotes the text: any part of a malformed URL may be the password.

use std::iter::Peekable;
use std::str::Chars;

use ecom_stream::{Error, ErrorKind, Result};

/// The settings in the order in which they are written. A later one replaces an earlier one.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    let url = ["postgresql://", "postgres://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match url {
        Some(rest) => of_url(rest),
        None => of_keywords(text),
    }
}

/// The error for a text that cannot be parsed.
pub(super) fn malformed(what: &'static str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("the database URL cannot be read: {what}"),
    )
    .hint(
        "write it as postgresql://user:password@host:5432/database; in names and passwords write @ as %40, : as %3A, \
         / as %2F, ? as %3F and % as %25",
    )
}

/// The settings of a URL, behind its scheme.
fn of_url(rest: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut add = |keyword: &str, value: String| pairs.push((keyword.to_owned(), value));

    // As libpq reads it: credentials end at the first @ that comes before any slash.
    let authority = rest.split('/').next().unwrap_or_default();
    let rest = match authority.split_once('@') {
        None => rest,
        Some((credentials, _)) => {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            add("user", decoded(user)?);
            if let Some(password) = password {
                add("password", decoded(password)?);
            }
            &rest[credentials.len() + 1..]
        }
    };

    let (location, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = location.split_once('/').unwrap_or((location, ""));
    // One in the password would otherwise make a part of it a host or a database.
    if location.contains('@') {
        return Err(malformed("there is an @ in the wrong place"));
    }
    let (names, ports) = hosts_and_ports(hosts)?;
    if names.iter().any(|name| !name.is_empty()) {
        add("host", names.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        add("port", ports.join(","));
    }
    if !database.is_empty() {
        add("dbname", decoded(database)?);
    }

    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (keyword, value) = option
            .split_once('=')
            .ok_or_else(|| malformed("an option after the ? has no value"))?;
        match (decoded(keyword)?, decoded(value)?) {
            // What drivers for Java write.
            (keyword, value) if keyword == "ssl" && value == "true" => add("sslmode", "require".into()),
            (keyword, value) => add(&keyword, value),
        }
    }
    Ok(pairs)
}

/// Separates hosts and ports; IPv6 addresses are in brackets.
fn hosts_and_ports(hosts: &str) -> Result<(Vec<String>, Vec<String>)> {
    let mut both = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']') {
                Some((name, "")) => (name, ""),
                Some((name, port)) => (
                    name,
                    port.strip_prefix(':')
                        .ok_or_else(|| malformed("a ] is followed by something else than a colon"))?,
                ),
                None => return Err(malformed("a [ is not closed")),
            },
            None => host.split_once(':').unwrap_or((host, "")),
        };
        both.0.push(decoded(name)?);
        both.1.push(decoded(port)?);
    }
    Ok(both)
}

/// A text with its percent escapes decoded.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                match (digit(), digit()) {
                    (Some(high), Some(low)) if high + low > 0 => (high * 16 + low) as u8,
                    _ => return Err(malformed("after a % two hexadecimal digits are missing")),
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed("the bytes written with % are not UTF-8"))
}

/// The settings of `keyword=value` pairs.
fn of_keywords(text: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        skip_space(&mut rest);
        let mut keyword = String::new();
        while let Some(c) = rest.next_if(|&c| c != '=' && !c.is_whitespace()) {
            keyword.push(c);
        }
        skip_space(&mut rest);
        match (keyword.is_empty(), rest.next()) {
            (true, None) => return Ok(pairs),
            (false, Some('=')) => {}
            _ => return Err(malformed("it is neither a URL nor pairs of keyword=value")),
        }
        skip_space(&mut rest);
        pairs.push((keyword, value(&mut rest)?));
    }
}

fn skip_space(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

/// A value, which may be quoted.
fn value(rest: &mut Peekable<Chars<'_>>) -> Result<String> {
    let quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.next() {
            Some('\'') if quoted => return Ok(value),
            Some('\\') => value.extend(rest.next()),
            Some(c) if quoted || !c.is_whitespace() => value.push(c),
            None if quoted => return Err(malformed("a quoted value has no end")),
            _ => return Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        pairs(text).unwrap()
    }

    fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        for (url, pairs) in [
            ("postgresql://", &[][..]),
            ("postgres://h", &[("host", "h")]),
            (
                "postgresql://u:p%40%2F%25:x@h:1234/d",
                &[
                    ("user", "u"),
                    ("password", "p@/%:x"),
                    ("host", "h"),
                    ("port", "1234"),
                    ("dbname", "d"),
                ],
            ),
            (
                "postgresql://u:a?b#c@h",
                &[("user", "u"), ("password", "a?b#c"), ("host", "h")],
            ),
            (
                "postgresql://a,b:2,[::1]:3/d%20e",
                &[("host", "a,b,::1"), ("port", ",2,3"), ("dbname", "d e")],
            ),
            (
                "postgresql://%2Frun%2Fpg/d?sslmode=verify-full&options=-c%20a%3Db&ssl=true",
                &[
                    ("host", "/run/pg"),
                    ("dbname", "d"),
                    ("sslmode", "verify-full"),
                    ("options", "-c a=b"),
                    ("sslmode", "require"),
                ],
            ),
            (
                "postgresql:///d?host=/run/pg&user=a@b",
                &[("dbname", "d"), ("host", "/run/pg"), ("user", "a@b")],
            ),
        ] {
            assert_eq!(read(url), expected(pairs), "{url}");
        }
    }

    #[test]
    fn keywords_are_read_as_libpq_reads_them() {
        assert_eq!(
            read(r" host = h  password='it\'s a \\ b' user=a\ b dbname=''"),
            expected(&[
                ("host", "h"),
                ("password", r"it's a \ b"),
                ("user", "a b"),
                ("dbname", "")
            ])
        );
        assert_eq!(read(" "), expected(&[]));
    }

    #[test]
    fn malformed_settings_are_refused_and_not_quoted() {
        for text in [
            "postgresql://u:ca/nary@h/d",
            "postgresql://u:x@canary@h/d",
            "postgresql://u:x@ca/nary@h/d",
            "postgresql://u:canary%@h/d",
            "postgresql://u:canary%4@h/d",
            "postgresql://u:canary%zz@h/d",
            "postgresql://u:canary%00@h/d",
            "postgresql://u:canary%ff@h/d",
            "postgresql://u:x@[canary/d",
            "postgresql://u:x@[::1]canary/d",
            "postgresql://u@h/d?canary",
            "postgresql://u@h/d?password=a&canary",
            "u:canary@h/d",
            "password='canary",
            "password=a canary",
            "=canary",
        ] {
            let err = pairs(text).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Configuration);
            assert!(!err.report().contains("canary"), "{text}: {}", err.report());
            assert!(!err.report().contains("nary"), "{text}: {}", err.report());
        }
    }
}
