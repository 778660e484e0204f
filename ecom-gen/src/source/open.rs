//! Opens a shop without blocking the runtime.

use std::sync::Arc;

use ecom_stream::{Error, ErrorKind, Result};
use tokio::task::spawn_blocking;

use crate::shop::{Model, ShopBuilder};

/// Makes the model away from the threads that mustn't wait.
pub(crate) async fn open(shop: &ShopBuilder) -> Result<Arc<Model>> {
    let shop = shop.clone();
    let opened = spawn_blocking(move || Arc::new(Model::new(&shop))).await;
    opened.map_err(|err| Error::new(ErrorKind::Panicked, "opening the shop panicked or was given up").caused_by(err))
}
