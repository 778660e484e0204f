use ecom_stream::EventType;
use rand::RngExt;
use rand_distr::{Distribution, Geometric};

use crate::catalogue::Catalogue;
use crate::seed::{ShopRng, lognormal};
use crate::shopper::Shopper;

/// How many leave after a single view.
const SINGLE: f64 = 0.37;
/// How likely another event follows the second one or a later one.
const STAY: f64 = 0.775;
/// Seconds between the events of a session, as the logarithm's mean and deviation.
const GAP: (f64, f64) = (3.7, 1.2);

/// How likely the product that was just viewed goes into the basket, for a shopper of average keenness.
const CART: f64 = 0.062;
/// What may follow while there is something in the basket.
const BUY: f64 = 0.30;
const REMOVE: f64 = 0.05;
/// How likely the next product of the basket is bought after one.
const BUY_NEXT: f64 = 0.92;

/// Where a shopper looks next.
const SAME_PRODUCT: f64 = 0.10;
const SAME_DEPARTMENT: f64 = 0.84;

const BASKET: usize = 4;

/// A visit: views first, then perhaps a basket, then perhaps a purchase.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) number: u64,
    pub(crate) shopper: Shopper,
    product: u32,
    last: Option<EventType>,
    basket: [(u32, u8); BASKET],
    in_basket: u8,
}

/// What a shopper does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    pub(crate) event_type: EventType,
    pub(crate) product: u32,
    pub(crate) quantity: u8,
}

impl Session {
    pub(crate) fn new(number: u64, shopper: Shopper, catalogue: &Catalogue, rng: &mut ShopRng) -> Self {
        let product = catalogue.product_in(shopper.department(catalogue, rng), rng);
        Self {
            number,
            shopper,
            product,
            last: None,
            basket: [(0, 0); BASKET],
            in_basket: 0,
        }
    }

    /// How many events a session has on average.
    pub(crate) fn mean_events() -> f64 {
        SINGLE + (1.0 - SINGLE) * (1.0 + 1.0 / (1.0 - STAY))
    }

    /// How many sessions are between two of their events at a time, if one starts per second.
    pub(crate) fn mean_open() -> f64 {
        (Self::mean_events() - 1.0) * libm::exp(GAP.0 + GAP.1 * GAP.1 / 2.0)
    }

    /// How many events a session that is found between two events has had. Staying doesn't depend on what was before,
    /// so how many are to come doesn't depend on it.
    pub(crate) fn events_before(rng: &mut ShopRng) -> u64 {
        Geometric::new(1.0 - STAY).map_or(1, |geometric| 1 + geometric.sample(rng))
    }

    /// Seconds until the next event of a session that is found between two events. Long gaps are found more often, in
    /// proportion to their length, and at any point of it: of a lognormal gap that is a lognormal one again.
    pub(crate) fn rest_of_gap(rng: &mut ShopRng) -> f64 {
        lognormal(rng, GAP.0 + GAP.1 * GAP.1, GAP.1) * rng.random::<f64>()
    }

    /// Seconds until the next event.
    pub(crate) fn gap(rng: &mut ShopRng) -> f64 {
        lognormal(rng, GAP.0, GAP.1)
    }

    /// Does the next thing; says also whether anything will follow.
    pub(crate) fn act(&mut self, catalogue: &Catalogue, rng: &mut ShopRng) -> (Action, bool) {
        let stay = if self.last.is_none() { 1.0 - SINGLE } else { STAY };
        let action = match self.last {
            None => self.view(),
            Some(last) => self.go_on(last, catalogue, rng),
        };
        (action, rng.random::<f64>() < stay)
    }

    fn go_on(&mut self, last: EventType, catalogue: &Catalogue, rng: &mut ShopRng) -> Action {
        let dice = rng.random::<f64>();
        let mut threshold = 0.0;
        if self.in_basket > 0 {
            threshold = if last == EventType::Purchase { BUY_NEXT } else { BUY };
            if dice < threshold {
                return self.take_out(0, EventType::Purchase);
            }
            threshold += REMOVE;
            if dice < threshold {
                return self.take_out(self.in_basket - 1, EventType::RemoveFromCart);
            }
        }
        let room = usize::from(self.in_basket) < BASKET;
        if last == EventType::View && room && dice < threshold + CART * self.shopper.keenness {
            return self.put_in(rng);
        }
        self.product = match rng.random::<f64>() {
            ..SAME_PRODUCT => self.product,
            at if at < SAME_PRODUCT + SAME_DEPARTMENT => {
                catalogue.product_in(catalogue.product(self.product).department, rng)
            }
            _ => catalogue.product_in(self.shopper.department(catalogue, rng), rng),
        };
        self.view()
    }

    fn view(&mut self) -> Action {
        self.act_on(EventType::View, self.product, 1)
    }

    fn put_in(&mut self, rng: &mut ShopRng) -> Action {
        let quantity = match rng.random::<f64>() {
            ..0.88 => 1,
            ..0.97 => 2,
            _ => rng.random_range(3..=6),
        };
        self.basket[usize::from(self.in_basket)] = (self.product, quantity);
        self.in_basket += 1;
        self.act_on(EventType::AddToCart, self.product, quantity)
    }

    fn take_out(&mut self, at: u8, event_type: EventType) -> Action {
        let at = usize::from(at);
        let (product, quantity) = self.basket[at];
        self.basket.copy_within(at + 1.., at);
        self.in_basket -= 1;
        self.act_on(event_type, product, quantity)
    }

    fn act_on(&mut self, event_type: EventType, product: u32, quantity: u8) -> Action {
        self.last = Some(event_type);
        Action {
            event_type,
            product,
            quantity,
        }
    }
}
