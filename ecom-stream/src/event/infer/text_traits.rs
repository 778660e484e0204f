//! Recognizes what of the text of a file a mapping must say: its encoding, lines above the header, comments, escapes, blanks.

use std::io;
use std::path::Path;

use tokio::io::AsyncReadExt;

use crate::csv::{Charset, Content, Encoding};

/// How many lines are looked through for those that are no records.
const MAX_LINES: usize = 200;

/// What of the text of a file a mapping must say.
#[derive(Debug, Default)]
pub(super) struct TextTraits {
    encoding: Option<&'static str>,
    /// Whether the encoding is only the most likely one.
    is_encoding_guessed: bool,
    pub(super) skip: u32,
    pub(super) has_comments: bool,
    pub(super) has_escapes: bool,
    pub(super) has_blanks: bool,
}

impl TextTraits {
    /// Reads the first bytes of the content of a file in UTF-8, at most `max_bytes`, and looks at them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is in none of the encodings that a mapping can say.
    pub(super) async fn read(path: &Path, max_bytes: u64, delimiters: &[u8]) -> io::Result<(Vec<u8>, Self)> {
        let mut text = read(path, None, max_bytes).await?;
        let mut traits = Self::default();
        match Encoding::of(&text) {
            Encoding::Ascii | Encoding::Utf8 => {}
            Encoding::Utf16(name) => traits.encoding = Some(name),
            Encoding::Other(..) => {
                traits.encoding = Some("windows-1252");
                traits.is_encoding_guessed = true;
            }
            other => {
                let detail = other.as_utf8().err().map(|refusal| refusal.detail);
                return Err(io::Error::new(io::ErrorKind::InvalidData, detail.unwrap_or_default()));
            }
        }
        if let Some(charset) = traits.encoding.and_then(Charset::named) {
            text = read(path, Some(charset), max_bytes).await?;
        }
        traits.look_at(&text, delimiters);
        Ok((text, traits))
    }

    fn look_at(&mut self, text: &[u8], delimiters: &[u8]) {
        let lines = first_lines(text);
        let Some((delimiter, usual)) = usual_delimiters(&lines, delimiters) else {
            return;
        };
        // A header may have a field less than the rows, but not half of them.
        let is_narrow = |line: &[u8]| delimiters_in(line, delimiter) * 2 < usual;
        let is_comment = |line: &[u8]| line.starts_with(b"#");
        let mut comments = lines.iter().filter(|line| is_comment(line)).peekable();
        self.has_comments = comments.peek().is_some() && comments.all(|line| is_narrow(line));
        let above = lines.iter().take_while(|line| is_narrow(line)).count();
        let all_are_comments = lines[..above].iter().all(|line| line.is_empty() || is_comment(line));
        if above < lines.len()
            && !(self.has_comments && all_are_comments)
            && lines[..above].iter().any(|line| !line.is_empty())
        {
            self.skip = above as u32;
        }
        self.has_escapes = has_escapes(text);
    }

    /// The lines of the mapping that say so.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |line: &str| lines.push(line.to_owned());
        if self.is_encoding_guessed {
            add(
                "# It is not UTF-8: this is the encoding of most programs in western Europe and America. Check the letters with accents below.",
            );
        }
        if let Some(encoding) = self.encoding {
            add(&format!("encoding = \"{encoding}\""));
        }
        if self.skip > 0 {
            add("# The lines above the header.");
            add(&format!("skip = {}", self.skip));
        }
        if self.has_comments {
            add("comment = \"#\"");
        }
        if self.has_escapes {
            add("# A backslash is in front of quotes inside quotes.");
            add("escape = \"\\\\\"");
        }
        if self.has_blanks {
            add("# All values of a column begin or end with blanks.");
            add("trim = true");
        }
        lines
    }
}

async fn read(path: &Path, charset: Option<Charset>, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let content = Content::open(path, charset).await?;
    content.take(max_bytes).read_to_end(&mut text).await?;
    Ok(text)
}

/// The first lines, without their ends.
fn first_lines(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let end = match text.contains(&b'\n') {
        true => b'\n',
        false => b'\r',
    };
    let lines = text.split(|byte| *byte == end).take(MAX_LINES);
    lines.map(|line| line.trim_ascii_end()).collect()
}

/// The delimiter that makes the widest rows of most lines, and how often it is in them.
fn usual_delimiters(lines: &[&[u8]], delimiters: &[u8]) -> Option<(u8, usize)> {
    let of = |delimiter: u8| {
        let counts: Vec<usize> = lines.iter().map(|line| delimiters_in(line, delimiter)).collect();
        let how_many = |count: usize| counts.iter().filter(|other| **other == count).count();
        let usual = counts
            .iter()
            .copied()
            .filter(|count| *count > 1)
            .max_by_key(|count| how_many(*count))?;
        (how_many(usual) > 1).then_some((usual * how_many(usual), delimiter, usual))
    };
    let best = delimiters
        .iter()
        .filter_map(|delimiter| of(*delimiter))
        .max_by_key(|(score, ..)| *score)?;
    Some((best.1, best.2))
}

/// How often the delimiter is in the line outside quotes.
fn delimiters_in(line: &[u8], delimiter: u8) -> usize {
    let mut is_quoted = false;
    let mut count = 0;
    for byte in line {
        is_quoted ^= *byte == b'"';
        count += usize::from(!is_quoted && *byte == delimiter);
    }
    count
}

/// Whether there is a backslash in front of a quote that certainly does not end a field.
fn has_escapes(text: &[u8]) -> bool {
    text.windows(4).any(|four| match four {
        [b'\\', b'"', next, _] if next.is_ascii_alphanumeric() || *next == b' ' => true,
        [b'\\', b'"', b'"', next] => matches!(next, b',' | b';' | b'\t' | b'|' | b'\r' | b'\n'),
        _ => false,
    })
}
