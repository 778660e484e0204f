//! A product, and how it is made.

use ecom_stream::Price;
use rand::RngExt;

use super::departments::Department;
use crate::parameters::{CategoryParameters, ProductParameters};
use crate::random::{ShopRng, lognormal};

/// The lowest and the highest price, in cents.
const MIN_CENTS: f64 = 49.0;
const MAX_CENTS: f64 = 999_999.0;

/// The number of products that can have different ids: a power of two.
pub(crate) const MAX_PRODUCTS: u32 = 1 << 25;

/// A product of the shop.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Product {
    /// The product id: eight digits.
    pub id: String,
    /// The product name.
    pub name: String,
    /// The dotted category, such as `electronics.smartphone`; `None` if the product has no category.
    pub category: Option<String>,
    /// The brand; `None` if it is unknown.
    pub brand: Option<&'static str>,
    /// The price of one piece.
    pub price: Price,
    pub(crate) category_number: u16,
    pub(crate) appeal: f32,
    /// The products that are bought together with this one, by index: one of the same category, one of another.
    pub(crate) related: [u32; 2],
}

impl Product {
    pub(super) fn new(
        id: u32,
        category_number: u16,
        category: &CategoryParameters,
        department: &Department,
        parameters: &ProductParameters,
        rng: &mut ShopRng,
    ) -> Self {
        let brand = match rng.random::<f64>() {
            at if at < parameters.without_brand => None,
            // A power of a uniform number, so that the first brands have more products.
            _ => pick(department.brands, libm::pow(rng.random(), parameters.brand_inequality)),
        };
        let cents = lognormal(rng, category.price_mu, category.price_sigma) * 100.0;
        let cents = cents.clamp(MIN_CENTS, MAX_CENTS) as i64;
        let cents = match rng.random::<f64>() {
            ..0.6 => cents / 100 * 100 + 99,
            _ => cents,
        };
        Self {
            id: id.to_string(),
            name: name(brand, department, rng),
            category: category.name.clone(),
            brand,
            price: Price::from_cents(cents).unwrap_or_default(),
            category_number,
            appeal: 1.0,
            related: [0; 2],
        }
    }

    /// Writes `product_id,product_name,category,brand`.
    pub(super) fn write_csv(&self, out: &mut Vec<u8>) {
        let fields = [
            Some(self.id.as_str()),
            Some(self.name.as_str()),
            self.category.as_deref(),
            self.brand,
        ];
        for (at, field) in fields.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quoted(field.unwrap_or_default(), out);
        }
    }
}

/// Appends a CSV field, quoted if it must be.
fn quoted(field: &str, out: &mut Vec<u8>) {
    if !field.contains(['"', ',', '\n', '\r']) {
        return out.extend(field.bytes());
    }
    out.push(b'"');
    for byte in field.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// An id of eight digits that does not reveal the rank. An odd factor permutes the numbers below a power of two.
pub(super) fn id(index: u32, offset: u32) -> u32 {
    10_000_000 + (index.wrapping_mul(2_654_435_761).wrapping_add(offset) & (MAX_PRODUCTS - 1))
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

/// The item at this part of the list, for a number from 0 to 1; `None` from 1 on.
fn pick(list: &[&'static str], at: f64) -> Option<&'static str> {
    list.get((at * list.len() as f64) as usize).copied()
}
