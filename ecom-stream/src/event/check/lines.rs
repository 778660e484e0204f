//! Line numbers of a file, for people who open it in an editor.

use std::io;
use std::path::Path;

use memchr::{memchr_iter, memchr2};
use tokio::io::AsyncReadExt;

use super::checked_file::CheckedFile;
use crate::csv::{Charset, Content};

/// How much of the file is read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Sets the line number of every example from its byte offset, by reading the file again up to the last of them.
pub(super) async fn number(path: &Path, charset: Option<Charset>, found: &mut CheckedFile) -> io::Result<()> {
    let events = found
        .events
        .iter_mut()
        .map(|example| (example.byte_offset, &mut example.line));
    let rejects = found.rejected.values_mut().flat_map(|found| &mut found.examples);
    let rejects = rejects.map(|example| (example.byte_offset, &mut example.line));
    let filtered = found.filtered.values_mut().flat_map(|found| &mut found.examples);
    let filtered = filtered.map(|example| (example.byte_offset, &mut example.line));
    let mut wanted: Vec<(u64, &mut u64)> = events.chain(rejects).chain(filtered).collect();
    wanted.sort_by_key(|(offset, _)| *offset);
    let mut wanted = wanted.into_iter().peekable();

    let mut content = Content::open(path, charset).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut at, mut line, mut line_end) = (0, 1, None);
    while wanted.peek().is_some() {
        let read = content.read(&mut chunk).await?;
        if read == 0 {
            break;
        }
        line_end = line_end.or_else(|| first_line_end(&chunk[..read]));
        let end = line_end.unwrap_or(b'\n');
        let mut counted = 0;
        while let Some((offset, number)) = wanted.next_if(|(offset, _)| *offset < at + read as u64) {
            let until = (offset - at) as usize;
            line += memchr_iter(end, &chunk[counted..until]).count() as u64;
            (*number, counted) = (line, until);
        }
        line += memchr_iter(end, &chunk[counted..read]).count() as u64;
        at += read as u64;
    }
    Ok(())
}

/// The number of lines of a file. If the file can't be decompressed to its end, it is the number of lines before the damage.
pub(super) async fn count(path: &Path, charset: Option<Charset>) -> io::Result<u64> {
    let mut content = Content::open(path, charset).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut lines, mut is_open, mut line_end) = (0, false, None);
    while let Ok(read @ 1..) = content.read(&mut chunk).await {
        line_end = line_end.or_else(|| first_line_end(&chunk[..read]));
        let end = line_end.unwrap_or(b'\n');
        lines += memchr_iter(end, &chunk[..read]).count() as u64;
        is_open = chunk[read - 1] != end;
    }
    Ok(lines + u64::from(is_open))
}

/// The byte that ends the lines of a file, as its first line says: `\n` also where a `\r` is in front of it.
fn first_line_end(text: &[u8]) -> Option<u8> {
    let at = memchr2(b'\r', b'\n', text)?;
    let is_cr = text[at] == b'\r' && !text[at..].starts_with(b"\r\n") && !text[at..].starts_with(b"\r\r\n");
    Some(if is_cr { b'\r' } else { b'\n' })
}
