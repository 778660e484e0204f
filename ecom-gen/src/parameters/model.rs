//! The numbers of the model: what a shop is like.

use serde::{Deserialize, Serialize};

/// What a shop and its shoppers are like: the numbers in which shops differ, with a large general shop's as defaults.
///
/// Start from [`ModelParameters::default`] or [`ModelParameters::wholesale`] and set what differs:
///
/// ```
/// use ecom_gen::{ModelParameters, Shop};
/// use time::macros::datetime;
///
/// let mut parameters = ModelParameters::default();
/// parameters.buying.purchase = 0.7; // baskets are seldom left
/// let shop = Shop::builder(7, datetime!(2026-11-01 12:00 UTC)).parameters(parameters)?.build();
/// # Ok::<(), ecom_gen::ParameterError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelParameters {
    /// What a visit looks like.
    pub visits: VisitParameters,
    /// How baskets are filled and bought.
    pub buying: BuyingParameters,
    /// Who comes, and how often.
    pub shoppers: ShopperParameters,
    /// What is sold.
    pub products: ProductParameters,
    /// When people come.
    pub seasonality: Seasonality,
}

/// What a visit looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct VisitParameters {
    /// Share of the visits that are a single view.
    pub bounce_rate: f64,
    /// Views beyond the second one, in the other visits: mean of the logarithm.
    pub views_mu: f64,
    /// The same, deviation of the logarithm.
    pub views_sigma: f64,
    /// Seconds between two events of a visit: mean of the logarithm.
    pub gap_mu: f64,
    /// The same, deviation of the logarithm.
    pub gap_sigma: f64,
    /// How likely the next view is of the same product.
    pub same_product: f64,
    /// How likely it is of a product seen before in the visit.
    pub revisit: f64,
    /// How likely a view of another product stays in the category.
    pub same_category: f64,
}

/// How baskets are filled and bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BuyingParameters {
    /// How likely a product just viewed goes into the basket, for an average shopper and product.
    pub add_to_cart: f64,
    /// How likely a basket is bought in the visit that filled it, in an average hour.
    pub purchase: f64,
    /// How likely it is emptied in part before.
    pub remove_from_cart: f64,
    /// Share of the baskets that are bought at once, without an `add_to_cart`.
    pub buy_now: f64,
    /// How likely another product follows one into the basket.
    pub add_another: f64,
    /// How likely that is one that goes with it.
    pub bundle: f64,
    /// Share of the visits that go on with a basket that an earlier visit has left.
    pub return_to_cart: f64,
    /// Hours until then: mean of the logarithm.
    pub return_hours_mu: f64,
    /// The same, deviation of the logarithm.
    pub return_hours_sigma: f64,
    /// How likely such a basket is bought then.
    pub purchase_after_return: f64,
    /// Share of the visits, of an average shopper, for something that the shopper buys again and again.
    pub replenish: f64,
    /// How likely that goes into the basket.
    pub replenish_add_to_cart: f64,
    /// How many of a product: mean of the logarithm; at least 1 is bought.
    pub quantity_mu: f64,
    /// The same, deviation of the logarithm.
    pub quantity_sigma: f64,
    /// Share of the orders that are cancelled: each line is then removed again.
    pub cancel: f64,
}

/// Who comes, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ShopperParameters {
    /// Visits of an average shopper in 30 days, those counted who don't come.
    pub visits_a_month: f64,
    /// How unequally often people come: a share of `x` of the people makes `x^(1/inequality)` of the visits.
    pub inequality: f64,
    /// Days that one remains a shopper: mean of the logarithm.
    pub lifetime_days_mu: f64,
    /// The same, deviation of the logarithm.
    pub lifetime_days_sigma: f64,
    /// How much longer those remain who come often: the exponent of how often.
    pub loyalty: f64,
    /// How much longer those remain who buy readily: the exponent of how readily.
    pub loyalty_of_buyers: f64,
    /// How much shoppers differ in how readily they put something into the basket: deviation of the logarithm.
    pub propensity_sigma: f64,
    /// How much less readily those do who come often, in a visit: the exponent of how often.
    pub propensity_damping: f64,
    /// How likely a visit is for what the shopper likes best, second and third.
    pub taste: [f64; 3],
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProductParameters {
    /// How fast popularity falls with the rank: 1 / (rank + `zipf_offset`) ^ `zipf_exponent`.
    pub zipf_exponent: f64,
    /// How flat the head is.
    pub zipf_offset: f64,
    /// How much products differ in how readily they are bought: deviation of the logarithm.
    pub appeal_sigma: f64,
    /// How much more readily popular products are bought: the exponent of popularity.
    pub appeal_of_popularity: f64,
    /// Share of the products without a brand.
    pub without_brand: f64,
    /// How unequally a category's brands are represented: 1 is evenly.
    pub brand_inequality: f64,
    /// Share of the products, on a day, whose price is unknown and written as 0.
    pub zero_price: f64,
    /// The categories, at most 65,535; empty for those of a general shop.
    pub categories: Vec<CategoryParameters>,
}

/// A category: a part of what is sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryParameters {
    /// Its dotted name; none for products that the shop has in no category.
    pub name: Option<String>,
    /// How many visits begin here, in relation to the others.
    pub visits: f64,
    /// Price: mean of the logarithm.
    pub price_mu: f64,
    /// Price: deviation of the logarithm.
    pub price_sigma: f64,
}

/// When people come and when they buy, by the shop's local time. Only the relations count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Seasonality {
    /// How many come, in the hour that begins at 0, 1, 2 …
    pub hours: [f64; 24],
    /// How many come, on Monday, Tuesday, Wednesday …
    pub weekdays: [f64; 7],
    /// How readily they buy, in the hour that begins at 0, 1, 2 …
    pub buying_hours: [f64; 24],
}
