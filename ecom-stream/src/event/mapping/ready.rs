use std::path::Path;

use super::Mapping;
use crate::contract::Result;

/// Mappings of public data sets, by name: the texts in TOML.
const READY: &[(&str, &str)] = &[
    ("rees46", include_str!("ready/rees46.toml")),
    ("retailrocket", include_str!("ready/retailrocket.toml")),
];

impl Mapping {
    /// The mappings that are ready: name, and text in TOML.
    pub fn ready() -> &'static [(&'static str, &'static str)] {
        READY
    }

    /// The ready mapping of that name (`rees46`, `retailrocket`), or else that of a file.
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
                        "ready ones are {}; ecom-ingest infer proposes one for a file",
                        names.join(" and ")
                    ))
                }
            }),
        }
    }
}
