//! What the shop sells.

mod departments;

use ecom_stream::Price;
use rand::RngExt;

use self::departments::{DEPARTMENTS, Department};
use crate::seed::{Purpose, Seed, ShopRng, lognormal};

/// How many products have no brand.
const NO_BRAND: f64 = 0.14;
/// Prices in hundredths.
const CHEAPEST: f64 = 49.0;
const DEAREST: f64 = 999_999.0;

/// The products of a shop, by department: a tree of categories with brands, names and prices that fit.
#[derive(Debug, Clone)]
pub struct Catalogue {
    products: Vec<Product>,
    shelves: Vec<Shelf>,
}

/// Something that can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its number.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its dotted category, such as `electronics.smartphone`. Whole departments have none.
    pub category: Option<&'static str>,
    /// Its brand.
    pub brand: Option<&'static str>,
    /// What one costs.
    pub price: Price,
    pub(crate) department: u16,
}

/// The products of one department, the most popular first.
#[derive(Debug, Clone)]
struct Shelf {
    first: u32,
    len: u32,
    /// Which share of the visits is to this department or to one before it.
    visits_until: f64,
    /// The logarithm of by how much the first product is more popular than one after the last.
    log_spread: f64,
}

/// Popularity falls with 1 / (rank + this): Zipf's law with a flattened head.
const FLATTEN: f64 = 1.0;

impl Catalogue {
    /// The catalogue of the shop of that seed: `products` products, at least one in each department.
    pub fn new(seed: u64, products: u32) -> Self {
        let mut rng = Seed(seed).rng(Purpose::Catalogue);
        let total: f64 = DEPARTMENTS.iter().map(|department| department.visits).sum();
        let id_offset = rng.random();
        let mut catalogue = Self {
            products: Vec::new(),
            shelves: Vec::new(),
        };
        let mut visits_until = 0.0;
        for (number, department) in (0..).zip(DEPARTMENTS) {
            visits_until += department.visits / total;
            let first = catalogue.products.len() as u32;
            let end = ((visits_until * f64::from(products)).round() as u32).max(first + 1);
            let make = |index| Product::new(index, id_offset, number, department, &mut rng);
            catalogue.products.extend((first..end).map(make));
            catalogue.shelves.push(Shelf {
                first,
                len: end - first,
                visits_until,
                log_spread: libm::log((f64::from(end - first) + FLATTEN) / FLATTEN),
            });
        }
        catalogue
    }

    /// Every product.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    pub(crate) fn product(&self, index: u32) -> &Product {
        &self.products[index as usize]
    }

    /// The department that a visit goes to, for a number drawn from [0, 1).
    pub(crate) fn department(&self, unit: f64) -> u16 {
        let at = self.shelves.partition_point(|shelf| shelf.visits_until <= unit);
        at.min(self.shelves.len() - 1) as u16
    }

    /// A product of the department, the popular ones more often.
    pub(crate) fn product_in(&self, department: u16, rng: &mut ShopRng) -> u32 {
        let shelf = &self.shelves[usize::from(department)];
        // The inverse of the integral of the popularity.
        let rank = FLATTEN * (libm::exp(rng.random::<f64>() * shelf.log_spread) - 1.0);
        shelf.first + (rank as u32).min(shelf.len - 1)
    }
}

impl Product {
    fn new(index: u32, id_offset: u32, number: u16, department: &Department, rng: &mut ShopRng) -> Self {
        let brand = match rng.random::<f64>() {
            ..NO_BRAND => None,
            // Squared, so that the first brands have more products.
            _ => pick(department.brands, rng.random::<f64>() * rng.random::<f64>()),
        };
        let (mu, sigma) = department.log_price;
        let cents = (lognormal(rng, mu, sigma) * 100.0).clamp(CHEAPEST, DEAREST) as i64;
        let cents = match rng.random::<f64>() {
            ..0.6 => cents / 100 * 100 + 99,
            _ => cents,
        };
        Self {
            id: product_id(index, id_offset).to_string(),
            name: name(brand, department, rng),
            category: department.category,
            brand,
            price: Price::from_cents(cents).unwrap_or_default(),
            department: number,
        }
    }
}

/// Eight digits that don't show the rank. An odd factor permutes the numbers below a power of two.
fn product_id(index: u32, offset: u32) -> u32 {
    const BITS: u32 = 25;
    10_000_000 + (index.wrapping_mul(2_654_435_761).wrapping_add(offset) & ((1 << BITS) - 1))
}

fn name(brand: Option<&str>, department: &Department, rng: &mut ShopRng) -> String {
    let mut name = String::new();
    if let Some(brand) = brand {
        name.push_str(brand);
        name.push(' ');
    }
    name.push_str(pick(department.nouns, rng.random()).unwrap_or_default());
    if department.has_models {
        let letter = char::from(b"AEGKMPRSTX"[rng.random_range(0..10)]);
        name.push_str(&format!(" {letter}{}", rng.random_range(10..1_000)));
    }
    if let Some(variant) = pick(department.variants, rng.random::<f64>() * 1.5) {
        name.push_str(", ");
        name.push_str(variant);
    }
    name
}

/// The item at that part of the list, for a number from 0; `None` from 1 on.
fn pick(list: &[&'static str], at: f64) -> Option<&'static str> {
    list.get((at * list.len() as f64) as usize).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_products() {
        assert_eq!(Catalogue::new(1, 500).products(), Catalogue::new(1, 500).products());
        assert_ne!(Catalogue::new(1, 500).products(), Catalogue::new(2, 500).products());
    }

    #[test]
    fn products_look_like_products() {
        let catalogue = Catalogue::new(7, 10_000);
        let products = catalogue.products();
        assert_eq!(products.len(), 10_000);
        let ids: HashSet<_> = products.iter().map(|product| &product.id).collect();
        assert_eq!(ids.len(), products.len());
        let share = |f: &dyn Fn(&Product) -> bool| {
            products.iter().filter(|product| f(product)).count() as f64 / products.len() as f64
        };
        assert!((0.10..0.18).contains(&share(&|product| product.brand.is_none())));
        assert!((0.25..0.40).contains(&share(&|product| product.category.is_none())));
        assert!(share(&|product| product.name.contains(',')) > 0.3);
        assert!(share(&|product| product.name.contains('"')) > 0.03);
        assert!(
            products
                .iter()
                .all(|product| product.name.len() < 100 && product.price.cents() >= 49)
        );
    }

    #[test]
    fn prices_are_lognormal_by_category() {
        let catalogue = Catalogue::new(7, 20_000);
        let logs = |category| -> Vec<f64> {
            let products = catalogue
                .products()
                .iter()
                .filter(move |product| product.category == Some(category));
            products
                .map(|product| (product.price.cents() as f64 / 100.0).ln())
                .collect()
        };
        let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len() as f64;
        let (laptops, shirts) = (logs("computers.notebook"), logs("apparel.shirt"));
        assert!(mean(&laptops) - mean(&shirts) > 1.0);
        let all = catalogue
            .products()
            .iter()
            .map(|product| (product.price.cents() as f64 / 100.0).ln());
        let all: Vec<f64> = all.collect();
        let middle = mean(&all);
        let deviation = (all.iter().map(|log| (log - middle).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
        assert!((0.9..1.4).contains(&deviation), "{deviation}");
    }

    #[test]
    fn a_shop_of_any_size_has_every_department() {
        for products in [0, 1, 30, 1_000] {
            let catalogue = Catalogue::new(1, products);
            assert!(catalogue.products().len() >= DEPARTMENTS.len());
            assert!(catalogue.shelves.iter().all(|shelf| shelf.len >= 1));
        }
        let catalogue = Catalogue::new(1, 100);
        assert_eq!(catalogue.department(0.0), 0);
        assert_eq!(usize::from(catalogue.department(1.0)), DEPARTMENTS.len() - 1);
    }
}
