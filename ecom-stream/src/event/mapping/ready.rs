//! Ready mappings: those of public data sets and of programs of shops, which are part of this crate.

use std::path::Path;

use super::Mapping;
use crate::contract::Result;

/// The name of each ready mapping and its TOML text.
const READY: &[(&str, &str)] = &[
    ("ga4", include_str!("ready/ga4.toml")),
    ("recsys15-buys", include_str!("ready/recsys15-buys.toml")),
    ("recsys15-clicks", include_str!("ready/recsys15-clicks.toml")),
    ("rees46", include_str!("ready/rees46.toml")),
    ("retailrocket", include_str!("ready/retailrocket.toml")),
    ("woocommerce", include_str!("ready/woocommerce.toml")),
];

impl Mapping {
    /// The ready mappings, which are part of this crate: the name and the TOML text of each.
    ///
    /// ```
    /// use ecom_stream::Mapping;
    ///
    /// let names: Vec<&str> = Mapping::ready().iter().map(|(name, _)| *name).collect();
    /// assert_eq!(names, ["ga4", "recsys15-buys", "recsys15-clicks", "rees46", "retailrocket", "woocommerce"]);
    /// ```
    pub fn ready() -> &'static [(&'static str, &'static str)] {
        READY
    }

    /// The ready mapping with that name (`ga4`, `rees46`, …); any other text is the path of a TOML file.
    ///
    /// ```
    /// use ecom_stream::Mapping;
    ///
    /// assert!(Mapping::named("rees46").is_ok());
    /// let err = Mapping::named("no/such/file.toml").unwrap_err();
    /// assert!(err.to_string().starts_with("can't read the mapping no/such/file.toml"));
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`from_file`](Self::from_file).
    pub fn named(name_or_path: &str) -> Result<Self> {
        match READY.iter().find(|(name, _)| *name == name_or_path) {
            Some((_, text)) => Self::from_toml(text),
            None => Self::from_file(name_or_path).map_err(|err| match Path::new(name_or_path).exists() {
                true => err,
                false => {
                    let names: Vec<&str> = READY.iter().map(|(name, _)| *name).collect();
                    err.hint(format!(
                        "the ready mappings are {}; `ecom-ingest infer` proposes one for a file",
                        names.join(", ")
                    ))
                }
            }),
        }
    }
}
