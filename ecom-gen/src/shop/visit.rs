//! One visit to the shop, from its first view to its last event.

mod cart;
#[cfg(test)]
mod tests;

use ecom_stream::EventType;
use rand::RngExt;

use super::event::{CopyKind, SimulatedEvent};
use super::model::Model;
use super::population::Shopper;
use crate::micros::HOUR_MICROS;
use crate::random::{Purpose, ShopRng, chance, lognormal};

/// The longest visit. The limit bounds how many earlier slices a slice depends on.
pub(crate) const MAX_VISIT_MICROS: i64 = HOUR_MICROS;
/// The longest time between two events of a visit.
const MAX_GAP_SECONDS: f64 = 1_800.0;
/// The time after which a visitor can return to an abandoned cart. The minimum ensures that the earlier visit has
/// ended.
const RETURN_HOURS: std::ops::RangeInclusive<f64> = 2.0..=24.0 * 14.0;
/// In how many earlier slices an abandoned cart is searched. About one visit in twenty leaves one.
pub(crate) const CART_SEARCH_SLICES: u32 = 4;
/// In how many visits of each of these slices it is searched.
pub(crate) const CART_SEARCH_VISITS: u32 = 15;
/// More visits than a slice has in the busiest hour of any week. The rest of 64 bits is enough to number the slices of
/// 348 years at the highest rate, so that no two visits have the same session id.
const MAX_VISITS_PER_SLICE: u64 = 1 << 24;
/// The largest number of views in a visit.
const MAX_VIEWS: u64 = 10_000;
/// How many of the products seen in a visit can be revisited.
const REMEMBERED: usize = 8;
// The next three numbers have not been published by any shop; they are assumptions. Their effects are compared with
// measurements (`ecom_gen::profile::TARGETS`): row 7, purchases without a cart; row 31, lift; row 3, sessions that buy.
/// Probability that a visitor who returns to an abandoned cart views a second product of it.
pub(crate) const SECOND_VIEW: f64 = 0.3;

/// Identifies a visit. Everything about the visit follows from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VisitNumber {
    pub(crate) slice: i64,
    pub(crate) index: u32,
}

/// A product in a cart, with its quantity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CartLine {
    product: u32,
    quantity: u16,
}

/// A visit in progress. Its events are appended to `out`.
struct Visit<'a> {
    model: &'a Model,
    rng: ShopRng,
    shopper: Shopper,
    session: u64,
    began: i64,
    micros: i64,
    step: u16,
    product: u32,
    seen: [u32; REMEMBERED],
    views: usize,
    cart: Vec<CartLine>,
    out: &'a mut Vec<SimulatedEvent>,
}

/// Appends the events of a visit in their order.
pub(crate) fn visit(model: &Model, number: VisitNumber, out: &mut Vec<SimulatedEvent>) {
    let mut visit = Visit::begin(model, number, out);
    if visit.returns_to_cart()
        && let Some((shopper, cart)) = visit.find_abandoned_cart()
    {
        visit.shopper = shopper;
        visit.cart = cart;
        visit.continue_with_cart();
    } else {
        visit.browse();
    }
}

/// Appends the events of a visit that does not return to an abandoned cart, and returns how many products remain in the
/// cart.
pub(crate) fn browse(model: &Model, number: VisitNumber, out: &mut Vec<SimulatedEvent>) -> usize {
    let mut visit = Visit::begin(model, number, out);
    visit.browse();
    visit.cart.len()
}

/// The shopper and the cart of a visit that ended with a full cart. Visits that returned to an abandoned cart do not
/// count.
fn abandoned_cart(model: &Model, number: VisitNumber) -> Option<(Shopper, Vec<CartLine>)> {
    let mut unseen = Vec::new();
    let mut visit = Visit::begin(model, number, &mut unseen);
    if visit.returns_to_cart() {
        return None;
    }
    visit.browse();
    (!visit.cart.is_empty()).then_some((visit.shopper, visit.cart))
}

impl<'a> Visit<'a> {
    fn begin(model: &'a Model, number: VisitNumber, out: &'a mut Vec<SimulatedEvent>) -> Self {
        let index = (number.slice as u64)
            .wrapping_mul(MAX_VISITS_PER_SLICE)
            .wrapping_add(number.index.into());
        let mut rng = model.seed.rng(Purpose::Visit, index);
        let part: f64 = rng.random();
        let began = number.slice * model.slice_micros + (part * model.slice_micros as f64) as i64;
        Self {
            model,
            shopper: model.population.visitor(began, rng.random()),
            rng,
            session: model.seed.of(Purpose::Visit, index),
            began,
            micros: began,
            step: 0,
            product: 0,
            seen: [0; REMEMBERED],
            views: 0,
            cart: Vec::new(),
            out,
        }
    }

    fn returns_to_cart(&mut self) -> bool {
        chance(&mut self.rng, self.model.parameters.buying.return_to_cart)
    }

    /// Searches for a cart that was abandoned some time ago.
    fn find_abandoned_cart(&mut self) -> Option<(Shopper, Vec<CartLine>)> {
        let buying = &self.model.parameters.buying;
        for _ in 0..CART_SEARCH_SLICES {
            let hours = lognormal(&mut self.rng, buying.return_hours_mu, buying.return_hours_sigma);
            let hours = hours.clamp(*RETURN_HOURS.start(), *RETURN_HOURS.end());
            let then = self.began - (hours * HOUR_MICROS as f64) as i64;
            let slice = self.model.slice_at(then);
            let visits = self.model.visits_in(slice);
            for _ in 0..CART_SEARCH_VISITS.min(visits) {
                let index = self.rng.random_range(0..visits);
                let left = abandoned_cart(self.model, VisitNumber { slice, index });
                if left.is_some() {
                    return left;
                }
            }
        }
        None
    }

    /// A visit that returns to an abandoned cart.
    fn continue_with_cart(&mut self) {
        let buy = self.model.parameters.buying.purchase_after_return;
        self.product = self.cart[0].product;
        self.record(EventType::View, 1);
        self.pause();
        if chance(&mut self.rng, SECOND_VIEW) {
            self.product = self.cart[self.cart.len() - 1].product;
            self.record(EventType::View, 1);
            self.pause();
        }
        if chance(&mut self.rng, buy) {
            self.check_out();
        }
    }

    /// A visit that begins with an empty cart.
    fn browse(&mut self) {
        let model = self.model;
        let (visits, buying) = (&model.parameters.visits, &model.parameters.buying);
        let views = match chance(&mut self.rng, visits.bounce_rate) {
            true => 1,
            false => 2 + (lognormal(&mut self.rng, visits.views_mu, visits.views_sigma) as u64).min(MAX_VIEWS),
        };
        let replenish = views > 1 && chance(&mut self.rng, buying.replenish * self.shopper.propensity);
        self.product = match replenish {
            true => model
                .population
                .staple(self.shopper, &model.catalogue, self.rng.random()),
            false => {
                let category = model
                    .population
                    .taste(self.shopper, &model.catalogue, self.rng.random());
                model.catalogue.product_in(category, self.rng.random())
            }
        };
        let (cart_factor, purchase_factor) = model.scenarios.cart_and_purchase_factors(self.began);
        for view in 0..views {
            if view > 0 {
                if !self.pause() {
                    break;
                }
                self.choose_next_product();
            }
            self.record(EventType::View, 1);
            let add = match replenish && view == 0 {
                true => buying.replenish_add_to_cart,
                false => {
                    buying.add_to_cart
                        * self.shopper.propensity
                        * f64::from(model.catalogue.product(self.product).appeal)
                }
            };
            if chance(&mut self.rng, add * cart_factor) {
                self.add_products(purchase_factor);
            }
        }
        self.decide(purchase_factor);
    }

    /// Chooses the product of the next view.
    fn choose_next_product(&mut self) {
        let model = self.model;
        let visits = &model.parameters.visits;
        let dice: f64 = self.rng.random();
        if dice < visits.same_product {
            return;
        }
        if dice < visits.same_product + visits.revisit {
            let remembered = self.views.min(REMEMBERED);
            self.product = self.seen[self.rng.random_range(0..remembered)];
            return;
        }
        let category = match chance(&mut self.rng, visits.same_category) {
            true => model.catalogue.product(self.product).category_number,
            false => model
                .population
                .taste(self.shopper, &model.catalogue, self.rng.random()),
        };
        self.product = model.catalogue.product_in(category, self.rng.random());
    }

    /// Lets time pass, and returns whether the visit continues.
    fn pause(&mut self) -> bool {
        let visits = &self.model.parameters.visits;
        let seconds = lognormal(&mut self.rng, visits.gap_mu, visits.gap_sigma).min(MAX_GAP_SECONDS);
        let next = self.micros + ((seconds * 1e6) as i64).max(1);
        let goes_on = next < self.began + MAX_VISIT_MICROS;
        if goes_on {
            self.micros = next;
        }
        goes_on
    }

    fn record(&mut self, event_type: EventType, quantity: u16) {
        // The number of an event in its visit is part of its id, so it must be unique.
        if self.step == u16::MAX {
            return;
        }
        if event_type == EventType::View {
            self.seen[self.views % REMEMBERED] = self.product;
            self.views += 1;
        }
        self.out.push(SimulatedEvent {
            delivered: self.micros,
            micros: self.micros,
            session: self.session,
            user_id: self.shopper.user_id,
            product: self.product,
            quantity,
            step: self.step,
            event_type,
            copy: CopyKind::Original,
        });
        self.step += 1;
    }
}
