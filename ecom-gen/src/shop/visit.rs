//! What one visitor does.

use ecom_stream::EventType;
use rand::RngExt;

use super::event::{CopyKind, SimulatedEvent};
use super::model::Model;
use super::population::Shopper;
use crate::micros::HOUR_MICROS;
use crate::random::{Purpose, ShopRng, chance, lognormal};

/// No visit is longer, so that a slice of time depends on a bounded number of earlier ones.
pub(crate) const MAX_VISIT_MICROS: i64 = HOUR_MICROS;
/// Who does nothing for that long has left.
const MAX_GAP_SECONDS: f64 = 1_800.0;
/// Nobody comes back for a basket sooner than the visit that left it can have ended, nor much later than most do.
const RETURN_HOURS: std::ops::RangeInclusive<f64> = 2.0..=24.0 * 14.0;
/// How often a left basket is looked for. About one visit in twenty leaves one.
pub(crate) const CART_SEARCH_SLICES: u32 = 4;
pub(crate) const CART_SEARCH_VISITS: u32 = 15;
/// More than a slice has in the busiest hour of any week. What is left of 64 bits is enough to number the slices of 348
/// years at the highest rate, so that no two visits have the same session.
const MAX_VISITS_PER_SLICE: u64 = 1 << 24;
/// Nobody looks at more, whatever the parameters.
const MAX_VIEWS: u64 = 10_000;
/// How many products a visitor remembers having seen.
const REMEMBERED: usize = 8;
// Nobody has published the next three numbers. They are assumed; what follows from them is held against what was measured
// (`ecom_gen::profile::TARGETS`): the purchases without a cart of row 7, the lift of row 31, the visits that buy of row 3.
/// How often somebody who is back for a basket looks at a second product of it.
pub(crate) const SECOND_VIEW: f64 = 0.3;
/// How often what goes with a product is of another category, in place of its twin.
const OTHER_CATEGORY: f64 = 0.25;
/// How often one decides about the basket as soon as something is in it, and looks on.
const DECIDE_AT_ONCE: f64 = 0.25;

/// Which visit it is: all about it follows from that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VisitNumber {
    pub(crate) slice: i64,
    pub(crate) index: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    product: u32,
    quantity: u16,
}

/// A visit while it goes on; its events are appended to `out`.
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
    basket: Vec<Line>,
    out: &'a mut Vec<SimulatedEvent>,
}

/// Makes the events of a visit, in their order.
pub(crate) fn visit(model: &Model, number: VisitNumber, out: &mut Vec<SimulatedEvent>) {
    let mut visit = Visit::arrive(model, number, out);
    if visit.comes_back()
        && let Some((shopper, basket)) = visit.find_abandoned_cart()
    {
        visit.shopper = shopper;
        visit.basket = basket;
        visit.continue_with_cart();
    } else {
        visit.browse();
    }
}

/// The same for who has no basket from before; gives how many products are left in the basket at the end.
pub(crate) fn browse(model: &Model, number: VisitNumber, out: &mut Vec<SimulatedEvent>) -> usize {
    let mut visit = Visit::arrive(model, number, out);
    visit.browse();
    visit.basket.len()
}

/// Who left a basket in a visit, and the basket. Visits for a basket that was left before that don't count.
fn abandoned_cart(model: &Model, number: VisitNumber) -> Option<(Shopper, Vec<Line>)> {
    let mut unseen = Vec::new();
    let mut visit = Visit::arrive(model, number, &mut unseen);
    if visit.comes_back() {
        return None;
    }
    visit.browse();
    (!visit.basket.is_empty()).then_some((visit.shopper, visit.basket))
}

impl<'a> Visit<'a> {
    fn arrive(model: &'a Model, number: VisitNumber, out: &'a mut Vec<SimulatedEvent>) -> Self {
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
            basket: Vec::new(),
            out,
        }
    }

    fn comes_back(&mut self) -> bool {
        chance(&mut self.rng, self.model.parameters.buying.return_to_cart)
    }

    /// Looks for a basket that was left some time ago.
    fn find_abandoned_cart(&mut self) -> Option<(Shopper, Vec<Line>)> {
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

    /// A visit of somebody who has a basket from before.
    fn continue_with_cart(&mut self) {
        let buy = self.model.parameters.buying.purchase_after_return;
        self.product = self.basket[0].product;
        self.record(EventType::View, 1);
        self.pause();
        if chance(&mut self.rng, SECOND_VIEW) {
            self.product = self.basket[self.basket.len() - 1].product;
            self.record(EventType::View, 1);
            self.pause();
        }
        if chance(&mut self.rng, buy) {
            self.check_out();
        }
    }

    /// A visit that begins with an empty basket.
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
        let (cart_more, buy_more) = model.scenarios.cart_and_purchase_factors(self.began);
        for view in 0..views {
            if view > 0 {
                if !self.pause() {
                    break;
                }
                self.choose_next_product();
            }
            self.record(EventType::View, 1);
            let cart = match replenish && view == 0 {
                true => buying.replenish_add_to_cart,
                false => {
                    buying.add_to_cart
                        * self.shopper.propensity
                        * f64::from(model.catalogue.product(self.product).appeal)
                }
            };
            if chance(&mut self.rng, cart * cart_more) {
                self.add_products(buy_more);
            }
        }
        self.decide(buy_more);
    }

    /// Goes to the product that is looked at next.
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

    /// Puts the product into the basket, and perhaps others after it; or buys it at once.
    fn add_products(&mut self, buy_more: f64) {
        let model = self.model;
        let buying = &model.parameters.buying;
        if self.basket.is_empty() && chance(&mut self.rng, buying.buy_now * buying.purchase) {
            let quantity = self.quantity();
            self.basket.push(Line {
                product: self.product,
                quantity,
            });
            if self.pause() {
                self.check_out();
            }
            self.basket.clear();
            return;
        }
        self.add_to_cart();
        while chance(&mut self.rng, buying.add_another) && self.pause() {
            self.product = match chance(&mut self.rng, buying.bundle) {
                true => {
                    let pair = model.catalogue.product(self.product).related;
                    pair[usize::from(chance(&mut self.rng, OTHER_CATEGORY))]
                }
                false => {
                    let category = model.catalogue.product(self.product).category_number;
                    model.catalogue.product_in(category, self.rng.random())
                }
            };
            self.record(EventType::View, 1);
            self.add_to_cart();
        }
        // Some buy at once and go on looking.
        if chance(&mut self.rng, DECIDE_AT_ONCE) {
            self.decide(buy_more);
        }
    }

    fn add_to_cart(&mut self) {
        if !self.pause() {
            return;
        }
        let quantity = self.quantity();
        self.record(EventType::AddToCart, quantity);
        match self.basket.iter_mut().find(|line| line.product == self.product) {
            Some(line) => line.quantity = line.quantity.saturating_add(quantity),
            None => self.basket.push(Line {
                product: self.product,
                quantity,
            }),
        }
    }

    /// Buys what is in the basket, or not.
    fn decide(&mut self, buy_more: f64) {
        let model = self.model;
        let buying = &model.parameters.buying;
        if self.basket.is_empty() {
            return;
        }
        if chance(&mut self.rng, buying.remove_from_cart) && self.pause() {
            let at = self.rng.random_range(0..self.basket.len());
            let line = self.basket.remove(at);
            self.product = line.product;
            self.record(EventType::RemoveFromCart, line.quantity);
        }
        let readily = model.calendar.purchase_factor(model.calendar.local(self.micros));
        let buy = buying.purchase * readily * buy_more;
        if !self.basket.is_empty() && chance(&mut self.rng, buy) && self.pause() {
            self.check_out();
        }
    }

    /// Buys the whole basket, all of it at one time: that is an order.
    fn check_out(&mut self) {
        let lines = std::mem::take(&mut self.basket);
        self.record_lines(EventType::Purchase, &lines);
        if chance(&mut self.rng, self.model.parameters.buying.cancel) && self.pause() {
            self.record_lines(EventType::RemoveFromCart, &lines);
        }
    }

    fn record_lines(&mut self, event_type: EventType, lines: &[Line]) {
        for line in lines {
            self.product = line.product;
            self.record(event_type, line.quantity);
        }
    }

    /// Lets time pass; says whether the visit goes on.
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

    fn quantity(&mut self) -> u16 {
        let buying = &self.model.parameters.buying;
        let drawn = lognormal(&mut self.rng, buying.quantity_mu, buying.quantity_sigma) + 0.5;
        drawn.clamp(1.0, 1_000.0) as u16
    }

    fn record(&mut self, event_type: EventType, quantity: u16) {
        // The number of an event in its visit is part of its id, so no two may share one.
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

#[cfg(test)]
mod tests;
