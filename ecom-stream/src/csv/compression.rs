//! Files that are compressed or not in UTF-8, read as if they were plain.
//!
//! `Content` is what the rest of the crate reads: offsets, digests and sizes are those of the content, decompressed and in UTF-8. Damage in the
//! compressed data comes out as [`Unreadable`], which makes the split unusable; an error of the disk stays an I/O error, which is
//! retried.
//!
//! ```text
//!  File ── CompressedFile ── BufReader ── GzipDecoder / ZstdDecoder ── Converted ── Content
//!          wraps its errors                errors without the wrapper are damage
//!          in FileError
//! ```

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, BufReader, ReadBuf};

use super::charset::{Charset, Conversion};
use super::damage::Unreadable;
use super::file_name::ends_with;
use crate::contract::{Reason, Refusal};

/// How a file is compressed, according to the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// The name has no ending of a compressed file.
    None,
    /// `.gz`: one or more gzip members.
    Gzip,
    /// `.zst`: one or more zstd frames.
    Zstd,
}

/// How the content of a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileForm {
    pub(crate) compression: Compression,
    /// `None`: UTF-8.
    pub(crate) charset: Option<Charset>,
}

impl FileForm {
    /// The form of a file with that name, whose text is in this encoding.
    pub(crate) fn of(name: &OsStr, charset: Option<Charset>) -> Self {
        Self {
            compression: Compression::of(name),
            charset: charset.filter(|charset| !charset.is_utf8()),
        }
    }

    /// Whether the file is its content, byte for byte.
    pub(crate) fn is_plain(self) -> bool {
        self.compression == Compression::None && self.charset.is_none()
    }
}

/// How much of a compressed file is read at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The largest zstd window that is accepted, as a power of two: 32 MiB, enough for `zstd --ultra -20`. It bounds the memory that a
/// file can make its reader use.
const MAX_WINDOW_LOG: u32 = 25;

impl Compression {
    /// The compression that the ending of `name` stands for, in any case: `.gz`, `.zst`, or none.
    pub(crate) fn of(name: &OsStr) -> Self {
        if ends_with(name, ".gz") {
            Self::Gzip
        } else if ends_with(name, ".zst") {
            Self::Zstd
        } else {
            Self::None
        }
    }

    /// The name for messages.
    fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// A decoder over `file`, which is at its start. Files of several members, as made by appending, are read as one.
    fn decoder<F: AsyncRead + Unpin>(self, file: F) -> Decoder<F> {
        let buffered = |file| BufReader::with_capacity(BUFFER_BYTES, CompressedFile(file));
        match self {
            Self::None => Decoder::None(file),
            Self::Gzip => {
                // `Content` goes on to the next member.
                Decoder::Gzip(Box::new(GzipDecoder::new(buffered(file))))
            }
            Self::Zstd => {
                let limits = [DParameter::window_log_max(MAX_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(buffered(file), &limits);
                decoder.multiple_members(true);
                Decoder::Zstd(Box::new(decoder))
            }
        }
    }
}

/// The content of a file, decompressed and in UTF-8, as a reader that can seek.
///
/// All offsets are offsets in the content. In a file that is not plain, seeking forward decodes up to the offset, and seeking back
/// starts again from the beginning of the file.
#[derive(Debug)]
pub(crate) struct Content<F> {
    /// How the file is stored, so that it can be started again and damage can be named.
    form: FileForm,
    /// `None` only while the file is rewound. A call that is cancelled in between leaves `None`, and later calls fail.
    decoder: Option<Decoder<F>>,
    /// The offset of the next byte, for files that are not plain.
    at: u64,
    /// For files that are not in UTF-8.
    converted: Option<Box<Converted>>,
    /// Whether something was found behind the last gzip member that is none.
    has_rubbish: bool,
}

/// A text that is being converted to UTF-8.
#[derive(Debug)]
struct Converted {
    conversion: Conversion,
    /// What was converted and not read yet, from `read` on.
    text: Vec<u8>,
    read: usize,
    /// Whether that is all.
    is_whole: bool,
    /// What is converted at once.
    piece: Box<[u8]>,
}

impl Converted {
    fn new(charset: Charset) -> Self {
        Self {
            conversion: Conversion::new(charset),
            text: Vec::new(),
            read: 0,
            is_whole: false,
            piece: vec![0; BUFFER_BYTES].into(),
        }
    }

    /// Puts what was converted into `buf`; `false` if there is nothing.
    fn read(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let rest = &self.text[self.read..];
        let now = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..now]);
        self.read += now;
        now > 0 || self.is_whole
    }

    /// Converts the first `len` bytes of the piece. None are the end of the text.
    fn convert(&mut self, len: usize) {
        self.text.clear();
        self.read = 0;
        self.is_whole = len == 0;
        self.conversion
            .convert(&self.piece[..len], self.is_whole, &mut self.text);
    }
}

/// The decoder of a content, or the file itself if it is not compressed.
#[derive(Debug)]
enum Decoder<F> {
    None(F),
    Gzip(Box<GzipDecoder<BufReader<CompressedFile<F>>>>),
    Zstd(Box<ZstdDecoder<BufReader<CompressedFile<F>>>>),
}

/// The raw bytes of a compressed file. Its errors are wrapped in [`FileError`], so they can be told from errors of the decoder.
#[derive(Debug)]
struct CompressedFile<F>(F);

/// An I/O error of the file itself, in contrast to damage that the decoder found.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct FileError(io::Error);

impl<F: AsyncRead + Unpin> AsyncRead for CompressedFile<F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        read.map_err(|err| io::Error::new(err.kind(), FileError(err)))
    }
}

impl<F: AsyncRead + Unpin> Decoder<F> {
    /// The file below the decoder.
    fn file(&self) -> &F {
        match self {
            Self::None(file) => file,
            Self::Gzip(decoder) => &decoder.get_ref().get_ref().0,
            Self::Zstd(decoder) => &decoder.get_ref().get_ref().0,
        }
    }

    /// The file below the decoder. It must be left at the place where it is.
    fn file_mut(&mut self) -> &mut F {
        match self {
            Self::None(file) => file,
            Self::Gzip(decoder) => &mut decoder.get_mut().get_mut().0,
            Self::Zstd(decoder) => &mut decoder.get_mut().get_mut().0,
        }
    }

    /// The file below the decoder, which is dropped with what it had buffered.
    fn into_file(self) -> F {
        match self {
            Self::None(file) => file,
            Self::Gzip(decoder) => decoder.into_inner().into_inner().0,
            Self::Zstd(decoder) => decoder.into_inner().into_inner().0,
        }
    }
}

impl Content<File> {
    /// Opens the file at `path`, which is decompressed if its name says that it is compressed, and whose text is in this encoding. An
    /// empty file has empty content, whatever it is called.
    ///
    /// # Errors
    ///
    /// The I/O error of opening the file. Damage in the compressed data shows only when it is read.
    pub(crate) async fn open(path: &Path, charset: Option<Charset>) -> io::Result<Self> {
        let file = File::open(path).await?;
        let is_empty = file.metadata().await?.len() == 0;
        let mut form = FileForm::of(path.as_os_str(), charset);
        if is_empty {
            form.compression = Compression::None;
        }
        Ok(Self::new(file, form))
    }
}

impl<F: AsyncRead + AsyncSeek + Unpin> Content<F> {
    /// The content of `file`, which is at its start.
    pub(crate) fn new(file: F, form: FileForm) -> Self {
        Self {
            form,
            decoder: Some(form.compression.decoder(file)),
            at: 0,
            converted: form.charset.map(|charset| Box::new(Converted::new(charset))),
            has_rubbish: false,
        }
    }

    /// Whether something is behind the last gzip member that is none, such as the zeros with which some programs fill up blocks. It is
    /// ignored, as gunzip does.
    pub(crate) fn has_rubbish(&self) -> bool {
        self.has_rubbish
    }

    /// Whether the file is its content, byte for byte. If not, going back is expensive, and its size says nothing.
    pub(crate) fn is_plain(&self) -> bool {
        self.form.is_plain()
    }

    /// The file below, for its metadata.
    pub(crate) fn file(&self) -> io::Result<&F> {
        self.decoder.as_ref().map(Decoder::file).ok_or_else(lost)
    }

    /// The file below, to read parts of it again. It must be left at the place where it is.
    pub(crate) fn file_mut(&mut self) -> io::Result<&mut F> {
        self.decoder.as_mut().map(Decoder::file_mut).ok_or_else(lost)
    }

    /// Goes to `offset` in the content, or to its end if the content is shorter.
    ///
    /// Not cancel-safe: after a cancelled call the content must be dropped.
    pub(crate) async fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        if let Some(Decoder::None(file)) = &mut self.decoder
            && self.form.is_plain()
        {
            file.seek(io::SeekFrom::Start(offset)).await?;
            return Ok(());
        }
        if offset < self.at {
            let mut file = self.decoder.take().ok_or_else(lost)?.into_file();
            file.rewind().await?;
            *self = Self::new(file, self.form);
        }
        let ahead = offset - self.at;
        tokio::io::copy(&mut self.take(ahead), &mut tokio::io::sink()).await?;
        Ok(())
    }
}

impl<F: AsyncRead + Unpin> Content<F> {
    /// Reads what is decompressed and not converted.
    fn poll_decompressed(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = match &mut self.decoder {
            Some(Decoder::None(file)) => return Pin::new(file).poll_read(cx, buf),
            Some(Decoder::Gzip(_)) => ready!(self.poll_members(cx, buf)),
            Some(Decoder::Zstd(decoder)) => ready!(Pin::new(decoder).poll_read(cx, buf)),
            None => Err(lost()),
        };
        Poll::Ready(read.map_err(|err| unreadable(err, self.form.compression)))
    }

    /// Reads gzip members, one after the other, until something follows that is none.
    fn poll_members(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        while let Some(Decoder::Gzip(decoder)) = &mut self.decoder {
            ready!(Pin::new(&mut *decoder).poll_read(cx, buf))?;
            if buf.filled().len() > before || buf.remaining() == 0 || self.has_rubbish {
                break;
            }
            let next = ready!(Pin::new(decoder.get_mut()).poll_fill_buf(cx))?;
            match next {
                [] => break,
                [0x1f] | [0x1f, 0x8b, ..] => {}
                _ => {
                    self.has_rubbish = true;
                    break;
                }
            }
            if let Some(Decoder::Gzip(ended)) = self.decoder.take() {
                self.decoder = Some(Decoder::Gzip(Box::new(GzipDecoder::new(ended.into_inner()))));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is converted.
    fn poll_converted(
        &mut self,
        converted: &mut Converted,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while !converted.read(buf) {
            let mut piece = ReadBuf::new(&mut converted.piece);
            ready!(self.poll_decompressed(cx, &mut piece))?;
            let len = piece.filled().len();
            converted.convert(len);
        }
        Poll::Ready(Ok(()))
    }
}

impl<F: AsyncRead + Unpin> AsyncRead for Content<F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = match this.converted.take() {
            None => this.poll_decompressed(cx, buf),
            Some(mut converted) => {
                let read = this.poll_converted(&mut converted, cx, buf);
                this.converted = Some(converted);
                read
            }
        };
        this.at += (buf.filled().len() - before) as u64;
        read
    }
}

/// The error of a content whose rewind was cancelled.
fn lost() -> io::Error {
    io::Error::other("the file was lost because rewinding it was cancelled")
}

/// The error to report for `err`: damage in the compressed data becomes [`Unreadable`], an error of the disk stays what it is,
/// because it may pass.
fn unreadable(err: io::Error, compression: Compression) -> io::Error {
    let err = match err.downcast::<FileError>() {
        Ok(FileError(err)) => return err,
        Err(err) => err,
    };
    let name = compression.name();
    let refusal = match err.kind() {
        io::ErrorKind::UnexpectedEof => Refusal::new(
            Reason::COMPRESSED_TRUNCATED,
            format!("the {name} data end too early: the file is cut off"),
        ),
        _ => {
            let detail = match err.to_string() {
                message if message.contains("Frame requires too much memory") => {
                    "decompressing it needs a window of more than 32 MiB: compress it again without --long and --ultra"
                        .to_owned()
                }
                message => format!("the {name} data can't be decompressed: {message}"),
            };
            Refusal::new(Reason::COMPRESSED_DAMAGED, detail)
        }
    };
    io::Error::new(err.kind(), Unreadable(refusal))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn form(compression: Compression) -> FileForm {
        FileForm {
            compression,
            charset: None,
        }
    }

    /// The text as a file compressed in this way.
    async fn compressed(compression: Compression, text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        match compression {
            Compression::None => bytes.extend_from_slice(text),
            Compression::Gzip => {
                let mut encoder = GzipEncoder::new(&mut bytes);
                encoder.write_all(text).await.unwrap();
                encoder.shutdown().await.unwrap();
            }
            Compression::Zstd => {
                let mut encoder = ZstdEncoder::new(&mut bytes);
                encoder.write_all(text).await.unwrap();
                encoder.shutdown().await.unwrap();
            }
        }
        bytes
    }

    /// Lines that don't compress well, so that a compressed file has several blocks.
    fn text() -> Vec<u8> {
        (0..60_000_u32)
            .flat_map(|n| format!("{},{}\n", n, n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    /// What can be read of the bytes, and how reading ended.
    async fn read(bytes: Vec<u8>, compression: Compression) -> (Vec<u8>, io::Result<usize>) {
        let mut out = Vec::new();
        let read = Content::new(Cursor::new(bytes), form(compression))
            .read_to_end(&mut out)
            .await;
        (out, read)
    }

    /// The reason code of an error that is damage.
    fn reason(err: &io::Error) -> Option<Reason> {
        let inner = err.get_ref()?.downcast_ref::<Unreadable>()?;
        Some(inner.0.reason.clone())
    }

    #[tokio::test]
    async fn offsets_are_offsets_in_the_decompressed_content() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let text = text();
            // Two members, as in a file that was appended to.
            let mut bytes = compressed(compression, &text[..1_000]).await;
            bytes.extend(compressed(compression, &text[1_000..]).await);
            let mut content = Content::new(Cursor::new(bytes), form(compression));
            for offset in [0, 999, 1_000, 500_000, 7] {
                content.seek_to(offset).await.unwrap();
                let mut next = [0; 100];
                content.read_exact(&mut next).await.unwrap();
                assert_eq!(next, text[offset as usize..][..100], "{compression:?} {offset}");
            }
            content.seek_to(text.len() as u64 + 9).await.unwrap();
            assert_eq!(content.read(&mut [0; 9]).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn truncated_and_damaged_data_have_their_own_reasons() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let (text, whole) = (text(), compressed(compression, &text()).await);
            for cut in [1, 5, whole.len() / 2, whole.len() - 1] {
                let (out, err) = read(whole[..cut].to_vec(), compression).await;
                assert_eq!(
                    reason(&err.unwrap_err()),
                    Some(Reason::COMPRESSED_TRUNCATED),
                    "{compression:?} {cut}"
                );
                assert!(text.starts_with(&out));
            }
            let (_, err) = read(text.clone(), compression).await;
            assert_eq!(reason(&err.unwrap_err()), Some(Reason::COMPRESSED_DAMAGED));
            let mut flipped = whole.clone();
            let at = flipped.len() - 6;
            flipped[at] ^= 0x55;
            let (_, err) = read(flipped, compression).await;
            assert_eq!(
                reason(&err.unwrap_err()),
                Some(Reason::COMPRESSED_DAMAGED),
                "{compression:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_behind_gzip_data_and_is_none_is_ignored() {
        let text = text();
        let mut whole = compressed(Compression::Gzip, &text[..5_000]).await;
        whole.extend(compressed(Compression::Gzip, &text[5_000..]).await);
        for rubbish in [&[0; 70_000][..], b"x", b"\x1fx", b"--\n"] {
            let mut bytes = whole.clone();
            bytes.extend_from_slice(rubbish);
            let mut content = Content::new(Cursor::new(bytes), form(Compression::Gzip));
            let mut out = Vec::new();
            content.read_to_end(&mut out).await.unwrap();
            assert!(out == text && content.has_rubbish());
            content.seek_to(4_990).await.unwrap();
            let mut next = [0; 20];
            content.read_exact(&mut next).await.unwrap();
            assert_eq!(next, text[4_990..5_010]);
        }
        // The beginning of another member is none of that.
        whole.extend_from_slice(b"\x1f\x8b\x08");
        let (_, err) = read(whole, Compression::Gzip).await;
        assert_eq!(reason(&err.unwrap_err()), Some(Reason::COMPRESSED_TRUNCATED));
    }

    #[tokio::test]
    async fn a_window_that_needs_too_much_memory_is_refused() {
        use async_compression::Level;
        use async_compression::zstd::CParameter;

        let mut bytes = Vec::new();
        let params = [CParameter::window_log(27)];
        let mut encoder = ZstdEncoder::with_quality_and_params(&mut bytes, Level::Fastest, &params);
        encoder.write_all(&text()).await.unwrap();
        encoder.shutdown().await.unwrap();
        let (_, err) = read(bytes, Compression::Zstd).await;
        let message = err.unwrap_err().to_string();
        assert!(message.contains("32 MiB"), "{message}");
    }

    #[test]
    fn the_ending_of_the_name_gives_the_compression() {
        for (name, compression) in [
            ("a.csv", Compression::None),
            ("a.csv.gz", Compression::Gzip),
            ("a.CSV.GZ", Compression::Gzip),
            ("a.csv.zst", Compression::Zstd),
            ("gz", Compression::None),
        ] {
            assert_eq!(Compression::of(OsStr::new(name)), compression, "{name}");
        }
    }
}
