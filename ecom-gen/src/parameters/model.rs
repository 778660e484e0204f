//! The parameters themselves, each with its meaning and unit.

use serde::{Deserialize, Serialize};

/// The parameters of the model: everything in which shops differ from each other. The defaults describe a large general
/// shop.
///
/// Start from [`ModelParameters::default`] or [`ModelParameters::wholesale`] and change what differs:
///
/// ```
/// use ecom_gen::{ModelParameters, Shop};
/// use time::macros::datetime;
///
/// let mut parameters = ModelParameters::default();
/// parameters.buying.purchase = 0.7; // few carts are abandoned
/// let shop = Shop::builder(7, datetime!(2026-11-01 12:00 UTC)).parameters(parameters)?.build();
/// # Ok::<(), ecom_gen::ParameterError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelParameters {
    /// How visitors browse.
    pub visits: VisitParameters,
    /// How carts are filled and bought.
    pub buying: BuyingParameters,
    /// Who visits, and how often.
    pub shoppers: ShopperParameters,
    /// What the shop sells.
    pub products: ProductParameters,
    /// When people visit and buy.
    pub seasonality: Seasonality,
}

/// How visitors browse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct VisitParameters {
    /// Share of visits that consist of a single view.
    pub bounce_rate: f64,
    /// Number of views beyond the second, in visits of two views or more: mean of its logarithm.
    pub views_mu: f64,
    /// Standard deviation of the same logarithm.
    pub views_sigma: f64,
    /// Seconds between two events of a visit: mean of the logarithm.
    pub gap_mu: f64,
    /// Standard deviation of the same logarithm.
    pub gap_sigma: f64,
    /// Probability that the next view is of the same product.
    pub same_product: f64,
    /// Probability that the next view is of a product seen earlier in the visit.
    pub revisit: f64,
    /// Probability that a view of a new product stays in the same category.
    pub same_category: f64,
}

/// How carts are filled and bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BuyingParameters {
    /// Probability that a viewed product is added to the cart, for an average shopper and an average product.
    pub add_to_cart: f64,
    /// Probability that a cart is bought in the visit that filled it, at an average hour.
    pub purchase: f64,
    /// Probability that a product is removed from the cart before the purchase.
    pub remove_from_cart: f64,
    /// Share of carts that are bought directly, without an `add_to_cart` event.
    pub buy_now: f64,
    /// Probability that a further product is added after one was added.
    pub add_another: f64,
    /// Probability that this further product is one that is sold together with the first.
    pub bundle: f64,
    /// Share of visits that continue with a cart that an earlier visit abandoned.
    pub return_to_cart: f64,
    /// Hours until such a return: mean of the logarithm.
    pub return_hours_mu: f64,
    /// Standard deviation of the same logarithm.
    pub return_hours_sigma: f64,
    /// Probability that an abandoned cart is bought on return.
    pub purchase_after_return: f64,
    /// Share of visits, for an average shopper, that are for a product which the shopper buys regularly.
    pub replenish: f64,
    /// Probability that such a product is added to the cart.
    pub replenish_add_to_cart: f64,
    /// Quantity of a product: mean of the logarithm. At least 1 is bought.
    pub quantity_mu: f64,
    /// Standard deviation of the same logarithm.
    pub quantity_sigma: f64,
    /// Share of orders that are cancelled: each of their lines is removed again.
    pub cancel: f64,
}

/// Who visits, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ShopperParameters {
    /// Visits per shopper in 30 days, averaged over all shoppers, including those who do not visit.
    pub visits_a_month: f64,
    /// How unequally visits are distributed: a share `x` of the shoppers makes `x^(1/inequality)` of the visits.
    pub inequality: f64,
    /// Days for which a person stays a shopper: mean of the logarithm.
    pub lifetime_days_mu: f64,
    /// Standard deviation of the same logarithm.
    pub lifetime_days_sigma: f64,
    /// How much longer frequent visitors stay: the exponent of the visit frequency.
    pub loyalty: f64,
    /// How much longer people with a high propensity to buy stay: the exponent of the propensity.
    pub loyalty_of_buyers: f64,
    /// How much shoppers differ in their propensity to add products to the cart: standard deviation of its logarithm.
    pub propensity_sigma: f64,
    /// How much lower the propensity per visit is for frequent visitors: the exponent of the visit frequency.
    pub propensity_damping: f64,
    /// Probabilities that a visit is for the shopper's favourite category, the second and the third favourite.
    pub taste: [f64; 3],
}

/// What the shop sells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProductParameters {
    /// How fast popularity falls with the rank: 1 / (rank + `zipf_offset`) ^ `zipf_exponent`.
    pub zipf_exponent: f64,
    /// How flat popularity is at the top ranks; see `zipf_exponent`.
    pub zipf_offset: f64,
    /// How much products differ in how readily they are bought: standard deviation of the logarithm.
    pub appeal_sigma: f64,
    /// How much more readily popular products are bought: the exponent of popularity.
    pub appeal_of_popularity: f64,
    /// Share of products without a brand.
    pub without_brand: f64,
    /// How unequally the products of a category are distributed over its brands; 1 is evenly.
    pub brand_inequality: f64,
    /// Share of products, on any day, whose price is unknown and written as 0.
    pub zero_price: f64,
    /// The categories, at most 65,535. If empty, the shop has the categories of a general shop.
    pub categories: Vec<CategoryParameters>,
}

/// A category of products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CategoryParameters {
    /// The dotted name; `None` for products without a category.
    pub name: Option<String>,
    /// Number of visits that begin in this category, relative to the other categories.
    pub visits: f64,
    /// Price: mean of the logarithm.
    pub price_mu: f64,
    /// Price: standard deviation of the logarithm.
    pub price_sigma: f64,
}

impl CategoryParameters {
    /// A category with this name, 1 as its relative number of visits, and prices around 55. Set the other fields
    /// afterwards.
    pub fn new(name: Option<String>) -> Self {
        Self {
            name,
            visits: 1.0,
            price_mu: 4.0,
            price_sigma: 1.0,
        }
    }
}

/// When people visit and when they buy, in the shop's time zone. Each list is relative: only the ratios of its numbers
/// matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Seasonality {
    /// Number of visitors in the hours that begin at 0, 1, 2 … o'clock.
    pub hours: [f64; 24],
    /// Number of visitors on Monday, Tuesday, Wednesday …
    pub weekdays: [f64; 7],
    /// How readily visitors buy in the hours that begin at 0, 1, 2 … o'clock.
    pub buying_hours: [f64; 24],
}
