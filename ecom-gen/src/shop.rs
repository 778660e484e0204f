use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::num::NonZeroU32;

use ecom_stream::Event;
use rand::RngExt;
use rand_distr::{Distribution, Exp1, Poisson};
use time::OffsetDateTime;
use uuid::Builder;

use crate::Rate;
use crate::catalogue::Catalogue;
use crate::seed::{Purpose, Seed, ShopRng};
use crate::session::{Action, Session};
use crate::shopper::Population;

const MICROS: f64 = 1e6;

/// The simulation: an endless iterator of events, in the order of their times.
///
/// Sessions arrive as a Poisson process; each one waits in a queue for its next event. The shop opens with as many
/// sessions under way as there are on average, so that its rate is right from the first event on.
#[derive(Debug, Clone)]
pub struct Shop {
    seed: Seed,
    start_micros: i64,
    catalogue: Catalogue,
    population: Population,
    sessions_per_micro: f64,
    rng: ShopRng,
    /// Microseconds from the start. Not rounded: at a high rate that would change the rate.
    next_arrival: f64,
    next_session: u64,
    /// When each open session goes on, in microseconds from the start, and its slot.
    queue: BinaryHeap<Reverse<(i64, u32)>>,
    slots: Vec<Session>,
    free_slots: Vec<u32>,
}

/// What makes a [`Shop`]. Every value has a part in which events come out.
#[derive(Debug, Clone)]
pub struct ShopBuilder {
    pub(crate) seed: u64,
    pub(crate) start: OffsetDateTime,
    pub(crate) rate: Rate,
    pub(crate) products: u32,
    pub(crate) shoppers: u32,
}

impl ShopBuilder {
    /// How many events it has per second of its own time, in place of 500.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// How many products it sells, in place of 10,000; at least one of each category.
    #[must_use]
    pub fn products(mut self, products: u32) -> Self {
        self.products = products;
        self
    }

    /// How many people may come, in place of a million; at least 1.
    #[must_use]
    pub fn shoppers(mut self, shoppers: u32) -> Self {
        self.shoppers = shoppers;
        self
    }

    /// Opens the shop. Takes some milliseconds for each 1,000 events per second, and for each 10,000 products.
    pub fn build(self) -> Shop {
        Shop::new(&self)
    }
}

/// One event, before it is spelled out.
struct Moment {
    micros: i64,
    user_id: u64,
    session: u64,
    action: Action,
    id_bits: [u8; 10],
}

impl Shop {
    /// A shop whose first event lies at `start` or soon after it.
    pub fn builder(seed: u64, start: OffsetDateTime) -> ShopBuilder {
        ShopBuilder {
            seed,
            start,
            rate: Rate::default(),
            products: 10_000,
            shoppers: 1_000_000,
        }
    }

    fn new(options: &ShopBuilder) -> Self {
        let seed = Seed(options.seed);
        let sessions_per_second = options.rate.events_per_second() / Session::mean_events();
        let mut shop = Self {
            seed,
            start_micros: (options.start.unix_timestamp_nanos() / 1_000) as i64,
            catalogue: Catalogue::new(options.seed, options.products),
            population: Population::new(NonZeroU32::new(options.shoppers).unwrap_or(NonZeroU32::MIN)),
            sessions_per_micro: sessions_per_second / MICROS,
            rng: seed.rng(Purpose::Shop),
            next_arrival: 0.0,
            next_session: 0,
            queue: BinaryHeap::new(),
            slots: Vec::new(),
            free_slots: Vec::new(),
        };
        shop.open_sessions_under_way(sessions_per_second * Session::mean_open());
        shop.draw_arrival();
        shop
    }

    /// What the shop sells.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// When the next event happens.
    pub fn next_time(&self) -> Option<OffsetDateTime> {
        self.time(self.next_micros())
    }

    /// Passes over `events` events, which is faster than making them.
    pub fn skip_events(&mut self, events: u64) {
        for _ in 0..events {
            self.step();
        }
    }

    fn open_sessions_under_way(&mut self, mean: f64) {
        let open = Poisson::new(mean).map_or(mean, |poisson| poisson.sample(&mut self.rng));
        for _ in 0..open as u64 {
            let mut session = self.new_session();
            for _ in 0..Session::events_before(&mut self.rng) {
                session.act(&self.catalogue, &mut self.rng);
            }
            let due = (Session::rest_of_gap(&mut self.rng) * MICROS) as i64;
            self.keep(session, due);
        }
    }

    fn new_session(&mut self) -> Session {
        let shopper = self.population.arrive(self.seed, &self.catalogue, &mut self.rng);
        self.next_session += 1;
        Session::new(self.next_session, shopper, &self.catalogue, &mut self.rng)
    }

    fn keep(&mut self, session: Session, due: i64) {
        let slot = match self.free_slots.pop() {
            Some(slot) => {
                self.slots[slot as usize] = session;
                slot
            }
            None => {
                self.slots.push(session);
                (self.slots.len() - 1) as u32
            }
        };
        self.queue.push(Reverse((due, slot)));
    }

    fn draw_arrival(&mut self) {
        let gap: f64 = self.rng.sample(Exp1);
        self.next_arrival += gap / self.sessions_per_micro;
    }

    fn next_micros(&self) -> i64 {
        let arrival = self.next_arrival as i64;
        match self.queue.peek() {
            Some(Reverse((due, _))) => arrival.min(*due),
            None => arrival,
        }
    }

    fn time(&self, micros: i64) -> Option<OffsetDateTime> {
        let micros = self.start_micros.checked_add(micros)?;
        let second = OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000)).ok()?;
        second.replace_microsecond(micros.rem_euclid(1_000_000) as u32).ok()
    }

    fn step(&mut self) -> Moment {
        let arrival = self.next_arrival as i64;
        let (micros, number, user_id, action) = match self.queue.peek_mut() {
            Some(mut next) if next.0.0 < arrival => {
                let Reverse((due, slot)) = *next;
                let session = &mut self.slots[slot as usize];
                let (action, stays) = session.act(&self.catalogue, &mut self.rng);
                if stays {
                    *next = Reverse((due + gap_micros(&mut self.rng), slot));
                } else {
                    PeekMut::pop(next);
                    self.free_slots.push(slot);
                }
                (due, session.number, session.shopper.user_id(), action)
            }
            next => {
                drop(next);
                let mut session = self.new_session();
                let (action, stays) = session.act(&self.catalogue, &mut self.rng);
                let (number, user_id) = (session.number, session.shopper.user_id());
                if stays {
                    let due = arrival + gap_micros(&mut self.rng);
                    self.keep(session, due);
                }
                self.draw_arrival();
                (arrival, number, user_id, action)
            }
        };
        let mut id_bits = [0; 10];
        self.rng.fill(&mut id_bits);
        Moment {
            micros,
            user_id,
            session: number,
            action,
            id_bits,
        }
    }

    fn session_id(&self, number: u64) -> String {
        // Twice as fast as formatting, which shows at a million events per second.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let id = self.seed.of(Purpose::Session, number);
        let text: [u8; 16] = std::array::from_fn(|at| DIGITS[(id >> (60 - 4 * at)) as usize & 15]);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn spell_out(&self, moment: &Moment) -> Option<Event> {
        let time = self.time(moment.micros)?;
        let millis = (self.start_micros + moment.micros).max(0) as u64 / 1_000;
        let product = self.catalogue.product(moment.action.product);
        Some(Event {
            event_id: Builder::from_unix_timestamp_millis(millis, &moment.id_bits).into_uuid(),
            event_time: time,
            event_type: moment.action.event_type,
            user_id: moment.user_id.to_string(),
            session_id: self.session_id(moment.session),
            product_id: product.id.clone(),
            product_name: Some(product.name.clone()),
            category: product.category.map(str::to_owned),
            brand: product.brand.map(str::to_owned),
            price: Some(product.price),
            quantity: moment.action.quantity.into(),
            processed_at: None,
        })
    }
}

/// Ends only when the times do, at the end of the year 9999.
impl Iterator for Shop {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let moment = self.step();
        self.spell_out(&moment)
    }
}

fn gap_micros(rng: &mut ShopRng) -> i64 {
    (Session::gap(rng) * MICROS) as i64
}

#[cfg(test)]
mod tests;
