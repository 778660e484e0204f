//! The binary format of `numeric`: a sign and groups of four decimal digits.
//!
//! It is the number of groups, the weight of the first one (a power of 10,000), the sign, the
//! number of decimals, and the groups, each an integer of 16 bits.

use bytes::{BufMut, BytesMut};

const BASE: u128 = 10_000;
const DIGITS_PER_GROUP: u32 = 4;

/// Appends the number `value / 10^scale` with `scale` decimals.
pub(super) fn put(value: i128, scale: u16, to: &mut BytesMut) {
    let (units, decimals) = {
        let one = 10_u128.pow(scale.into());
        let value = value.unsigned_abs();
        (value / one, value % one)
    };
    let mut groups = Vec::with_capacity(12);
    let mut rest = units;
    while rest > 0 {
        groups.push((rest % BASE) as u16);
        rest /= BASE;
    }
    groups.reverse();
    // The power of the base that the first group counts.
    let weight = groups.len() as i16 - 1;
    // The decimals, filled up to whole groups.
    let decimal_groups = u32::from(scale).div_ceil(DIGITS_PER_GROUP);
    let mut rest = decimals * 10_u128.pow(decimal_groups * DIGITS_PER_GROUP - u32::from(scale));
    let mut behind = vec![0; decimal_groups as usize];
    for group in behind.iter_mut().rev() {
        *group = (rest % BASE) as u16;
        rest /= BASE;
    }
    groups.extend(behind);
    to.put_u16(groups.len() as u16);
    to.put_i16(weight);
    to.put_u16(if value < 0 { 0x4000 } else { 0 });
    to.put_u16(scale);
    for group in groups {
        to.put_u16(group);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number as the server reads it.
    fn read(bytes: &[u8]) -> String {
        let word = |at: usize| u16::from_be_bytes([bytes[2 * at], bytes[2 * at + 1]]);
        let (count, weight, scale) = (word(0) as i32, word(1) as i16 as i32, word(3) as usize);
        let group = |power: i32| match weight - power {
            at if (0..count).contains(&at) => word(4 + at as usize),
            _ => 0,
        };
        let units: String = (0..=weight.max(0))
            .rev()
            .map(|power| format!("{:04}", group(power)))
            .collect();
        let decimals: String = (1..=9).map(|power| format!("{:04}", group(-power))).collect();
        let units = units.trim_start_matches('0');
        let units = if units.is_empty() { "0" } else { units };
        let sign = if word(2) == 0x4000 { "-" } else { "" };
        match scale {
            0 => format!("{sign}{units}"),
            _ => format!("{sign}{units}.{}", &decimals[..scale]),
        }
    }

    fn expected(value: i128, scale: usize) -> String {
        let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
        let (units, decimals) = digits.split_at(digits.len() - scale);
        let sign = if value < 0 { "-" } else { "" };
        match scale {
            0 => format!("{sign}{units}"),
            _ => format!("{sign}{units}.{decimals}"),
        }
    }

    proptest! {
        #[test]
        fn a_number_is_decoded_as_it_was_encoded(value: i128, small in -100_000_i128..100_000, scale in 0_u16..=36) {
            for value in [value, small] {
                let mut to = BytesMut::new();
                put(value, scale, &mut to);
                prop_assert_eq!(read(&to), expected(value, scale.into()));
            }
        }
    }
}
