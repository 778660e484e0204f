//! Texts in TOML.

/// The text as a TOML string. The escapes of JSON are valid in TOML too.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
