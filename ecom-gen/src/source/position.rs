//! The position of a source within a shop's events, and the check that it belongs to the same shop.

use std::fmt::Debug;

use ecom_stream::{Error, ErrorKind, Mark, Position, Result, Split};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::micros::micros;
use crate::shop::ShopBuilder;

/// The version of the model. It is raised whenever the same options give other events than before.
const MODEL_VERSION: u32 = 5;

/// The position of an event: the source resumes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventPosition {
    pub(crate) slice: i64,
    /// The number of events of the slice that come before.
    pub(crate) index: usize,
}

/// Identifies a shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ShopIdentity {
    model: u32,
    seed: u64,
    start_us: i64,
    /// A digest of all other options.
    parameters: String,
}

/// The content of a position's mark.
#[derive(Debug, Serialize, Deserialize)]
struct MarkJson<P> {
    #[serde(flatten)]
    shop: ShopIdentity,
    #[serde(flatten)]
    value: P,
}

impl ShopBuilder {
    /// A digest of the options, which differs between different shops.
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

/// Encodes and decodes the marks of the positions of one shop.
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

    /// Includes further options in the identity of the shop.
    pub(crate) fn with(mut self, parameters: &impl Debug) -> Self {
        let text = format!("{} {parameters:?}", self.shop.parameters);
        self.shop.parameters = short_digest(&text);
        self
    }

    /// A mark that holds `value` and the identity of the shop.
    pub(crate) fn encode<P: Serialize>(&self, value: P) -> Mark {
        let shop = self.shop.clone();
        Mark::new(serde_json::to_string(&MarkJson { shop, value }).unwrap_or_default())
    }

    /// The value in the mark of a position.
    ///
    /// # Errors
    ///
    /// If the position belongs to another shop.
    pub(crate) fn decode<P: DeserializeOwned>(&self, position: &Position) -> Result<P> {
        let mark = position.mark.as_json().unwrap_or_default();
        match serde_json::from_str::<MarkJson<P>>(mark) {
            Ok(known) if known.shop == self.shop => Ok(known.value),
            Ok(known) => Err(self.mismatch(&known.shop, &position.split)),
            Err(_) => Err(Error::new(
                ErrorKind::Configuration,
                format!(
                    "the ledger's position of {} was not written by a simulated shop",
                    position.split
                ),
            )
            .hint(START_ANEW)),
        }
    }

    fn mismatch(&self, before: &ShopIdentity, split: &Split) -> Error {
        let now = &self.shop;
        let same = "continue with the same options, or start another shop with another seed, name or directory";
        let (what, hint) = if before.model != now.model {
            (
                format!(
                    "was started with version {} of the model, but this is version {}",
                    before.model, now.model
                ),
                START_ANEW,
            )
        } else if before.seed != now.seed {
            (
                format!("had the seed {}, but now it is {}", before.seed, now.seed),
                same,
            )
        } else if before.start_us != now.start_us {
            let time = |micros: i64| {
                let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
                time.map_or(micros.to_string(), |time| time.to_string())
            };
            (
                format!(
                    "started at {}, but now the start is {}",
                    time(before.start_us),
                    time(now.start_us)
                ),
                same,
            )
        } else {
            (
                "had other options, such as the rate, the number of products or the rolling policy".to_owned(),
                same,
            )
        };
        Error::new(ErrorKind::Configuration, format!("{split} was another shop: it {what}")).hint(hint)
    }
}

/// The hint for a position that no options can continue.
const START_ANEW: &str = "start another shop with another seed, name or directory";

fn short_digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}
