//! The statistics that profiles consist of.

mod concentration;
mod goodness_of_fit;
mod log_normal;
mod moments;
mod summary;

pub use concentration::{gini, slope, top_share, zipf_exponent};
pub use goodness_of_fit::{chi_square, ks_normal};
pub use log_normal::LogNormal;
pub use moments::Moments;
pub use summary::{SummaryStatistics, quantile};
