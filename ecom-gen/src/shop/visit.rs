//! What one visitor does.

use ecom_stream::EventType;
use rand::RngExt;

use super::event::{Copied, Moment};
use super::model::Model;
use super::population::Shopper;
use crate::micros::HOUR_MICROS;
use crate::random::{Purpose, ShopRng, chance, lognormal};

/// No visit is longer, so that a slice of time depends on a bounded number of earlier ones.
pub(crate) const LONGEST_VISIT_MICROS: i64 = HOUR_MICROS;
/// Who does nothing for that long has left.
const LONGEST_GAP_SECONDS: f64 = 1_800.0;
/// Nobody comes back for a basket sooner than the visit that left it can have ended, nor much later than most do.
const COME_BACK_HOURS: std::ops::RangeInclusive<f64> = 2.0..=24.0 * 14.0;
/// How often a left basket is looked for. About one visit in twenty leaves one.
pub(crate) const LOOK_AT_SLICES: u32 = 4;
pub(crate) const LOOK_AT_VISITS: u32 = 15;
/// More than a slice has in the busiest hour of any week. What is left of 64 bits is enough to number the slices of 348
/// years at the highest rate, so that no two visits have the same session.
const MOST_VISITS_OF_A_SLICE: u64 = 1 << 24;
/// Nobody looks at more, whatever the habits.
const MOST_VIEWS: u64 = 10_000;
/// How many products a visitor remembers having seen.
const REMEMBERED: usize = 8;
// Nobody has published the next three numbers. They are assumed; what follows from them is held against what was measured
// (`ecom_gen::profile::TARGETS`): the purchases without a cart of row 7, the lift of row 31, the visits that buy of row 3.
/// How often somebody who is back for a basket looks at a second product of it.
pub(crate) const LOOKS_TWICE: f64 = 0.3;
/// How often what goes with a product is of another category, in place of its twin.
const GOES_WITH_ANOTHER_CATEGORY: f64 = 0.25;
/// How often one decides about the basket as soon as something is in it, and looks on.
const DECIDES_AT_ONCE: f64 = 0.25;

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
    out: &'a mut Vec<Moment>,
}

/// Makes the events of a visit, in their order.
pub(crate) fn visit(model: &Model, number: VisitNumber, out: &mut Vec<Moment>) {
    let mut visit = Visit::arrive(model, number, out);
    if visit.comes_back()
        && let Some((shopper, basket)) = visit.left_basket()
    {
        visit.shopper = shopper;
        visit.basket = basket;
        visit.buy_what_was_left();
    } else {
        visit.look_around();
    }
}

/// The same for who has no basket from before; gives how many products are left in the basket at the end.
pub(crate) fn look_around(model: &Model, number: VisitNumber, out: &mut Vec<Moment>) -> usize {
    let mut visit = Visit::arrive(model, number, out);
    visit.look_around();
    visit.basket.len()
}

/// Who left a basket in a visit, and the basket. Visits for a basket that was left before that don't count.
fn what_was_left(model: &Model, number: VisitNumber) -> Option<(Shopper, Vec<Line>)> {
    let mut unseen = Vec::new();
    let mut visit = Visit::arrive(model, number, &mut unseen);
    if visit.comes_back() {
        return None;
    }
    visit.look_around();
    (!visit.basket.is_empty()).then_some((visit.shopper, visit.basket))
}

impl<'a> Visit<'a> {
    fn arrive(model: &'a Model, number: VisitNumber, out: &'a mut Vec<Moment>) -> Self {
        let index = (number.slice as u64)
            .wrapping_mul(MOST_VISITS_OF_A_SLICE)
            .wrapping_add(number.index.into());
        let mut rng = model.seed.rng(Purpose::Visit, index);
        let part: f64 = rng.random();
        let began = number.slice * model.slice_micros + (part * model.slice_micros as f64) as i64;
        Self {
            model,
            shopper: model.population.arrive(began, rng.random()),
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
        chance(&mut self.rng, self.model.habits.buying.come_back)
    }

    /// Looks for a basket that was left some time ago.
    fn left_basket(&mut self) -> Option<(Shopper, Vec<Line>)> {
        let buying = &self.model.habits.buying;
        for _ in 0..LOOK_AT_SLICES {
            let hours = lognormal(&mut self.rng, buying.come_back_hours_mu, buying.come_back_hours_sigma);
            let hours = hours.clamp(*COME_BACK_HOURS.start(), *COME_BACK_HOURS.end());
            let then = self.began - (hours * HOUR_MICROS as f64) as i64;
            let slice = self.model.slice_at(then);
            let visits = self.model.visits_in(slice);
            for _ in 0..LOOK_AT_VISITS.min(visits) {
                let index = self.rng.random_range(0..visits);
                let left = what_was_left(self.model, VisitNumber { slice, index });
                if left.is_some() {
                    return left;
                }
            }
        }
        None
    }

    /// A visit of somebody who has a basket from before.
    fn buy_what_was_left(&mut self) {
        let buy = self.model.habits.buying.buy_later;
        self.product = self.basket[0].product;
        self.do_on_product(EventType::View, 1);
        self.pause();
        if chance(&mut self.rng, LOOKS_TWICE) {
            self.product = self.basket[self.basket.len() - 1].product;
            self.do_on_product(EventType::View, 1);
            self.pause();
        }
        if chance(&mut self.rng, buy) {
            self.check_out();
        }
    }

    /// A visit that begins with an empty basket.
    fn look_around(&mut self) {
        let model = self.model;
        let (visits, buying) = (&model.habits.visits, &model.habits.buying);
        let views = match chance(&mut self.rng, visits.single) {
            true => 1,
            false => 2 + (lognormal(&mut self.rng, visits.views_mu, visits.views_sigma) as u64).min(MOST_VIEWS),
        };
        let replenish = views > 1 && chance(&mut self.rng, buying.replenish * self.shopper.keenness);
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
        let (cart_more, buy_more) = model.scenarios.campaign(self.began);
        for view in 0..views {
            if view > 0 {
                if !self.pause() {
                    break;
                }
                self.look_further();
            }
            self.do_on_product(EventType::View, 1);
            let cart = match replenish && view == 0 {
                true => buying.replenish_cart,
                false => buying.cart * self.shopper.keenness * f64::from(model.catalogue.product(self.product).appeal),
            };
            if chance(&mut self.rng, cart * cart_more) {
                self.fill_basket(buy_more);
            }
        }
        self.decide(buy_more);
    }

    /// Goes to the product that is looked at next.
    fn look_further(&mut self) {
        let model = self.model;
        let visits = &model.habits.visits;
        let dice: f64 = self.rng.random();
        if dice < visits.same_product {
            return;
        }
        if dice < visits.same_product + visits.back {
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
    fn fill_basket(&mut self, buy_more: f64) {
        let model = self.model;
        let buying = &model.habits.buying;
        if self.basket.is_empty() && chance(&mut self.rng, buying.at_once * buying.buy) {
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
        self.put_in();
        while chance(&mut self.rng, buying.another) && self.pause() {
            self.product = match chance(&mut self.rng, buying.bundle) {
                true => {
                    let pair = model.catalogue.product(self.product).goes_with;
                    pair[usize::from(chance(&mut self.rng, GOES_WITH_ANOTHER_CATEGORY))]
                }
                false => {
                    let category = model.catalogue.product(self.product).category_number;
                    model.catalogue.product_in(category, self.rng.random())
                }
            };
            self.do_on_product(EventType::View, 1);
            self.put_in();
        }
        // Some buy at once and go on looking.
        if chance(&mut self.rng, DECIDES_AT_ONCE) {
            self.decide(buy_more);
        }
    }

    fn put_in(&mut self) {
        if !self.pause() {
            return;
        }
        let quantity = self.quantity();
        self.do_on_product(EventType::AddToCart, quantity);
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
        let buying = &model.habits.buying;
        if self.basket.is_empty() {
            return;
        }
        if chance(&mut self.rng, buying.remove) && self.pause() {
            let at = self.rng.random_range(0..self.basket.len());
            let line = self.basket.remove(at);
            self.product = line.product;
            self.do_on_product(EventType::RemoveFromCart, line.quantity);
        }
        let readily = model.calendar.buying(model.calendar.local(self.micros));
        let buy = buying.buy * readily * buy_more;
        if !self.basket.is_empty() && chance(&mut self.rng, buy) && self.pause() {
            self.check_out();
        }
    }

    /// Buys the whole basket, all of it at one time: that is an order.
    fn check_out(&mut self) {
        let lines = std::mem::take(&mut self.basket);
        self.do_on_all(EventType::Purchase, &lines);
        if chance(&mut self.rng, self.model.habits.buying.cancel) && self.pause() {
            self.do_on_all(EventType::RemoveFromCart, &lines);
        }
    }

    fn do_on_all(&mut self, event_type: EventType, lines: &[Line]) {
        for line in lines {
            self.product = line.product;
            self.do_on_product(event_type, line.quantity);
        }
    }

    /// Lets time pass; says whether the visit goes on.
    fn pause(&mut self) -> bool {
        let visits = &self.model.habits.visits;
        let seconds = lognormal(&mut self.rng, visits.gap_mu, visits.gap_sigma).min(LONGEST_GAP_SECONDS);
        let next = self.micros + ((seconds * 1e6) as i64).max(1);
        let goes_on = next < self.began + LONGEST_VISIT_MICROS;
        if goes_on {
            self.micros = next;
        }
        goes_on
    }

    fn quantity(&mut self) -> u16 {
        let buying = &self.model.habits.buying;
        let drawn = lognormal(&mut self.rng, buying.quantity_mu, buying.quantity_sigma) + 0.5;
        drawn.clamp(1.0, 1_000.0) as u16
    }

    fn do_on_product(&mut self, event_type: EventType, quantity: u16) {
        // The number of an event in its visit is part of its id, so no two may share one.
        if self.step == u16::MAX {
            return;
        }
        if event_type == EventType::View {
            self.seen[self.views % REMEMBERED] = self.product;
            self.views += 1;
        }
        self.out.push(Moment {
            delivered: self.micros,
            micros: self.micros,
            session: self.session,
            user_id: self.shopper.user_id,
            product: self.product,
            quantity,
            step: self.step,
            event_type,
            copy: Copied::Not,
        });
        self.step += 1;
    }
}

#[cfg(test)]
mod tests;
