//! The value of `--dirt`: faults in the files, and how events are delivered.

use std::str::FromStr;

use ecom_gen::{Delivery, Dirt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::units::share;

/// The value of `--dirt`: faults in the files, and how events are delivered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DirtArg {
    pub(crate) dirt: Dirt,
    pub(crate) delivery: Delivery,
}

impl FromStr for DirtArg {
    type Err = String;

    /// Parses `light`, `heavy`, `none` and `KIND=SHARE`, separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut arg = Self {
            dirt: Dirt::none(),
            delivery: Delivery::default(),
        };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part {
                "none" => (arg.dirt, arg.delivery) = (Dirt::none(), Delivery::exact()),
                "light" => (arg.dirt, arg.delivery) = (Dirt::light(), Delivery::light()),
                "heavy" => (arg.dirt, arg.delivery) = (Dirt::heavy(), Delivery::heavy()),
                _ => arg.set(part)?,
            }
        }
        Ok(arg)
    }
}

impl DirtArg {
    fn set(&mut self, part: &str) -> Result<(), String> {
        let unknown = || {
            format!(
                "write light, heavy, none, or KIND=SHARE, where KIND is one of {}",
                kinds().join(", ")
            )
        };
        let (kind, value) = part.split_once('=').ok_or_else(unknown)?;
        let field = kind.replace('-', "_");
        let value = share(value)?;
        match set_field(&mut self.dirt, &field, value) || set_field(&mut self.delivery, &field, value) {
            true => Ok(()),
            false => Err(unknown()),
        }
    }
}

/// The kinds that can be set, as they are typed.
fn kinds() -> Vec<String> {
    let of_dirt = fields(&Dirt::none());
    let of_delivery = fields(&Delivery::default());
    let shares = of_dirt
        .into_iter()
        .chain(of_delivery)
        .filter(|field| !NO_SHARES.contains(&field.as_str()));
    shares.map(|field| field.replace('_', "-")).collect()
}

/// Fields that are no shares.
const NO_SHARES: [&str; 3] = ["late_median_seconds", "late_sigma", "out_of_order_seconds"];

fn fields(of: &impl Serialize) -> Vec<String> {
    match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

/// Sets a field by its name, and returns whether it exists.
fn set_field<T: Serialize + DeserializeOwned>(of: &mut T, field: &str, share: f64) -> bool {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&*of) else {
        return false;
    };
    if NO_SHARES.contains(&field) || !fields.contains_key(field) {
        return false;
    }
    fields.insert(field.to_owned(), share.into());
    match serde_json::from_value(Value::Object(fields)) {
        Ok(set) => {
            *of = set;
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(text: &str) -> DirtArg {
        text.parse().unwrap()
    }

    #[test]
    fn presets_and_shares() {
        assert_eq!((arg("").dirt, arg("").delivery), (Dirt::none(), Delivery::default()));
        assert_eq!(
            (arg("none").dirt, arg("none").delivery),
            (Dirt::none(), Delivery::exact())
        );
        assert_eq!(
            (arg("heavy").dirt, arg("heavy").delivery),
            (Dirt::heavy(), Delivery::heavy())
        );
        let light = arg("light, torn-last-line=1%,late=0.2");
        assert_eq!((light.dirt.torn_last_line, light.delivery.late), (0.01, 0.2));
        assert_eq!(light.dirt.bad_time, Dirt::light().bad_time);
    }

    #[test]
    fn every_kind_can_be_set() {
        let kinds = kinds();
        assert!(kinds.len() == 20, "{kinds:?}");
        for kind in kinds {
            assert_ne!(arg(&format!("none,{kind}=3%")), arg("none"), "{kind}");
        }
        for text in [
            "dust",
            "late",
            "late=2",
            "late-sigma=0.5",
            "late_median_seconds=1",
            "=1%",
        ] {
            let message = text.parse::<DirtArg>().unwrap_err();
            assert!(message.contains("write"), "{text}: {message}");
        }
    }
}
