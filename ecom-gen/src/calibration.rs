//! Habits from a profile: a shop like one that was measured.

use std::ops::Range;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::parameters::{CategoryHabits, Habits, Rhythm};
use crate::profile::{DAY, Measure, MeasureOptions, NIGHT, Profile};
use crate::rate::Rate;
use crate::shop::{Delivery, Shop};

/// In hours of which a profile says that nobody buys it saw few carts, so that this is chance.
const LEAST_BUYING: f64 = 0.02;

/// What is compared, and what is turned until it agrees.
struct Knob {
    of: fn(&Profile) -> Option<f64>,
    /// Turns it, by how many times as much is wanted.
    turn: fn(&mut Habits, f64),
}

const KNOBS: &[Knob] = &[
    Knob {
        of: |profile| Some(profile.sessions.single_share),
        turn: |habits, times| scale(&mut habits.visits.single, times, 0.0, 0.95),
    },
    Knob {
        of: |profile| Some(profile.sessions.events_of_two_or_more.as_ref()?.mean - 1.9),
        turn: |habits, times| habits.visits.views_mu = (habits.visits.views_mu + times.ln()).clamp(-3.0, 6.0),
    },
    Knob {
        of: |profile| {
            let events = profile.sessions.events_of_two_or_more.as_ref()?;
            Some((events.p99 - 1.0) / (events.median - 1.0))
        },
        turn: |habits, times| scale(&mut habits.visits.views_sigma, times.powf(0.3), 0.2, 2.0),
    },
    Knob {
        of: |profile| profile.browsing.same_product_views,
        turn: |habits, times| scale(&mut habits.visits.same_product, times, 0.0, 0.8),
    },
    Knob {
        of: |profile| Some((profile.browsing.revisit? - profile.browsing.same_product?).max(0.01)),
        turn: |habits, times| scale(&mut habits.visits.back, times, 0.0, 0.19),
    },
    Knob {
        of: |profile| Some(1.0 - profile.browsing.same_category?),
        turn: |habits, times| {
            let mut leaves = 1.0 - habits.visits.same_category;
            scale(&mut leaves, times, 0.0, 1.0);
            habits.visits.same_category = 1.0 - leaves;
        },
    },
    Knob {
        of: |profile| share(profile.volume.carts, profile.volume.views),
        turn: |habits, times| scale(&mut habits.buying.cart, times, 1e-6, 1.0),
    },
    Knob {
        of: |profile| Some(profile.sessions.bought_share),
        turn: |habits, times| scale(&mut habits.buying.buy, times, 1e-4, 1.0),
    },
    Knob {
        of: |profile| share(profile.volume.removals, profile.volume.carts),
        turn: |habits, times| scale(&mut habits.buying.remove, times, 0.0, 1.0),
    },
    Knob {
        of: |profile| Some(profile.orders.lines.as_ref()?.mean - 1.0),
        turn: |habits, times| scale(&mut habits.buying.another, times, 0.0, 0.98),
    },
    Knob {
        of: |profile| profile.carts.purchases_without_cart,
        turn: |habits, times| {
            scale(&mut habits.buying.at_once, times, 0.0, 1.0);
            scale(&mut habits.buying.come_back, times, 0.0, 0.2);
        },
    },
    Knob {
        of: |profile| Some(profile.volume.pieces_mean? - 0.9),
        turn: |habits, times| habits.buying.quantity_mu = (habits.buying.quantity_mu + times.ln()).clamp(-3.0, 6.0),
    },
    Knob {
        of: |profile| Some(profile.users.by_month.as_ref()?.sessions_per_user),
        turn: |habits, times| scale(&mut habits.people.visits_a_month, times, 0.05, 500.0),
    },
    Knob {
        of: |profile| profile.users.by_month.as_ref()?.returning_share,
        turn: |habits, times| habits.people.days_mu = (habits.people.days_mu + 1.5 * times.ln()).clamp(0.0, 9.0),
    },
    Knob {
        of: |profile| {
            let views = profile.users.views.as_ref()?;
            profile.users.by_month.as_ref().map(|_| views.mean / views.median)
        },
        turn: |habits, times| scale(&mut habits.people.inequality, times.powf(0.7), 1.2, 15.0),
    },
    Knob {
        // The more shoppers differ, the fewer buy.
        of: |profile| Some(profile.users.by_month.as_ref()?.buying_share),
        turn: |habits, times| scale(&mut habits.people.keenness_sigma, times.powf(-0.5), 0.05, 3.0),
    },
    Knob {
        of: |profile| profile.popularity.zipf_head.or(profile.popularity.zipf_top_half),
        turn: |habits, times| scale(&mut habits.wares.zipf, times, 0.05, 2.5),
    },
    Knob {
        of: |profile| profile.assortment.brand_shares.first().copied(),
        turn: |habits, times| scale(&mut habits.wares.brand_inequality, times, 1.0, 20.0),
    },
    Knob {
        of: |profile| Some(profile.flaws.missing_brand_share),
        turn: |habits, times| scale(&mut habits.wares.no_brand, times, 0.0, 1.0),
    },
    Knob {
        of: |profile| profile.carts.day_to_night,
        turn: |habits, times| lean_to_the_day(&mut habits.rhythm.buying_hours, times),
    },
];

/// Makes day and night differ by so many times as much, along the usual hours. Not by a power of the shop's own ones: of
/// hours that are all the same there is none that differs.
fn lean_to_the_day(buying_hours: &mut [f64; 24], times: f64) {
    let usual = Rhythm::default().buying_hours;
    let mean = |hours: Range<usize>| usual[hours.clone()].iter().sum::<f64>() / hours.len() as f64;
    let power = times.ln() / (mean(DAY) / mean(NIGHT)).ln();
    for (hour, usual) in buying_hours.iter_mut().zip(usual) {
        *hour = (*hour * usual.powf(power)).clamp(LEAST_BUYING, 1.0 / LEAST_BUYING);
    }
}

impl Habits {
    /// The habits of a shop whose events look like the profile: what can be read off it is, and the rest is turned until a
    /// sample of the shop's events has the same profile. What the profile doesn't tell is as usual.
    ///
    /// Takes some seconds. The same profile gives the same habits.
    ///
    /// ```no_run
    /// use ecom_gen::profile::{ReadOptions, read_dir};
    /// use ecom_gen::{Habits, Shop};
    /// use time::macros::datetime;
    ///
    /// let profile = read_dir("data", ReadOptions::default())?;
    /// let shop = Shop::builder(7, datetime!(2026-11-01 12:00 UTC)).habits(Habits::like(&profile))?.build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn like(profile: &Profile) -> Self {
        const ROUNDS: usize = 8;
        let mut habits = read_off(profile);
        for _ in 0..ROUNDS {
            let sample = sample(&habits, Size::of(profile));
            for knob in KNOBS {
                if let (Some(wanted), Some(found)) = ((knob.of)(profile), (knob.of)(&sample))
                    && wanted.is_finite()
                    && found > 0.0
                {
                    (knob.turn)(&mut habits, (wanted / found).clamp(0.25, 4.0).powf(0.8));
                }
            }
        }
        habits
    }
}

/// What a profile tells directly.
fn read_off(profile: &Profile) -> Habits {
    let mut habits = Habits::default();
    if let Some(log) = &profile.gaps.log {
        habits.visits.gap_mu = log.mu.clamp(-5.0, 7.0);
        habits.visits.gap_sigma = log.sigma.clamp(0.1, 3.0);
    }
    if let Some(hours) = profile.clock.hours {
        habits.rhythm.hours = hours;
    }
    if let Some(weekdays) = profile.clock.weekdays {
        habits.rhythm.weekdays = weekdays;
    }
    let usual = habits.rhythm.buying_hours;
    let bought = &profile.carts;
    habits.rhythm.buying_hours =
        std::array::from_fn(|hour| match (bought.bought_share_by_hour[hour], bought.bought_share) {
            (Some(here), Some(all)) if all > 0.0 => (here / all).max(LEAST_BUYING),
            _ => usual[hour],
        });
    habits.wares.no_brand = profile.flaws.missing_brand_share.clamp(0.0, 1.0);
    habits.wares.zero_price = profile.flaws.zero_price_share.clamp(0.0, 1.0);
    habits.wares.categories = categories(profile);
    habits
}

fn categories(profile: &Profile) -> Vec<CategoryHabits> {
    let (mu, sigma) = profile
        .prices
        .log
        .as_ref()
        .map_or((4.0, 1.0), |log| (log.mu, log.sigma));
    let category = |name: Option<String>, share: f64, price: (f64, f64)| CategoryHabits {
        name,
        visits: share,
        price_mu: price.0.clamp(-4.0, 12.0),
        price_sigma: price.1.clamp(0.0, 4.0),
    };
    let named = profile.assortment.categories.iter().map(|known| {
        let price = known.price.as_ref().map_or((mu, sigma), |log| (log.mu, log.sigma));
        category(Some(known.name.clone()), known.share, price)
    });
    let unnamed = category(None, profile.flaws.missing_category_share, (mu, sigma));
    named
        .chain([unnamed])
        .filter(|category| category.visits > 1e-6)
        .collect()
}

#[derive(Clone, Copy)]
struct Size {
    days: f64,
    events: u64,
    products: u64,
}

impl Size {
    fn of(profile: &Profile) -> Self {
        let volume = &profile.volume;
        Self {
            days: volume.days,
            events: volume.events,
            products: volume.products,
        }
    }
}

/// The profile of some events of a shop of these habits, as many as that within bounds.
fn sample(habits: &Habits, size: Size) -> Profile {
    /// A Monday.
    const START: OffsetDateTime = datetime!(2026-01-05 00:00 UTC);
    const MOST_EVENTS: u64 = 300_000;
    let days = size.days.clamp(1.0, 63.0);
    let events = size.events.clamp(20_000, MOST_EVENTS) as f64;
    let end = START + Duration::seconds_f64(days * 86_400.0);
    let shop = Shop::builder(1, START)
        .products(size.products.clamp(50, 20_000) as u32)
        .rate(Rate::per_second(events / (days * 86_400.0)).unwrap_or_default())
        .delivery(Delivery::exact());
    let mut measure = Measure::new(MeasureOptions::default());
    if let Ok(shop) = shop.habits(habits.clone()) {
        let events = shop.build().take_while(|event| event.event_time < end);
        events.for_each(|event| measure.add(&(&event).into()));
    }
    measure.finish()
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn scale(value: &mut f64, times: f64, least: f64, most: f64) {
    *value = (*value * times).clamp(least, most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_bought_at_no_hour_of_the_night_is_bought_by_day() {
        let mut hours = [1.0; 24];
        hours[3] = 0.0;
        lean_to_the_day(&mut hours, 2.0);
        assert!(hours[12] > 1.8 * hours[1] && hours[3] == LEAST_BUYING, "{hours:?}");
    }

    #[test]
    fn a_shop_like_another_has_its_profile() {
        let mut other = Habits::default();
        other.visits.single = 0.25;
        other.visits.views_mu = 1.1;
        other.visits.gap_mu = 3.0;
        other.visits.same_product = 0.3;
        other.visits.same_category = 0.6;
        other.buying.cart = 0.06;
        other.buying.buy = 0.55;
        other.buying.another = 0.4;
        other.wares.zipf = 0.8;
        other.wares.no_brand = 0.4;
        other.wares.categories = ["toys", "books.crime", "books.travel"]
            .map(|name| CategoryHabits {
                name: Some(name.to_owned()),
                visits: 1.0,
                price_mu: 2.5,
                price_sigma: 0.4,
            })
            .into();
        other.rhythm.hours = std::array::from_fn(|hour| if hour < 12 { 1.0 } else { 3.0 });

        let size = Size {
            events: 300_000,
            days: 40.0,
            products: 2_000,
        };
        let wanted = sample(&other, size);
        let wanted = Profile::from_json(&wanted.to_json().unwrap()).unwrap();
        let like = Habits::like(&wanted);
        like.check().unwrap();
        let found = sample(&like, size);
        let mut far = Vec::new();
        for (at, knob) in KNOBS.iter().enumerate() {
            if let (Some(wanted), Some(found)) = ((knob.of)(&wanted), (knob.of)(&found)) {
                let times = found / wanted;
                if !(0.85..1.18).contains(&times) {
                    far.push((at, wanted, found));
                }
            }
        }
        assert!(far.is_empty(), "knob, wanted and found: {far:?}");
        assert!(wanted.carts.day_to_night.unwrap() > 1.1 && like.rhythm.buying_hours.iter().all(|hour| *hour > 0.0));
        let hour = |profile: &Profile, hour: usize| profile.clock.hours.unwrap()[hour];
        assert!((hour(&found, 15) / hour(&wanted, 15) - 1.0).abs() < 0.1);
        assert!((found.prices.log.as_ref().unwrap().mu - 2.5).abs() < 0.2);
        assert!(
            found
                .assortment
                .categories
                .iter()
                .any(|category| category.name == "books.travel")
        );
    }
}
