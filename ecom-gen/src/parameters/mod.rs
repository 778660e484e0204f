//! The numbers of the model: what a shop is like.

mod check;
mod model;
mod presets;

pub use self::check::ParameterError;
pub use self::model::{
    BuyingParameters, CategoryParameters, ModelParameters, ProductParameters, Seasonality, ShopperParameters,
    VisitParameters,
};
