//! The shop as a source of events, and what this source shares with the source of files.

mod open;
pub(crate) mod options;
mod pace;
mod position;
mod shop_source;

pub(crate) use open::open;
pub use pace::Pace;
pub(crate) use pace::ShopClock;
pub(crate) use position::{EventPosition, PositionMarks};
pub use shop_source::ShopSource;
