//! Fits the parameters of the model to a profile, so that the shop resembles one that was measured.

use std::ops::Range;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::parameters::{CategoryParameters, ModelParameters, Seasonality};
use crate::profile::{DAY, Measure, MeasureOptions, NIGHT, Profile};
use crate::rate::Rate;
use crate::shop::{Delivery, Shop};

/// The smallest weight of an hour. A profile without purchases in an hour has seen few carts in it, so that this is
/// chance.
const MIN_PURCHASE_WEIGHT: f64 = 0.02;

/// A measured value, and how the parameters are adjusted until the simulation has the same value.
struct Adjustment {
    /// The value in a profile.
    measured: fn(&Profile) -> Option<f64>,
    /// Adjusts the parameters, if the value must become this many times as large.
    adjust: fn(&mut ModelParameters, f64),
}

const ADJUSTMENTS: &[Adjustment] = &[
    Adjustment {
        measured: |profile| Some(profile.sessions.single_share),
        adjust: |parameters, times| scale(&mut parameters.visits.bounce_rate, times, 0.0, 0.95),
    },
    Adjustment {
        measured: |profile| Some(profile.sessions.events_of_two_or_more.as_ref()?.mean - 1.9),
        adjust: |parameters, times| {
            parameters.visits.views_mu = (parameters.visits.views_mu + times.ln()).clamp(-3.0, 6.0)
        },
    },
    Adjustment {
        measured: |profile| {
            let events = profile.sessions.events_of_two_or_more.as_ref()?;
            Some((events.p99 - 1.0) / (events.median - 1.0))
        },
        adjust: |parameters, times| scale(&mut parameters.visits.views_sigma, times.powf(0.3), 0.2, 2.0),
    },
    Adjustment {
        measured: |profile| profile.browsing.same_product_views,
        adjust: |parameters, times| scale(&mut parameters.visits.same_product, times, 0.0, 0.8),
    },
    Adjustment {
        measured: |profile| Some((profile.browsing.revisit? - profile.browsing.same_product?).max(0.01)),
        adjust: |parameters, times| scale(&mut parameters.visits.revisit, times, 0.0, 0.19),
    },
    Adjustment {
        measured: |profile| Some(1.0 - profile.browsing.same_category?),
        adjust: |parameters, times| {
            let mut leaves = 1.0 - parameters.visits.same_category;
            scale(&mut leaves, times, 0.0, 1.0);
            parameters.visits.same_category = 1.0 - leaves;
        },
    },
    Adjustment {
        measured: |profile| share(profile.volume.carts, profile.volume.views),
        adjust: |parameters, times| scale(&mut parameters.buying.add_to_cart, times, 1e-6, 1.0),
    },
    Adjustment {
        measured: |profile| Some(profile.sessions.bought_share),
        adjust: |parameters, times| scale(&mut parameters.buying.purchase, times, 1e-4, 1.0),
    },
    Adjustment {
        measured: |profile| share(profile.volume.removals, profile.volume.carts),
        adjust: |parameters, times| scale(&mut parameters.buying.remove_from_cart, times, 0.0, 1.0),
    },
    Adjustment {
        measured: |profile| Some(profile.orders.lines.as_ref()?.mean - 1.0),
        adjust: |parameters, times| scale(&mut parameters.buying.add_another, times, 0.0, 0.98),
    },
    Adjustment {
        measured: |profile| profile.carts.purchases_without_cart,
        adjust: |parameters, times| {
            scale(&mut parameters.buying.buy_now, times, 0.0, 1.0);
            scale(&mut parameters.buying.return_to_cart, times, 0.0, 0.2);
        },
    },
    Adjustment {
        measured: |profile| Some(profile.volume.pieces_mean? - 0.9),
        adjust: |parameters, times| {
            parameters.buying.quantity_mu = (parameters.buying.quantity_mu + times.ln()).clamp(-3.0, 6.0)
        },
    },
    Adjustment {
        measured: |profile| Some(profile.users.by_month.as_ref()?.sessions_per_user),
        adjust: |parameters, times| scale(&mut parameters.shoppers.visits_a_month, times, 0.05, 500.0),
    },
    Adjustment {
        measured: |profile| profile.users.by_month.as_ref()?.returning_share,
        adjust: |parameters, times| {
            parameters.shoppers.lifetime_days_mu =
                (parameters.shoppers.lifetime_days_mu + 1.5 * times.ln()).clamp(0.0, 9.0)
        },
    },
    Adjustment {
        measured: |profile| {
            let views = profile.users.views.as_ref()?;
            profile.users.by_month.as_ref().map(|_| views.mean / views.median)
        },
        adjust: |parameters, times| scale(&mut parameters.shoppers.inequality, times.powf(0.7), 1.2, 15.0),
    },
    Adjustment {
        // The more shoppers differ, the fewer of them buy.
        measured: |profile| Some(profile.users.by_month.as_ref()?.buying_share),
        adjust: |parameters, times| scale(&mut parameters.shoppers.propensity_sigma, times.powf(-0.5), 0.05, 3.0),
    },
    Adjustment {
        measured: |profile| profile.popularity.zipf_head.or(profile.popularity.zipf_top_half),
        adjust: |parameters, times| scale(&mut parameters.products.zipf_exponent, times, 0.05, 2.5),
    },
    Adjustment {
        measured: |profile| profile.assortment.brand_shares.first().copied(),
        adjust: |parameters, times| scale(&mut parameters.products.brand_inequality, times, 1.0, 20.0),
    },
    Adjustment {
        measured: |profile| Some(profile.flaws.missing_brand_share),
        adjust: |parameters, times| scale(&mut parameters.products.without_brand, times, 0.0, 1.0),
    },
    Adjustment {
        measured: |profile| profile.carts.day_to_night,
        adjust: |parameters, times| scale_day_to_night(&mut parameters.seasonality.buying_hours, times),
    },
];

/// Multiplies the ratio of day to night along the default hours. A power of the shop's own hours would not work if they
/// are all equal.
fn scale_day_to_night(buying_hours: &mut [f64; 24], times: f64) {
    let usual = Seasonality::default().buying_hours;
    let mean = |hours: Range<usize>| usual[hours.clone()].iter().sum::<f64>() / hours.len() as f64;
    let power = times.ln() / (mean(DAY) / mean(NIGHT)).ln();
    for (hour, usual) in buying_hours.iter_mut().zip(usual) {
        *hour = (*hour * usual.powf(power)).clamp(MIN_PURCHASE_WEIGHT, 1.0 / MIN_PURCHASE_WEIGHT);
    }
}

impl ModelParameters {
    /// Fits the parameters to a profile, so that the shop's events have about the same profile. Some parameters follow
    /// directly from the profile. The others are adjusted repeatedly until simulated events have the measured values.
    /// What the profile does not contain keeps its default.
    ///
    /// This takes some seconds. The same profile always gives the same parameters.
    ///
    /// ```no_run
    /// use ecom_gen::profile::{ReadOptions, read_dir};
    /// use ecom_gen::{ModelParameters, Shop};
    /// use time::macros::datetime;
    ///
    /// let profile = read_dir("data", ReadOptions::default())?;
    /// let parameters = ModelParameters::calibrated_to(&profile);
    /// let shop = Shop::builder(7, datetime!(2026-11-01 12:00 UTC)).parameters(parameters)?.build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn calibrated_to(profile: &Profile) -> Self {
        const ROUNDS: usize = 8;
        let mut parameters = direct_parameters(profile);
        for _ in 0..ROUNDS {
            let sample = simulated_profile(&parameters, SampleSize::of(profile));
            for adjustment in ADJUSTMENTS {
                if let (Some(wanted), Some(found)) = ((adjustment.measured)(profile), (adjustment.measured)(&sample))
                    && wanted.is_finite()
                    && found > 0.0
                {
                    (adjustment.adjust)(&mut parameters, (wanted / found).clamp(0.25, 4.0).powf(0.8));
                }
            }
        }
        parameters
    }
}

/// The parameters that follow directly from a profile.
fn direct_parameters(profile: &Profile) -> ModelParameters {
    let mut parameters = ModelParameters::default();
    if let Some(log) = &profile.gaps.log {
        parameters.visits.gap_mu = log.mu.clamp(-5.0, 7.0);
        parameters.visits.gap_sigma = log.sigma.clamp(0.1, 3.0);
    }
    if let Some(hours) = profile.clock.hours {
        parameters.seasonality.hours = hours;
    }
    if let Some(weekdays) = profile.clock.weekdays {
        parameters.seasonality.weekdays = weekdays;
    }
    let usual = parameters.seasonality.buying_hours;
    let bought = &profile.carts;
    parameters.seasonality.buying_hours =
        std::array::from_fn(|hour| match (bought.bought_share_by_hour[hour], bought.bought_share) {
            (Some(here), Some(all)) if all > 0.0 => (here / all).max(MIN_PURCHASE_WEIGHT),
            _ => usual[hour],
        });
    parameters.products.without_brand = profile.flaws.missing_brand_share.clamp(0.0, 1.0);
    parameters.products.zero_price = profile.flaws.zero_price_share.clamp(0.0, 1.0);
    parameters.products.categories = categories(profile);
    parameters
}

fn categories(profile: &Profile) -> Vec<CategoryParameters> {
    let (mu, sigma) = profile
        .prices
        .log
        .as_ref()
        .map_or((4.0, 1.0), |log| (log.mu, log.sigma));
    let category = |name: Option<String>, share: f64, price: (f64, f64)| CategoryParameters {
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
struct SampleSize {
    days: f64,
    events: u64,
    products: u64,
}

impl SampleSize {
    fn of(profile: &Profile) -> Self {
        let volume = &profile.volume;
        Self {
            days: volume.days,
            events: volume.events,
            products: volume.products,
        }
    }
}

/// The profile of events that are simulated with these parameters, of about this size within bounds.
fn simulated_profile(parameters: &ModelParameters, size: SampleSize) -> Profile {
    /// A Monday.
    const START: OffsetDateTime = datetime!(2026-01-05 00:00 UTC);
    const MAX_EVENTS: u64 = 300_000;
    let days = size.days.clamp(1.0, 63.0);
    let events = size.events.clamp(20_000, MAX_EVENTS) as f64;
    let end = START + Duration::seconds_f64(days * 86_400.0);
    let shop = Shop::builder(1, START)
        .products(size.products.clamp(50, 20_000) as u32)
        .rate(Rate::per_second(events / (days * 86_400.0)).unwrap_or_default())
        .delivery(Delivery::exact());
    let mut measure = Measure::new(MeasureOptions::default());
    if let Ok(shop) = shop.parameters(parameters.clone()) {
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
    fn an_hour_without_purchases_keeps_a_small_weight() {
        let mut hours = [1.0; 24];
        hours[3] = 0.0;
        scale_day_to_night(&mut hours, 2.0);
        assert!(
            hours[12] > 1.8 * hours[1] && hours[3] == MIN_PURCHASE_WEIGHT,
            "{hours:?}"
        );
    }

    #[test]
    fn a_calibrated_shop_has_the_same_profile() {
        let mut other = ModelParameters::default();
        other.visits.bounce_rate = 0.25;
        other.visits.views_mu = 1.1;
        other.visits.gap_mu = 3.0;
        other.visits.same_product = 0.3;
        other.visits.same_category = 0.6;
        other.buying.add_to_cart = 0.06;
        other.buying.purchase = 0.55;
        other.buying.add_another = 0.4;
        other.products.zipf_exponent = 0.8;
        other.products.without_brand = 0.4;
        other.products.categories = ["toys", "books.crime", "books.travel"]
            .map(|name| CategoryParameters {
                name: Some(name.to_owned()),
                visits: 1.0,
                price_mu: 2.5,
                price_sigma: 0.4,
            })
            .into();
        other.seasonality.hours = std::array::from_fn(|hour| if hour < 12 { 1.0 } else { 3.0 });

        let size = SampleSize {
            events: 300_000,
            days: 40.0,
            products: 2_000,
        };
        let wanted = simulated_profile(&other, size);
        let wanted = Profile::from_json(&wanted.to_json().unwrap()).unwrap();
        let like = ModelParameters::calibrated_to(&wanted);
        like.check().unwrap();
        let found = simulated_profile(&like, size);
        let mut far = Vec::new();
        for (at, adjustment) in ADJUSTMENTS.iter().enumerate() {
            if let (Some(wanted), Some(found)) = ((adjustment.measured)(&wanted), (adjustment.measured)(&found)) {
                let times = found / wanted;
                if !(0.85..1.18).contains(&times) {
                    far.push((at, wanted, found));
                }
            }
        }
        assert!(far.is_empty(), "adjustment, wanted and found: {far:?}");
        assert!(
            wanted.carts.day_to_night.unwrap() > 1.1 && like.seasonality.buying_hours.iter().all(|hour| *hour > 0.0)
        );
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
