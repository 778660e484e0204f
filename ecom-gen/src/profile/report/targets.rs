//! What was published about real shops, as bands of accepted values.

use Band::{Above, AtLeast, AtMost, Within};
use SampleLength::{Day, Month, Week, Year};
use Unit::{Days, Number, Percent, Seconds};
use ecom_stream::EventType;

use super::band::{Band, Unit};
use crate::profile::sample_length::SampleLength;
use crate::profile::sections::Profile;

/// What real shops are like in one respect.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Target {
    /// The row in the table of published measurements. Row 2 has the bands of row 1.
    pub row: u8,
    /// What is measured.
    pub name: &'static str,
    /// The unit of the value.
    pub unit: Unit,
    /// The accepted range; `None` if any value is accepted, because shops differ or because it can be set.
    pub band: Option<Band>,
    /// The length of the sample that is needed.
    pub sample: SampleLength,
    /// Where the band comes from, if the table has no band.
    pub note: &'static str,
    /// The value in a profile; `None` if the profile does not have it.
    pub value: fn(&Profile) -> Option<f64>,
}

impl Target {
    const fn new(row: u8, name: &'static str, unit: Unit, band: Band, value: fn(&Profile) -> Option<f64>) -> Self {
        Self {
            row,
            name,
            unit,
            band: Some(band),
            sample: SampleLength::Any,
            note: "",
            value,
        }
    }

    const fn without_band(row: u8, name: &'static str, unit: Unit, value: fn(&Profile) -> Option<f64>) -> Self {
        Self {
            band: None,
            ..Self::new(row, name, unit, AtLeast(0.0), value)
        }
    }

    const fn needs(self, sample: SampleLength) -> Self {
        Self { sample, ..self }
    }

    const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

const fn percent(least: f64, most: f64) -> Band {
    Within(least / 100.0, most / 100.0)
}

/// The targets, by the rows of a table of published measurements: public data sets of real shops, and papers. A band is
/// as wide as shops differ. If the table has values without a band, a band around them is used, and the note says
/// which.
pub const TARGETS: &[Target] = &[
    Target::new(1, "views", Percent, percent(92.0, 98.0), |p| {
        p.volume.share(EventType::View)
    }),
    Target::new(1, "carts", Percent, percent(1.5, 6.0), |p| {
        p.volume.share(EventType::AddToCart)
    }),
    Target::new(1, "purchases", Percent, percent(0.7, 2.5), |p| {
        p.volume.share(EventType::Purchase)
    }),
    Target::new(3, "sessions that buy", Percent, percent(2.0, 8.0), |p| {
        Some(p.sessions.bought_share)
    }),
    Target::new(
        4,
        "sessions with a cart, not buying",
        Percent,
        percent(3.0, 10.0),
        |p| Some(p.sessions.cart_only_share),
    ),
    Target::new(
        5,
        "carts bought, by user and category",
        Percent,
        percent(30.0, 60.0),
        |p| p.carts.bought_share,
    ),
    Target::new(5, "carts bought, by day over by night", Number, AtLeast(1.1), |p| {
        p.carts.day_to_night
    })
    .needs(Day)
    .note("more by day, and by more than chance"),
    Target::new(6, "users who buy in a month", Percent, percent(8.0, 15.0), |p| {
        Some(p.users.by_month.as_ref()?.buying_share)
    })
    .needs(Month),
    Target::new(7, "purchases, no cart in the session", Percent, Above(0.0), |p| {
        p.carts.purchases_without_cart
    }),
    Target::new(8, "events per session, mean", Number, Within(3.5, 6.0), |p| {
        Some(p.sessions.events?.mean)
    }),
    Target::new(8, "sessions of one event", Percent, percent(30.0, 45.0), |p| {
        Some(p.sessions.single_share)
    }),
    Target::new(9, "events, if two or more, mean", Number, Within(3.0, 6.75), |p| {
        Some(p.sessions.events_of_two_or_more?.mean)
    }),
    Target::new(9, "events, if two or more, median", Number, Within(2.25, 5.0), |p| {
        Some(p.sessions.events_of_two_or_more?.median)
    }),
    Target::new(9, "events, if two or more, p90", Number, Within(5.25, 11.25), |p| {
        Some(p.sessions.events_of_two_or_more?.p90)
    }),
    Target::new(9, "events, if two or more, p99", Number, Within(13.5, 33.75), |p| {
        Some(p.sessions.events_of_two_or_more?.p99)
    }),
    Target::new(10, "session length, median", Seconds, Within(40.0, 120.0), |p| {
        Some(p.sessions.seconds?.median)
    }),
    Target::new(
        10,
        "buying session length, median",
        Seconds,
        Within(130.0, 520.0),
        |p| Some(p.sessions.buying.as_ref()?.seconds.median),
    )
    .note("published 257 s, half to double"),
    Target::new(10, "buying session views, mean", Number, Within(3.0, 12.0), |p| {
        Some(p.sessions.buying.as_ref()?.views.mean)
    })
    .note("published 5.8, half to double"),
    Target::new(11, "gap, mu of ln seconds", Number, Within(3.4, 4.1), |p| {
        Some(p.gaps.log?.mu)
    }),
    Target::new(11, "gap, sigma of ln seconds", Number, Within(0.9, 1.6), |p| {
        Some(p.gaps.log?.sigma)
    }),
    Target::new(11, "gap, KS distance to lognormal", Number, AtMost(0.1), |p| {
        Some(p.gaps.log?.ks)
    })
    .note("ours: lognormal by eye in every data set"),
    Target::new(12, "same product next", Percent, percent(10.0, 35.0), |p| {
        p.browsing.same_product
    }),
    Target::new(12, "same category next", Percent, percent(70.0, 100.0), |p| {
        p.browsing.same_category
    }),
    Target::new(
        12,
        "product seen before in session",
        Percent,
        percent(15.0, 45.0),
        |p| p.browsing.revisit,
    )
    .note("computed 20 to 37 %, a quarter wider"),
    Target::new(13, "Zipf s, ranks 10 to 1000", Number, Within(0.8, 1.2), |p| {
        p.popularity.zipf_head
    })
    .needs(Month),
    Target::new(13, "Zipf s, top half", Number, Within(0.5, 1.5), |p| {
        p.popularity.zipf_top_half
    })
    .needs(Month)
    .note("computed 0.52 to 1.29, a little wider"),
    Target::new(14, "views of the top 10 %", Percent, percent(60.0, 85.0), |p| {
        p.popularity.top_10_percent_share
    })
    .needs(Month),
    Target::new(14, "views of the top 1 %", Percent, percent(9.0, 50.0), |p| {
        p.popularity.top_1_percent_share
    })
    .needs(Month)
    .note("computed 9 to 43 %"),
    Target::new(14, "Gini of views", Number, Within(0.6, 0.9), |p| p.popularity.gini)
        .needs(Month)
        .note("computed 0.44 to 0.87, the high end over a month"),
    Target::new(
        15,
        "products bought of those viewed",
        Percent,
        percent(15.0, 40.0),
        |p| {
            // With few events per product, few products are bought for that reason alone; the real shop had 250 per
            // month.
            let events_a_month = p.volume.events as f64 / p.volume.days * 30.0;
            let enough = events_a_month > 100.0 * p.popularity.products as f64;
            p.users.by_month.as_ref().filter(|_| enough)?.products_bought_share
        },
    )
    .needs(Month)
    .note("of shops with more than 100 events a product and month"),
    Target::new(16, "views per user, mean over median", Number, Above(2.5), |p| {
        p.users.views.map(|views| views.mean / views.median)
    })
    .needs(Month),
    Target::new(17, "sessions per user in a month", Number, Within(1.5, 5.0), |p| {
        Some(p.users.by_month.as_ref()?.sessions_per_user)
    })
    .needs(Month),
    Target::new(17, "users who return next month", Percent, percent(30.0, 60.0), |p| {
        p.users.by_month.as_ref()?.returning_share
    })
    .needs(Month),
    Target::new(18, "customers with one order", Percent, percent(35.0, 65.0), |p| {
        p.orders.one_timers
    })
    .needs(Year),
    Target::new(18, "orders per customer, mean", Number, Within(2.0, 5.5), |p| {
        Some(p.orders.per_customer?.mean)
    })
    .needs(Year)
    .note("computed 2.96 to 4.3, a third wider"),
    Target::new(18, "orders per customer, p99", Number, Within(12.0, 40.0), |p| {
        Some(p.orders.per_customer?.p99)
    })
    .needs(Year)
    .note("computed 20 to 30, a third wider"),
    Target::new(19, "days between orders, median", Days, Within(15.0, 40.0), |p| {
        Some(p.orders.days_between?.median)
    })
    .needs(Year),
    Target::new(19, "days between orders, p90", Days, Within(75.0, 250.0), |p| {
        Some(p.orders.days_between?.p90)
    })
    .needs(Year)
    .note("computed 103 to 194, a quarter wider"),
    Target::new(20, "lines bought before", Percent, percent(15.0, 45.0), |p| {
        p.orders.rebought_share
    })
    .needs(Year),
    Target::new(21, "price, sigma of ln", Number, Within(0.9, 1.4), |p| {
        Some(p.prices.log?.sigma)
    }),
    Target::new(21, "price, skew of ln", Number, Within(-0.4, 0.4), |p| {
        Some(p.prices.log?.skew)
    }),
    Target::new(21, "price, KS distance to lognormal", Number, AtMost(0.1), |p| {
        Some(p.prices.log?.ks)
    })
    .note("ours: skew and kurtosis are near 0"),
    Target::new(22, "price, spread of mu by category", Number, AtLeast(0.5), |p| {
        p.assortment.mu_spread
    })
    .note("standard deviation over the top levels"),
    Target::new(23, "order value, mu of ln", Number, Within(2.5, 5.5), |p| {
        Some(p.orders.value?.mu)
    })
    .note("computed 3.28 and 4.32; depends on the currency"),
    Target::new(23, "order value, sigma of ln", Number, Within(0.55, 1.4), |p| {
        Some(p.orders.value?.sigma)
    })
    .note("computed 0.73 and 0.92, up to that of all prices"),
    Target::new(24, "lines per order, mean", Number, Within(1.1, 2.0), |p| {
        Some(p.orders.lines?.mean)
    }),
    Target::new(24, "orders of one line", Percent, percent(70.0, 90.0), |p| {
        p.orders.single_line_share
    }),
    Target::new(25, "events without a brand", Percent, percent(10.0, 18.0), |p| {
        Some(p.flaws.missing_brand_share)
    }),
    Target::new(25, "events without a category", Percent, percent(25.0, 40.0), |p| {
        Some(p.flaws.missing_category_share)
    }),
    Target::new(25, "products at times without category", Percent, AtMost(0.01), |p| {
        Some(p.flaws.sometimes_missing_category_share)
    })
    .note("never, by the table; a few for those moved"),
    Target::new(26, "exact duplicates", Percent, percent(0.01, 1.0), |p| {
        Some(p.flaws.duplicate_share)
    })
    .note("published 0.017 to 0.97 %; can be set"),
    Target::new(27, "events with a price of 0", Percent, percent(0.1, 0.4), |p| {
        Some(p.flaws.zero_price_share)
    })
    .note("published 0.16 to 0.28 %, half as much wider"),
    Target::new(28, "busiest hour over quietest", Number, AtLeast(8.0), |p| {
        p.clock.peak_to_trough
    })
    .needs(Day),
    Target::new(28, "share of the busiest hour", Percent, percent(6.0, 12.0), |p| {
        p.clock.hours.map(|hours| hours.into_iter().fold(0.0, f64::max))
    })
    .needs(Day)
    .note("computed 8 to 9.7 %, a quarter wider"),
    Target::new(29, "busiest weekday over quietest", Number, Within(1.2, 2.0), |p| {
        p.clock.busiest_to_quietest
    })
    .needs(Week),
    Target::without_band(30, "busiest day over the middle one", Number, |p| {
        p.clock.busiest_to_median_day
    })
    .needs(Week),
    Target::new(31, "top pairs, median lift", Number, Above(2.0), |p| {
        Some(p.pairs.lift?.median)
    }),
    Target::without_band(31, "top pairs, median confidence", Percent, |p| {
        Some(p.pairs.confidence?.median)
    })
    .note("computed 13 to 27 %, in orders of ten lines and more"),
    Target::without_band(31, "pairs seen once", Percent, |p| p.pairs.seen_once_share),
    Target::new(32, "events of the top brand", Percent, percent(8.0, 20.0), |p| {
        p.assortment.brand_shares.first().copied()
    }),
    Target::new(32, "events of the top category", Percent, percent(20.0, 50.0), |p| {
        Some(p.assortment.top_levels.first()?.share)
    })
    .note("computed 36 %, a third either way"),
    Target::without_band(34, "events out of order", Percent, |p| Some(p.arrival.late_share)),
    Target::without_band(34, "events in the second of the last", Percent, |p| {
        Some(p.arrival.same_second_share)
    }),
    Target::without_band(34, "late by, median", Seconds, |p| {
        Some(p.arrival.late_by_seconds?.median)
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_has_a_target() {
        // Row 2 has the bands of row 1; row 33 is about another trade.
        let rows: Vec<u8> = (1..=34).filter(|row| ![2, 33].contains(row)).collect();
        let mut covered: Vec<u8> = TARGETS.iter().map(|target| target.row).collect();
        assert!(covered.is_sorted());
        covered.dedup();
        assert_eq!(covered, rows);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TARGETS.len());
    }
}
