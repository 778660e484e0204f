//! What a visitor does with the cart: adds, removes and buys.

use ecom_stream::EventType;
use rand::RngExt;

use super::{CartLine, Visit};
use crate::random::{chance, lognormal};

/// Probability that a product bought together with another is the related one of another category.
const OTHER_CATEGORY: f64 = 0.25;
/// Probability that a visitor decides about the cart as soon as a product is added, and continues to browse.
const DECIDE_AT_ONCE: f64 = 0.25;

impl Visit<'_> {
    /// Adds the product to the cart, and possibly others after it; or buys it directly.
    pub(super) fn add_products(&mut self, purchase_factor: f64) {
        let model = self.model;
        let buying = &model.parameters.buying;
        if self.cart.is_empty() && chance(&mut self.rng, buying.buy_now * buying.purchase) {
            let quantity = self.quantity();
            self.cart.push(CartLine {
                product: self.product,
                quantity,
            });
            if self.pause() {
                self.check_out();
            }
            self.cart.clear();
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
        // Some visitors buy at once and then continue to browse.
        if chance(&mut self.rng, DECIDE_AT_ONCE) {
            self.decide(purchase_factor);
        }
    }

    fn add_to_cart(&mut self) {
        if !self.pause() {
            return;
        }
        let quantity = self.quantity();
        self.record(EventType::AddToCart, quantity);
        match self.cart.iter_mut().find(|line| line.product == self.product) {
            Some(line) => line.quantity = line.quantity.saturating_add(quantity),
            None => self.cart.push(CartLine {
                product: self.product,
                quantity,
            }),
        }
    }

    /// Buys the content of the cart, or not.
    pub(super) fn decide(&mut self, purchase_factor: f64) {
        let model = self.model;
        let buying = &model.parameters.buying;
        if self.cart.is_empty() {
            return;
        }
        if chance(&mut self.rng, buying.remove_from_cart) && self.pause() {
            let at = self.rng.random_range(0..self.cart.len());
            let line = self.cart.remove(at);
            self.product = line.product;
            self.record(EventType::RemoveFromCart, line.quantity);
        }
        let readily = model.calendar.purchase_factor(model.calendar.local(self.micros));
        let buy = buying.purchase * readily * purchase_factor;
        if !self.cart.is_empty() && chance(&mut self.rng, buy) && self.pause() {
            self.check_out();
        }
    }

    /// Buys the whole cart at one instant, as one order.
    pub(super) fn check_out(&mut self) {
        let lines = std::mem::take(&mut self.cart);
        self.record_lines(EventType::Purchase, &lines);
        if chance(&mut self.rng, self.model.parameters.buying.cancel) && self.pause() {
            self.record_lines(EventType::RemoveFromCart, &lines);
        }
    }

    fn record_lines(&mut self, event_type: EventType, lines: &[CartLine]) {
        for line in lines {
            self.product = line.product;
            self.record(event_type, line.quantity);
        }
    }

    fn quantity(&mut self) -> u16 {
        let buying = &self.model.parameters.buying;
        let drawn = lognormal(&mut self.rng, buying.quantity_mu, buying.quantity_sigma) + 0.5;
        drawn.clamp(1.0, 1_000.0) as u16
    }
}
