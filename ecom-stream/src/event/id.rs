//! Event ids for records whose producer gave none, or one that is not a UUID.
//!
//! All ids are UUIDs of version 5: a hash of a namespace and a text. The same input gives the same id in every run, so a record that
//! is read again is recognised as a duplicate.

use uuid::Uuid;

use crate::contract::Origin;

/// The namespace of all ids that are made here. It must never change: stored events would get other ids when they are read again.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b1f_3c0e_7a3d_5e52_9d0c_0d7a_4f2e_61c8);

/// The event id for a producer's own identifier that is not a UUID. The same text gives the same id everywhere.
///
/// ```
/// use ecom_stream::id_of_text;
///
/// assert_eq!(id_of_text("order-1").to_string(), "3727b459-22e3-5a60-9305-91255e9bbb6f");
/// assert_ne!(id_of_text("order-1"), id_of_text("order-2"));
/// ```
pub fn id_of_text(text: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// The event id of a record without an identifier, made from its place: pipeline, source, path, generation and record number.
/// Reading the same file again gives the same id; two equal rows have different ids.
///
/// ```
/// # use futures::TryStreamExt;
/// use ecom_stream::{Columns, Split, id_of_origin, read_csv};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let text = b"id\nsame\nsame\n".as_slice();
/// let batches: Vec<_> = read_csv(text, Split::new("csv", "a.csv"), Columns::any()).try_collect().await?;
/// let ids: Vec<_> = batches[0].records.iter().filter_map(|record| record.origin.as_ref())
///     .map(|origin| id_of_origin("events", origin))
///     .collect();
/// assert_ne!(ids[0], ids[1]);
/// # Ok(()) }
/// ```
pub fn id_of_origin(pipeline: &str, origin: &Origin) -> Uuid {
    let mut name = joined([pipeline, origin.split.source(), origin.split.path()]);
    name.extend_from_slice(&origin.split.generation().to_be_bytes());
    name.extend_from_slice(&origin.record.to_be_bytes());
    Uuid::new_v5(&NAMESPACE, &name)
}

/// The event id of a record without an identifier, made from its content.
pub(crate) fn id_of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Uuid {
    Uuid::new_v5(&NAMESPACE, &joined(parts))
}

/// The parts in one byte string, each after its length in 8 bytes. So `("a", "bc")` and `("ab", "c")` give different strings.
fn joined<'a>(parts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut joined = Vec::with_capacity(256);
    for text in parts {
        // The length makes ("a", "bc") and ("ab", "c") different.
        joined.extend_from_slice(&(text.len() as u64).to_be_bytes());
        joined.extend_from_slice(text.as_bytes());
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;

    use super::*;
    use crate::contract::Split;

    #[test]
    fn another_place_gives_another_id() {
        let mut ids = HashSet::new();
        let mut places = 0;
        for (pipeline, source, path) in [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd")] {
            for generation in [0, 1] {
                for record in [1, 2] {
                    let origin = Origin {
                        split: Split::with_generation(source, path, generation),
                        record,
                        byte_offset: 0,
                        raw: Bytes::new(),
                    };
                    ids.insert(id_of_origin(pipeline, &origin));
                    assert_eq!(id_of_origin(pipeline, &origin), id_of_origin(pipeline, &origin));
                    places += 1;
                }
            }
        }
        assert_eq!(ids.len(), places);
    }

    #[test]
    fn ids_never_change() {
        // With other ids, stored events would be stored again.
        assert_eq!(
            id_of_text("order-1").to_string(),
            "3727b459-22e3-5a60-9305-91255e9bbb6f"
        );
    }
}
