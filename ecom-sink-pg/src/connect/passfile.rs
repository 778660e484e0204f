//! The password file `~/.pgpass`: lines of `host:port:database:user:password`, of which the first match counts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{fs, io};

/// The password for a host, port, database and user; `None` without a file or a matching line. As
/// in libpq, a file that others can read, or that cannot be read, is passed over; here with a
/// warning.
pub(super) fn look_up(path: &Path, asked: [&str; 4]) -> Option<String> {
    let passed_over = |err: io::Error| {
        tracing::warn!(
            "the password file {} cannot be read, so it is passed over: {err}",
            path.display()
        );
        None
    };
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return None,
        Err(err) => return passed_over(err),
    };
    if !meta.is_file() {
        return None;
    }
    if meta.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            "the password file {} is ignored, because other users can read it: run chmod 0600",
            path.display()
        );
        return None;
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(err) => return passed_over(err),
    };
    // A password is text here; a line that is not fits nothing.
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| password_in(line, asked))
}

/// The password in a line, if the line matches.
fn password_in(line: &str, asked: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for value in asked {
        let any = rest.strip_prefix("*:");
        let (field, behind) = field(rest);
        let behind = behind?;
        if any.is_none() && field != value {
            return None;
        }
        rest = behind;
    }
    let (password, _) = field(rest);
    (!password.is_empty()).then_some(password)
}

/// The first field, without its backslashes, and what follows its colon.
fn field(text: &str) -> (String, Option<&str>) {
    let mut field = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return (field, Some(&text[at + 1..])),
            '\\' => field.extend(chars.next().map(|(_, c)| c)),
            c => field.push(c),
        }
    }
    (field, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: [&str; 4] = ["h:1", "5432", "d", "u"];

    fn found(line: &str) -> Option<String> {
        password_in(line, ASKED)
    }

    #[test]
    fn a_line_matches_by_each_field_or_a_star() {
        assert_eq!(found(r"h\:1:5432:d:u:p\:a\\b").as_deref(), Some(r"p:a\b"));
        assert_eq!(found("*:*:*:*:p").as_deref(), Some("p"));
        for other in [
            "",
            "# *:*:*:*:p",
            "*:*:*:p",
            "h:5432:d:u:p",
            "*:5433:*:*:p",
            "*:*:*:v:p",
            "*:*:*:*:",
            r"\*:*:*:*:p",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pgpass");
        assert_eq!(look_up(&file, ASKED), None);
        fs::write(&file, "x:*:*:*:no\n*:*:*:*:yes\n*:*:*:*:late\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(look_up(&file, ASKED), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(look_up(&file, ASKED).as_deref(), Some("yes"));
        // A name that no file system takes, for a user that may read everything.
        assert_eq!(look_up(&dir.path().join("x".repeat(300)), ASKED), None);
    }
}
