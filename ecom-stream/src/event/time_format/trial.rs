//! The trial of a time format: moments are written in it and must be read back.
//!
//! Then one part of such a text at a time is replaced by the same part of another moment: the afternoon becomes a morning, the weekday
//! another one. Such a text must be refused, or be read as a time that is written like this. Otherwise the part is read and ignored, and
//! every time that depends on it would be wrong.

use time::macros::{datetime, offset};
use time::{OffsetDateTime, Time, UtcOffset};

use super::error::TimeFormatError;

/// A part of a format, which can write itself for a moment.
pub(super) struct Part<'a> {
    /// The part as it stands in the format, such as `%p` or `[period]`.
    pub(super) name: String,
    /// Whether it is literal text, which is the same for every moment.
    pub(super) is_text: bool,
    /// The text of this part for a moment; `None` if it has none.
    pub(super) write: Box<dyn Fn(OffsetDateTime) -> Option<String> + 'a>,
}

impl<'a> Part<'a> {
    /// A part that depends on the moment.
    pub(super) fn new(name: impl Into<String>, write: impl Fn(OffsetDateTime) -> Option<String> + 'a) -> Self {
        Self {
            name: name.into(),
            is_text: false,
            write: Box::new(write),
        }
    }

    /// Literal text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            name: text.clone(),
            is_text: true,
            write: Box::new(move |_| Some(text.clone())),
        }
    }
}

/// Moments that tell parts from each other: every month, weekday and half of the day, fractions, leap years, days that are no months.
const MOMENTS: [OffsetDateTime; 13] = [
    datetime!(2026-03-05 14:07:09.25 UTC),
    datetime!(2001-12-31 23:59:58 UTC),
    datetime!(2019-07-21 0:30:40.5 UTC),
    datetime!(2004-02-29 12:45:06.75 UTC),
    datetime!(2010-10-10 3:33:33.125 UTC),
    datetime!(1999-01-04 11:00:00 UTC),
    datetime!(2030-04-15 16:20:01 UTC),
    datetime!(2012-05-16 7:08:10.5 UTC),
    datetime!(2017-06-07 18:01:02 UTC),
    datetime!(2023-08-18 9:50:51.25 UTC),
    datetime!(2008-09-19 20:10:11 UTC),
    datetime!(2035-11-13 21:22:23.5 UTC),
    datetime!(2026-03-07 2:07:09 UTC),
];
/// How many of the moments are changed part by part.
const CHANGED: usize = 2;
/// Offsets that tell hours from minutes, and east from west.
const OFFSETS: [UtcOffset; 3] = [offset!(UTC), offset!(+5:30), offset!(-8)];

/// Tries a format that is called `format`. Each of the `forms` is a sequence of parts that a text may have; the first is the full one.
///
/// # Errors
///
/// [`TimeFormatError::Incomplete`] when a moment is not read back, [`TimeFormatError::Ignored`] when a part makes no difference.
pub(super) fn check(
    format: &str,
    forms: &[Vec<Part<'_>>],
    read: impl Fn(&str) -> Option<OffsetDateTime>,
) -> Result<(), TimeFormatError> {
    for (number, form) in forms.iter().enumerate() {
        for moment in MOMENTS {
            let is_right = match write(form, moment).map(|text| read(&text)) {
                Some(Some(read)) => is_cut_from(read, moment),
                // An optional part may be needed after all: then texts without it are refused, not misread.
                Some(None) | None => number > 0,
            };
            if !is_right {
                return Err(TimeFormatError::Incomplete(format.to_owned()));
            }
        }
        for base in &MOMENTS[..CHANGED] {
            check_parts(format, form, *base, &read)?;
        }
    }
    Ok(())
}

/// Tries whether every form of one format is read rightly by `read`, which reads several formats.
///
/// Returns a text that is read as another time than it is, with that time.
pub(super) fn misread(
    forms: &[Vec<Part<'_>>],
    read: impl Fn(&str) -> Option<OffsetDateTime>,
) -> Option<(String, OffsetDateTime)> {
    let texts = forms.iter().flat_map(|form| {
        MOMENTS
            .iter()
            .filter_map(|moment| Some((*moment, write(form, *moment)?)))
    });
    texts
        .filter_map(|(moment, text)| Some((moment, read(&text)?, text)))
        .find(|(moment, read, _)| !is_cut_from(*read, *moment))
        .map(|(_, read, text)| (text, read))
}

/// Replaces each part of the text for `base` by the same part of other moments.
fn check_parts(
    format: &str,
    form: &[Part<'_>],
    base: OffsetDateTime,
    read: impl Fn(&str) -> Option<OffsetDateTime>,
) -> Result<(), TimeFormatError> {
    let others = MOMENTS.into_iter().chain(OFFSETS.map(|offset| base.to_offset(offset)));
    let others: Vec<OffsetDateTime> = others.collect();
    let texts: Option<Vec<String>> = form.iter().map(|part| (part.write)(base)).collect();
    let Some(mut texts) = texts else { return Ok(()) };
    let right = read(&texts.concat());
    // If two parts contradict each other, the one that makes no difference is to be named.
    let mut contradiction = None;
    for (at, part) in form.iter().enumerate().filter(|(_, part)| !part.is_text) {
        let kept = texts[at].clone();
        for other in others.iter().filter_map(|other| (part.write)(*other)) {
            if other == kept {
                continue;
            }
            texts[at] = other;
            let text = texts.concat();
            let Some(time) = read(&text).filter(|time| !is_written_as(form, *time, base, &text)) else {
                continue;
            };
            let fault = TimeFormatError::Ignored {
                format: format.to_owned(),
                part: part.name.clone(),
                text,
                time: shown(time),
            };
            if right == Some(time) {
                return Err(fault);
            }
            contradiction.get_or_insert(fault);
        }
        texts[at] = kept;
    }
    contradiction.map_or(Ok(()), Err)
}

/// A time as it is shown in a message.
pub(super) fn shown(time: OffsetDateTime) -> String {
    let utc = time.to_offset(UtcOffset::UTC);
    format!("{} {} UTC", utc.date(), utc.time())
}

/// The whole text of a form for a moment.
fn write(form: &[Part<'_>], moment: OffsetDateTime) -> Option<String> {
    form.iter().map(|part| (part.write)(moment)).collect()
}

/// Whether a time that was read is written as the same text again, in one of the offsets that the text may have.
fn is_written_as(form: &[Part<'_>], time: OffsetDateTime, base: OffsetDateTime, text: &str) -> bool {
    let seconds = i32::try_from((base - time).whole_seconds()).ok();
    let of_text = seconds.and_then(|seconds| UtcOffset::from_whole_seconds(seconds).ok());
    let mut offsets = OFFSETS.into_iter().chain(of_text);
    offsets.any(|offset| {
        let local = time.checked_to_offset(offset);
        local.is_some_and(|local| write(form, local).as_deref() == Some(text))
    })
}

/// Whether `read` is `moment` without the parts that a format may not have: the time of day, minutes, seconds, digits of the fraction.
fn is_cut_from(read: OffsetDateTime, moment: OffsetDateTime) -> bool {
    let clock = moment.time();
    let (hour, minute, second) = clock.as_hms();
    let whole = [(0, 0, 0), (hour, 0, 0), (hour, minute, 0), (hour, minute, second)];
    let whole = whole
        .into_iter()
        .map(|(hour, minute, second)| Time::from_hms(hour, minute, second).ok());
    let digits = (0..9).map(|cut| {
        let unit = 10_u32.pow(cut);
        clock.replace_nanosecond(clock.nanosecond() / unit * unit).ok()
    });
    whole
        .chain(digits)
        .flatten()
        .any(|clock| moment.replace_time(clock) == read)
}
