//! Opens a shop on a thread that may block.

use std::sync::Arc;

use ecom_stream::{Error, ErrorKind, Result};
use tokio::task::spawn_blocking;

use crate::shop::{Model, ShopBuilder};

/// Builds the model of the shop on a thread for blocking work, so that the runtime's threads stay responsive.
pub(crate) async fn open(shop: &ShopBuilder) -> Result<Arc<Model>> {
    let shop = shop.clone();
    let opened = spawn_blocking(move || Arc::new(Model::new(&shop))).await;
    opened.map_err(|err| Error::new(ErrorKind::Panicked, "opening the shop panicked or was cancelled").caused_by(err))
}
