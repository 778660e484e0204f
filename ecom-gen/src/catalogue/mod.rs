//! The catalogue: the products of a shop, by category.

mod category_ranking;
mod departments;
mod product;

use rand::RngExt;

use self::category_ranking::CategoryRanking;
use self::departments::{DEPARTMENTS, Department};
pub(crate) use self::product::MAX_PRODUCTS;
pub use self::product::Product;
use crate::parameters::{CategoryParameters, ProductParameters};
use crate::random::{Purpose, Seed, ShopRng, lognormal, mix, unit};

/// The products of a shop, by category, with brands, names and prices that fit the category.
#[derive(Debug, Clone)]
pub struct Catalogue {
    products: Vec<Product>,
    rankings: Vec<CategoryRanking>,
    /// Where each product's text ends in `csv`.
    csv_ends: Vec<u32>,
    /// The product columns of each product as CSV text. Writing them anew for each event would take most of the time.
    csv: Vec<u8>,
}

impl Catalogue {
    /// The catalogue for a seed: `products` products, and at least one in each category.
    pub(crate) fn new(seed: Seed, products: u32, parameters: &ProductParameters) -> Self {
        let mut rng = seed.rng(Purpose::Catalogue, 0);
        let of_general_shop;
        let categories = match parameters.categories.as_slice() {
            [] => {
                of_general_shop = general_shop();
                &of_general_shop
            }
            categories => categories,
        };
        let total: f64 = categories.iter().map(|category| category.visits).sum();
        let id_offset = rng.random();
        let mut catalogue = Self {
            products: Vec::new(),
            rankings: Vec::new(),
            csv_ends: Vec::new(),
            csv: Vec::new(),
        };
        let mut cumulative_visits = 0.0;
        for (number, category) in (0..).zip(categories) {
            cumulative_visits += category.visits / total;
            let first = catalogue.products.len() as u32;
            let end = ((cumulative_visits * f64::from(products)).round() as u32).max(first + 1);
            let department = departments::department_for(number, category);
            for index in first..end {
                let id = product::id(index, id_offset);
                let product = Product::new(id, number, category, department, parameters, &mut rng);
                catalogue.products.push(product);
            }
            catalogue
                .rankings
                .push(CategoryRanking::new(first, end - first, cumulative_visits, parameters));
        }
        catalogue.assign_appeal(parameters, &mut rng);
        catalogue.relate_products(seed);
        for product in &catalogue.products {
            product.write_csv(&mut catalogue.csv);
            catalogue.csv_ends.push(catalogue.csv.len() as u32);
        }
        catalogue
    }

    /// All products by category, the most popular first.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    pub(crate) fn product(&self, index: u32) -> &Product {
        &self.products[index as usize]
    }

    /// The CSV text of `product_id,product_name,category,brand`.
    pub(crate) fn csv(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.csv_ends[index - 1] };
        &self.csv[start as usize..self.csv_ends[index] as usize]
    }

    /// The category of a visit, for a number drawn from [0, 1).
    pub(crate) fn category(&self, unit: f64) -> u16 {
        let at = self
            .rankings
            .partition_point(|ranking| ranking.cumulative_visits <= unit);
        at.min(self.rankings.len() - 1) as u16
    }

    /// A product of the category, for a number drawn from [0, 1). Popular products are drawn more often.
    pub(crate) fn product_in(&self, category: u16, unit: f64) -> u32 {
        self.rankings[usize::from(category)].product(unit)
    }

    /// Draws four products of the category by `key`, and returns the most appealing of them.
    pub(crate) fn most_appealing_in(&self, category: u16, key: u64) -> u32 {
        let drawn = [key, mix(key ^ 1), mix(key ^ 2), mix(key ^ 3)].map(|key| self.product_in(category, unit(key)));
        let appeal = |index: u32| self.product(index).appeal;
        drawn
            .into_iter()
            .reduce(|best, other| if appeal(other) > appeal(best) { other } else { best })
            .unwrap_or(drawn[0])
    }

    /// Sets how readily each product is bought; the average over all views is 1.
    fn assign_appeal(&mut self, parameters: &ProductParameters, rng: &mut ShopRng) {
        for ranking in &self.rankings {
            let range = ranking.range();
            let mut mean = 0.0;
            for (rank, product) in self.products[range.clone()].iter_mut().enumerate() {
                let drawn = lognormal(rng, 0.0, parameters.appeal_sigma);
                let appeal = drawn * libm::pow(ranking.popularity(rank), parameters.appeal_of_popularity);
                product.appeal = appeal as f32;
                mean += appeal * ranking.share(rank);
            }
            for product in &mut self.products[range] {
                product.appeal = (f64::from(product.appeal) / mean) as f32;
            }
        }
    }

    /// Relates each product to two others: one of the same category that sells about as often, and one of the category
    /// that is bought together with its own.
    fn relate_products(&mut self, seed: Seed) {
        for ranking in &self.rankings {
            let sold =
                |index: &usize| ranking.share(index - ranking.range().start) * f64::from(self.products[*index].appeal);
            let mut order: Vec<usize> = ranking.range().collect();
            order.sort_by(|one, other| sold(other).total_cmp(&sold(one)));
            for twins in order.chunks(2) {
                self.products[twins[0]].related[0] = twins[twins.len() - 1] as u32;
                self.products[twins[twins.len() - 1]].related[0] = twins[0] as u32;
            }
        }
        for index in 0..self.products.len() {
            let category = self.products[index].category_number;
            let other = match self.rankings.len() == DEPARTMENTS.len() {
                true => DEPARTMENTS[usize::from(category)].related,
                false => category,
            };
            let key = seed.of(Purpose::Catalogue, 1 + index as u64);
            self.products[index].related[1] = self.most_appealing_in(other, key);
        }
    }
}

fn general_shop() -> Vec<CategoryParameters> {
    let category = |department: &Department| CategoryParameters {
        name: department.category.map(str::to_owned),
        visits: department.visits,
        price_mu: department.log_price.0,
        price_sigma: department.log_price.1,
    };
    DEPARTMENTS.iter().map(category).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn catalogue(seed: u64, products: u32) -> Catalogue {
        Catalogue::new(Seed(seed), products, &ProductParameters::default())
    }

    #[test]
    fn the_same_seed_gives_the_same_products() {
        assert_eq!(catalogue(1, 500).products(), catalogue(1, 500).products());
        assert_ne!(catalogue(1, 500).products(), catalogue(2, 500).products());
    }

    #[test]
    fn products_have_plausible_fields() {
        let catalogue = catalogue(7, 10_000);
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
    fn a_shop_of_any_size_has_all_categories() {
        for products in [0, 1, 30, 1_000] {
            let catalogue = catalogue(1, products);
            assert!(catalogue.products().len() >= DEPARTMENTS.len());
            assert!(catalogue.rankings.iter().all(|ranking| !ranking.range().is_empty()));
        }
        let catalogue = catalogue(1, 100);
        assert_eq!(catalogue.category(0.0), 0);
        assert_eq!(usize::from(catalogue.category(1.0)), DEPARTMENTS.len() - 1);
    }

    #[test]
    fn categories_of_the_parameters_are_used() {
        let mut parameters = ProductParameters::default();
        for name in [Some("books.crime"), None, Some("electronics.radio")] {
            parameters.categories.push(CategoryParameters {
                name: name.map(str::to_owned),
                visits: 1.0,
                price_mu: 2.0,
                price_sigma: 0.1,
            });
        }
        let catalogue = Catalogue::new(Seed(1), 300, &parameters);
        let crime = &catalogue.products()[..100];
        assert!(
            crime
                .iter()
                .all(|product| product.category.as_deref() == Some("books.crime"))
        );
        assert!(
            crime
                .iter()
                .all(|product| (400..1_200).contains(&product.price.cents()))
        );
    }

    #[test]
    fn the_csv_text_has_four_fields() {
        let catalogue = catalogue(7, 1_000);
        for (index, product) in (0..).zip(catalogue.products()) {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(catalogue.csv(index));
            let fields = reader.records().next().unwrap().unwrap();
            assert_eq!(fields.len(), 4);
            assert_eq!(fields[1], product.name);
        }
    }
}
