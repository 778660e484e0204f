//! The few statistics that a profile is made of.

mod concentration;
mod fit;
mod log_normal;
mod moments;
mod quantile;

pub use concentration::{gini, slope, top_share, zipf_exponent};
pub use fit::{chi_square, ks_normal};
pub use log_normal::LogNormal;
pub use moments::Moments;
pub use quantile::{Spread, quantile};
