//! The parameters of the model: how a shop's visitors behave, and what the shop sells.

mod check;
mod model;
mod presets;

pub use self::check::ParameterError;
pub use self::model::{
    BuyingParameters, CategoryParameters, ModelParameters, ProductParameters, Seasonality, ShopperParameters,
    VisitParameters,
};
