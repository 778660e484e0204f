//! Where in a shop's events a source stands, and of which shop.

use std::fmt::Debug;

use ecom_stream::{Error, ErrorKind, Mark, Position, Result, Split};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::micros::micros;
use crate::shop::ShopBuilder;

/// Raised whenever the same parameters give other events than before.
const MODEL_VERSION: u32 = 5;

/// After which event a source goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventIndex {
    pub(crate) slice: i64,
    /// How many of the slice's events lie before.
    pub(crate) index: usize,
}

/// Which shop it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ShopIdentity {
    model: u32,
    seed: u64,
    start_us: i64,
    /// Of all the other parameters.
    parameters: String,
}

/// The mark of a position.
#[derive(Debug, Serialize, Deserialize)]
struct MarkJson<P> {
    #[serde(flatten)]
    shop: ShopIdentity,
    #[serde(flatten)]
    place: P,
}

impl ShopBuilder {
    /// Tells this shop from others.
    pub(crate) fn digest(&self) -> String {
        let Self {
            seed,
            start,
            rate,
            products,
            shoppers,
            zone,
            parameters,
            delivery,
            scenarios,
            ids,
        } = self;
        let text = format!(
            "{seed} {} {} {products} {shoppers:?} {zone} {parameters:?} {delivery:?} {scenarios:?} {ids:?}",
            micros(*start),
            rate.events_per_second(),
        );
        short_digest(&text)
    }
}

/// Writes the marks of one shop and reads them.
pub(crate) struct PositionMarks {
    shop: ShopIdentity,
}

impl PositionMarks {
    pub(crate) fn of(shop: &ShopBuilder) -> Self {
        Self {
            shop: ShopIdentity {
                model: MODEL_VERSION,
                seed: shop.seed,
                start_us: micros(shop.start),
                parameters: shop.digest(),
            },
        }
    }

    /// With further parameters.
    pub(crate) fn with(mut self, parameters: &impl Debug) -> Self {
        let text = format!("{} {parameters:?}", self.shop.parameters);
        self.shop.parameters = short_digest(&text);
        self
    }

    pub(crate) fn encode<P: Serialize>(&self, place: P) -> Mark {
        let shop = self.shop.clone();
        Mark::new(serde_json::to_string(&MarkJson { shop, place }).unwrap_or_default())
    }

    /// The place of a position.
    ///
    /// # Errors
    ///
    /// When the position is of another shop.
    pub(crate) fn decode<P: DeserializeOwned>(&self, position: &Position) -> Result<P> {
        let mark = position.mark.as_json().unwrap_or_default();
        match serde_json::from_str::<MarkJson<P>>(mark) {
            Ok(known) if known.shop == self.shop => Ok(known.place),
            Ok(known) => Err(self.mismatch(&known.shop, &position.split)),
            Err(_) => Err(Error::new(
                ErrorKind::Configuration,
                format!("what is known of {} is not of a shop", position.split),
            )
            .hint(START_ANEW)),
        }
    }

    fn mismatch(&self, before: &ShopIdentity, split: &Split) -> Error {
        let now = &self.shop;
        let same = "go on with the same parameters, or begin another shop: with another seed, name or directory";
        let (what, hint) = if before.model != now.model {
            (
                format!(
                    "was begun by version {} of the model, this is {}",
                    before.model, now.model
                ),
                START_ANEW,
            )
        } else if before.seed != now.seed {
            (format!("had the seed {}, not {}", before.seed, now.seed), same)
        } else if before.start_us != now.start_us {
            let time = |micros: i64| {
                let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
                time.map_or(micros.to_string(), |time| time.to_string())
            };
            (
                format!("began at {}, not {}", time(before.start_us), time(now.start_us)),
                same,
            )
        } else {
            (
                "had other parameters, such as the rate, the products or the cut into files".to_owned(),
                same,
            )
        };
        Error::new(ErrorKind::Configuration, format!("{split} was another shop: it {what}")).hint(hint)
    }
}

/// What helps where the same parameters don't.
const START_ANEW: &str = "begin another shop: with another seed, name or directory";

fn short_digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}
