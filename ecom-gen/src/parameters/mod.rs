//! The numbers of the model: what a shop is like.

mod check;
mod model;
mod presets;

pub use self::check::HabitsError;
pub use self::model::{BuyingHabits, CategoryHabits, Habits, PeopleHabits, Rhythm, VisitHabits, WareHabits};
