//! The columns that an export puts in front of those of the original file. A retry recognizes
//! rows by them.

/// The column with the number of the dead letter.
pub(super) const ID: &str = "reject_id";

/// All of them, in their order.
pub(super) const COLUMNS: [&str; 5] = [ID, "reject_reason", "reject_detail", "reject_file", "reject_record"];
