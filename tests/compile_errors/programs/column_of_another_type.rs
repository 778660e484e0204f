//~ a value of type `Shop` can't be stored in a column
//~ `ToColumn` can be implemented for your own type

use ecom_sink_pg::Table;

#[derive(Debug, Clone)]
struct Shop;

struct Sale {
    shop: Shop,
}

fn table() -> Table<Sale> {
    Table::new("sales").column("shop", |sale: &Sale| sale.shop.clone())
}
