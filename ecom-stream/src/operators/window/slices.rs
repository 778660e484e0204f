//! [`Slices`]: how hopping windows are cut into slices of time that they share. All times are microseconds.
//!
//! Windows of 30 s, one every 10 s, are made of slices of 10 s. A record is added to the one slice that has its time, and the
//! result of a window is merged from its three slices:
//!
//! ```text
//! slices    |  0  | 10  | 20  | 30  | 40  |
//! windows   |─────────────────|
//!                 |─────────────────|
//!                       |─────────────────|
//! ```

use std::time::Duration;

use crate::operators::event_time::micros;

/// Computes the slices of windows of a size, one every slide. A slice is named by its start, a window by its end. A tumbling
/// window is its own slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slices {
    /// The length of a window.
    pub(super) size: i64,
    slide: i64,
    offset: i64,
    /// The length of a slice: the greatest common divisor of size and slide.
    width: i64,
}

impl Slices {
    /// The slices of windows of `size` every `slide`, moved by `offset`.
    pub(super) fn new(size: Duration, slide: Duration, offset: Duration) -> Self {
        // `Windows::check` refuses a size or slide of zero, but only after this.
        let (size, slide) = (micros(size).max(1), micros(slide).max(1));
        Self {
            size,
            slide,
            offset: micros(offset) % slide,
            width: greatest_common_divisor(size, slide),
        }
    }

    /// Whether each window is a single slice.
    pub(super) fn are_windows(&self) -> bool {
        self.width == self.size
    }

    /// The number of slices that a window is made of.
    pub(super) fn of_window(&self) -> i64 {
        self.size / self.width
    }

    /// The start of the slice that `time` is in.
    pub(super) fn slice_of(&self, time: i64) -> i64 {
        self.floor(time, self.width)
    }

    /// The end of the last window that has the slice.
    pub(super) fn last_end(&self, slice: i64) -> i64 {
        self.floor(slice, self.slide).saturating_add(self.size)
    }

    /// The ends of all windows that have the slice, the latest first.
    pub(super) fn ends(&self, slice: i64) -> impl Iterator<Item = i64> + use<> {
        let Self { size, slide, .. } = *self;
        let last_start = self.floor(slice, slide);
        (0..)
            .map_while(move |back: i64| last_start.checked_sub(back.saturating_mul(slide)))
            .map(move |start| start.saturating_add(size))
            .take_while(move |end| *end > slice)
    }

    /// The last multiple of `unit`, counted from the offset, that is not after `time`.
    fn floor(&self, time: i64, unit: i64) -> i64 {
        let since = time.saturating_sub(self.offset);
        since.div_euclid(unit).saturating_mul(unit).saturating_add(self.offset)
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_slice_belongs_to_the_windows_that_cover_its_times(
            (size, slide) in (1..50_u64).prop_flat_map(|size| (Just(size), 1..=size)), offset in 0..100_u64, time in -200..200_i64,
        ) {
            let micros = Duration::from_micros;
            let slices = Slices::new(micros(size), micros(slide), micros(offset));
            let slice = slices.slice_of(time);
            prop_assert!(slice <= time && time < slice + slices.width);
            let mut ends: Vec<i64> = slices.ends(slice).collect();
            prop_assert_eq!(ends.first(), Some(&slices.last_end(slice)));
            ends.reverse();
            let (size, slide, offset) = (size as i64, slide as i64, offset as i64);
            let starts = (-400..400).filter(|start| (start - offset) % slide == 0);
            let expected: Vec<i64> = starts.filter(|start| (*start..start + size).contains(&time)).map(|start| start + size).collect();
            prop_assert_eq!(ends, expected);
        }
    }
}
