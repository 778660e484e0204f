use uuid::Uuid;

use crate::contract::Origin;

/// The namespace of the identifiers that are made here. Changing it would make every event of the past another one.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b1f_3c0e_7a3d_5e52_9d0c_0d7a_4f2e_61c8);

/// The event id for a producer's own identifier that is not a UUID: the same text gives the same id everywhere.
pub fn id_of_text(text: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// The event id of a record that has none, made of where it stands: reading the same file again gives the same id.
pub fn id_of_origin(pipeline: &str, origin: &Origin) -> Uuid {
    let mut name = joined([pipeline, origin.split.source(), origin.split.path()]);
    name.extend_from_slice(&origin.split.generation().to_be_bytes());
    name.extend_from_slice(&origin.record.to_be_bytes());
    Uuid::new_v5(&NAMESPACE, &name)
}

/// The event id of a record that has none, made of what it says.
pub(crate) fn id_of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Uuid {
    Uuid::new_v5(&NAMESPACE, &joined(parts))
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut joined = Vec::with_capacity(256);
    for text in parts {
        // The length in front keeps ("a", "bc") and ("ab", "c") apart.
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
    fn every_part_of_the_place_counts() {
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
        // Stored events would come in again under other ids.
        assert_eq!(
            id_of_text("order-1").to_string(),
            "3727b459-22e3-5a60-9305-91255e9bbb6f"
        );
    }
}
