//! The number of an event within its visit.

use std::collections::HashSet;

use time::macros::datetime;

use super::*;
use crate::parameters::ModelParameters;
use crate::shop::iterator::Shop;

#[test]
fn events_of_the_longest_visit_have_unique_numbers() {
    let mut model = Model::new(&Shop::builder(1, datetime!(2026-11-01 12:00 UTC)));
    model.parameters = ModelParameters::default();
    let visits = &mut model.parameters.visits;
    (visits.bounce_rate, visits.views_mu, visits.views_sigma) = (0.0, 9.5, 0.0);
    (visits.gap_mu, visits.gap_sigma) = (-10.0, 0.0);
    let buying = &mut model.parameters.buying;
    (
        buying.add_to_cart,
        buying.add_another,
        buying.return_to_cart,
        buying.replenish,
    ) = (1.0, 0.98, 0.0, 0.0);
    model.parameters.check().unwrap();
    let mut events = Vec::new();
    for index in 0..10 {
        events.clear();
        visit(&model, VisitNumber { slice: 0, index }, &mut events);
        let steps: HashSet<u16> = events.iter().map(|event| event.step).collect();
        assert_eq!(steps.len(), events.len());
        if events.len() == usize::from(u16::MAX) {
            return;
        }
    }
    panic!("no visit reached the maximum length");
}
