//! Tests of the format of numbers.

use proptest::prelude::*;

use super::*;

fn cents(format: &NumberFormat, text: &str) -> Read<i64> {
    format.price(text).map(Price::cents)
}

fn german() -> NumberFormat {
    NumberFormat {
        separators: PriceFormat {
            decimal: ',',
            thousands: Some('.'),
        },
        names_decimal: true,
        ..NumberFormat::default()
    }
}

fn with_commas() -> NumberFormat {
    NumberFormat {
        separators: PriceFormat {
            thousands: Some(','),
            ..PriceFormat::default()
        },
        ..NumberFormat::default()
    }
}

#[test]
fn what_can_only_mean_one_number_is_read() {
    let plain = NumberFormat::default();
    for (text, expected) in [
        (" 10.00", 1_000),
        ("10.00\u{a0}", 1_000),
        ("1 234.50", 123_450),
        ("1\u{a0}234\u{202f}567.50", 123_456_750),
        ("1'234.50", 123_450),
        ("1\u{2019}234.50", 123_450),
        ("1.5e3", 150_000),
        ("1E+2", 10_000),
        ("1250e-2", 1_250),
        ("1.99E0", 199),
        ("+ 7", 700),
        ("7+", 700),
        ("(0.00)", 0),
        ("0-", 0),
        ("\u{2212}0", 0),
    ] {
        assert_eq!(cents(&plain, text), Ok(expected), "{text}");
    }
    for text in [
        "12.50-",
        "- 12.50",
        "(12.50)",
        "( 12.50 )",
        "\u{2212}12.50",
        "12.50 -",
        "-1e1",
        "(0.001)",
    ] {
        assert_eq!(cents(&plain, text), Err(PriceError::Negative), "{text}");
    }
    assert_eq!(cents(&plain, "1e31"), Err(PriceError::OutOfRange));
    assert_eq!(cents(&plain, "1e10"), Err(PriceError::OutOfRange));
    assert_eq!(cents(&plain, "1e-3"), Err(PriceError::Inexact));
    assert_eq!(cents(&german(), "1.234,50-"), Err(PriceError::Negative));
    assert_eq!(cents(&german(), " 1.234,50"), Ok(123_450));
}

#[test]
fn what_could_mean_another_number_is_malformed() {
    for (format, texts) in [
        (
            NumberFormat::default(),
            &[
                "1,980",
                "1,234.50",
                "12,50",
                "1.234.567",
                "$10",
                "10 USD",
                "1 23",
                "1 2345",
                "12 34.5",
                "--1",
                "-(1)",
                "1-2",
                "- -1",
                "(1",
                "1)",
                "()",
                "-",
                "e5",
                "1e",
                "1e1.5",
                "0x10",
                "NaN",
                "1_000",
                "\u{663}",
                "1 234'567",
                ".",
                " ",
            ][..],
        ),
        (
            with_commas(),
            &[
                "1,23",
                "12,50",
                "0,500",
                "1,2345",
                "1.234,5",
                "1 234",
                "1,234,56",
                "123,45,678",
                "1,,000",
            ],
        ),
        (german(), &["12.50", "1.23.456", "1,234.5", "1 234,5", "0.500"]),
    ] {
        for text in texts {
            assert_eq!(cents(&format, text), Err(PriceError::Malformed), "{text}");
        }
    }
}

#[test]
fn groups_are_of_three_digits_or_as_in_india() {
    for (text, expected) in [
        ("1,00,000.00", 10_000_000),
        ("12,34,567.5", 123_456_750),
        ("1,23,45,678", 1_234_567_800),
        ("1,234,567.50", 123_456_750),
        ("0,000.00", 0),
    ] {
        assert_eq!(cents(&with_commas(), text), Ok(expected), "{text}");
    }
    let with_blanks = NumberFormat {
        separators: PriceFormat {
            decimal: ',',
            thousands: Some(' '),
        },
        ..NumberFormat::default()
    };
    for text in ["1 234,50", "1\u{a0}234,50", "1\u{202f}234,50", "1\u{2009}234,50"] {
        assert_eq!(cents(&with_blanks, text), Ok(123_450), "{text}");
    }
}

#[test]
fn words_of_a_currency_are_read_if_they_are_named() {
    let mut format = with_commas();
    format.currency_words = ["US$", "USD", "Rs.", "kr", "$", ",-"].map(str::to_owned).into();
    for text in [
        "$1,234.50",
        "1,234.50 USD",
        "USD 1,234.50",
        "$1,234.50 USD",
        "US$\u{a0}1,234.50",
        "Rs.1,234.50",
        "1,234.50kr",
    ] {
        assert_eq!(cents(&format, text), Ok(123_450), "{text}");
    }
    assert_eq!(cents(&format, "12,-"), Ok(1_200));
    for text in ["-$12.50", "$-12.50", "$12.50-", "($12.50)", "$(12.50)", "12.50- USD"] {
        assert_eq!(cents(&format, text), Err(PriceError::Negative), "{text}");
    }
    for text in ["€12.50", "12.50 usd", "$$12.50", "$", "12 $ 50", "12.50 EUR"] {
        assert_eq!(cents(&format, text), Err(PriceError::Malformed), "{text}");
    }
}

#[test]
fn amounts_are_rounded_on_request_but_never_to_nothing() {
    let with = |rounding| NumberFormat {
        rounding: Some(rounding),
        ..NumberFormat::default()
    };
    let (up, even) = (with(Rounding::HalfUp), with(Rounding::HalfEven));
    for (text, half_up, half_even) in [
        ("19.990000000000002", 1_999, 1_999),
        ("19.989999999999998", 1_999, 1_999),
        ("7.255", 726, 726),
        ("7.245", 725, 724),
        ("7.2450001", 725, 725),
        ("7.2449", 724, 724),
        ("17.125", 1_713, 1_712),
        ("0.999", 100, 100),
        ("9.995", 1_000, 1_000),
        ("12", 1_200, 1_200),
        ("1.999e1", 1_999, 1_999),
        ("0.00000", 0, 0),
        ("0000000000000009.5", 950, 950),
    ] {
        assert_eq!(
            (cents(&up, text), cents(&even, text)),
            (Ok(half_up), Ok(half_even)),
            "{text}"
        );
    }
    for (text, err) in [
        ("0.001", PriceError::Inexact),
        ("0.004999", PriceError::Inexact),
        ("-0.001", PriceError::Negative),
        ("-7.255", PriceError::Negative),
        ("9999999999.995", PriceError::OutOfRange),
        ("10000000000", PriceError::OutOfRange),
        ("99999999999999999999999", PriceError::OutOfRange),
        ("7.25x", PriceError::Malformed),
    ] {
        assert_eq!(cents(&up, text), Err(err), "{text}");
    }
    assert_eq!(cents(&NumberFormat::default(), "7.255"), Err(PriceError::Inexact));
}

#[test]
fn amounts_in_cents_are_whole_numbers() {
    let in_units = |scale, rounding| NumberFormat {
        scale,
        rounding,
        ..NumberFormat::default()
    };
    let cents_of = in_units(2, None);
    for (text, expected) in [
        ("1990", 1_990),
        ("5", 5),
        ("0", 0),
        ("1990.0", 1_990),
        (" 12 345", 12_345),
        ("1.99e3", 1_990),
    ] {
        assert_eq!(cents(&cents_of, text), Ok(expected), "{text}");
    }
    assert_eq!(cents(&cents_of, "-1990"), Err(PriceError::Negative));
    for scaled in [&cents_of, &in_units(2, Some(Rounding::HalfUp))] {
        assert_eq!(cents(scaled, "19.90"), Err(PriceError::Inexact));
    }
    assert_eq!(cents(&in_units(6, None), "19990000"), Ok(1_999));
    assert_eq!(cents(&in_units(6, None), "19990001"), Err(PriceError::Inexact));
    assert_eq!(cents(&in_units(3, Some(Rounding::HalfUp)), "7255"), Ok(726));
    assert_eq!(cents(&in_units(9, None), "10000000"), Ok(1));
}

#[test]
fn whole_numbers_may_have_decimals_that_are_zero() {
    let plain = NumberFormat::default();
    for (text, expected) in [
        ("2.0", Some("2")),
        ("2.00", Some("2")),
        ("3 ", Some("3")),
        ("3.", Some("3")),
        ("1 200", Some("1200")),
        ("1e2", Some("100")),
        ("2.0-", Some("-2")),
        ("1200.000", Some("1200")),
        ("0.5", None),
        ("1.000", None),
        ("1,200", None),
        ("two", None),
        ("$2", None),
    ] {
        assert_eq!(plain.whole_number(text).as_deref(), expected, "{text}");
    }
    assert_eq!(with_commas().whole_number("1,200").as_deref(), Some("1200"));
    assert_eq!(german().whole_number("1.000").as_deref(), Some("1000"));
    assert_eq!(german().whole_number("1,000").as_deref(), Some("1"));
    let named = NumberFormat {
        names_decimal: true,
        ..plain
    };
    assert_eq!(named.whole_number("1.000").as_deref(), Some("1"));
}

#[test]
fn a_number_below_zero_loses_its_sign_and_what_stands_with_it() {
    let format = NumberFormat {
        currency_words: vec!["$".into()],
        ..NumberFormat::default()
    };
    for text in [
        "-12.50",
        "12.50-",
        "(12.50)",
        "\u{2212}12.50",
        " - 12.50",
        "12.50 -",
        "-$12.50",
        "$-12.50",
        "($ 12.50)",
    ] {
        assert_eq!(format.without_negative_sign(text), Some("12.50"), "{text}");
    }
    for text in ["12.50", "0", "-0.00", "(0)", "", "-", "+1", "$12.50", "--1"] {
        assert_eq!(format.without_negative_sign(text), None, "{text}");
    }
}

#[test]
fn a_malformed_number_says_what_the_mapping_needs() {
    let plain = NumberFormat::default();
    let hint = |text: &str| plain.hint(text, NumberFormat::is_number).unwrap_or_default();
    assert!(
        hint("$1,234.50").contains("currency_words = [\"$\"]"),
        "{}",
        hint("$1,234.50")
    );
    assert!(hint("12.50 zł").contains("currency_words = [\"zł\"]"));
    assert!(hint("1,980").contains("decimal and thousands"));
    assert!(hint("12,50").contains("decimal and thousands"));
    for text in ["NaN", "free", "one", "1-2", ""] {
        assert_eq!(plain.hint(text, NumberFormat::is_number), None, "{text}");
    }
    // No key makes half a piece whole.
    let of_pieces = |text: &str| plain.hint(text, NumberFormat::is_whole_number);
    assert_eq!(of_pieces("0.5"), None);
    assert!(of_pieces("1,200").is_some() && of_pieces("1.000").is_some());
}

proptest! {
    #[test]
    fn a_way_of_writing_does_not_change_the_price(cents in 0..=Price::MAX.cents(), way in 0..6_usize) {
        let price = Price::from_cents(cents).unwrap();
        let mut whole = (cents / 100).to_string();
        for at in (1..whole.len()).rev().filter(|at| (whole.len() - at).is_multiple_of(3)).collect::<Vec<_>>() {
            whole.insert(at, ',');
        }
        let grouped = format!("{whole}.{:02}", cents % 100);
        let text = match way {
            0 => format!(" {price}\u{a0}"),
            1 => grouped.clone(),
            2 => grouped.replace(',', "\u{202f}"),
            3 => grouped.replace(',', "'"),
            4 => format!("{cents}e-2"),
            _ => format!("{price}0000000001"),
        };
        let mut format = if way == 1 { with_commas() } else { NumberFormat::default() };
        if way == 5 {
            format.rounding = Some(Rounding::HalfUp);
            prop_assume!(cents > 0);
        }
        prop_assert_eq!(format.price(&text), Ok(price), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "\\PC*|[-0-9.,'e() $\u{2212}]{0,12}", scale in 0..3_u32, rounds in any::<bool>()) {
        let format = NumberFormat {
            scale,
            rounding: rounds.then_some(Rounding::HalfEven),
            currency_words: vec!["$".into()],
            ..with_commas()
        };
        let _ = (format.price(&text), format.whole_number(&text), format.hint(&text, NumberFormat::is_number));
    }
}
