//! A hash of the encoded shape of a type, by which an operator recognizes state that was written with other types.
//!
//! `postcard` stores no names and no types: an `i64` can be read where a `u64` was written, and a pair where two fields were.
//! So the state of an operator has the hash of its key and state types in its [`OperatorEntry`](super::OperatorEntry), and a
//! start with other types is refused instead of computing nonsense.
//!
//! The shape is found without a value of the type: [`Trace`] is a deserializer that gives the type the simplest value of
//! whatever it asks for, and writes down what it asked for, one letter a part:
//!
//! ```text
//! (String, Option<i32>, Vec<(u32, bool)>)   s?i[ub]
//! ```

use std::hash::Hasher;

use serde::de::value::Error as Stop;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use siphasher::sip::SipHasher13;

use crate::contract::{Error, ErrorKind, Result, StateChange};

/// Returns a hash of the encoded shape of `T`. Names of types and fields make no difference, nor do integer widths that are
/// encoded alike.
///
/// Returns [`UNKNOWN`] for a type whose shape can't be found: one that accepts only certain values, or contains itself.
pub(crate) fn schema_hash<T: DeserializeOwned>() -> u64 {
    let (parts, is_whole) = trace::<T>();
    if !is_whole {
        return UNKNOWN;
    }
    let mut hasher = SipHasher13::new();
    hasher.write(parts.as_bytes());
    hasher.finish()
}

/// The hash of an unknown shape. It matches every other hash.
const UNKNOWN: u64 = 0;

/// Checks that state with the schema hash `was` can be read by an operator with the schema hash `is`. `entry` is an entry of
/// that state, which names the operator.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if both hashes are known and differ.
pub(crate) fn check_schema(entry: &StateChange, was: u64, is: u64) -> Result<()> {
    if was == is || was == UNKNOWN || is == UNKNOWN {
        return Ok(());
    }
    let message = format!(
        "the state of operator {:?} was written with other types",
        entry.operator
    );
    Err(Error::new(ErrorKind::Configuration, message)
        .hint("the type of its key, its state or its aggregate has changed. Change it back, or give the operator another name to start with an empty state"))
}

/// The parts that a type asks for, and whether it could be deserialized to its end.
fn trace<T: DeserializeOwned>() -> (String, bool) {
    let mut parts = String::new();
    let trace = Trace {
        parts: &mut parts,
        depth: 0,
    };
    let is_whole = T::deserialize(trace).is_ok();
    (parts, is_whole)
}

/// A deserializer that gives a type the simplest values that it asks for, and writes down which it asked for.
struct Trace<'a> {
    parts: &'a mut String,
    depth: u8,
}

/// How deep types may be nested. A type that contains itself would never end.
const MAX_DEPTH: u8 = 32;

impl Trace<'_> {
    fn inner(&mut self) -> Result<Trace<'_>, Stop> {
        if self.depth == MAX_DEPTH {
            return Err(Stop::custom("the type contains itself"));
        }
        Ok(Trace {
            parts: self.parts,
            depth: self.depth + 1,
        })
    }
}

macro_rules! plain {
    ($($ask:ident $part:literal $give:ident $value:expr;)*) => {
        $(fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.parts.push($part);
            visitor.$give($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Trace<'_> {
    type Error = Stop;

    // One letter for each encoding: integers share one by sign, except for single bytes. The value is 1, since types that
    // accept only certain numbers more often refuse 0.
    plain! {
        deserialize_bool 'b' visit_bool false;
        deserialize_i8 'z' visit_i8 1;
        deserialize_i16 'i' visit_i16 1;
        deserialize_i32 'i' visit_i32 1;
        deserialize_i64 'i' visit_i64 1;
        deserialize_i128 'i' visit_i128 1;
        deserialize_u8 'y' visit_u8 1;
        deserialize_u16 'u' visit_u16 1;
        deserialize_u32 'u' visit_u32 1;
        deserialize_u64 'u' visit_u64 1;
        deserialize_u128 'u' visit_u128 1;
        deserialize_f32 'f' visit_f32 1.0;
        deserialize_f64 'd' visit_f64 1.0;
        deserialize_char 's' visit_char '1';
        deserialize_str 's' visit_str "1";
        deserialize_string 's' visit_str "1";
        deserialize_identifier 's' visit_str "1";
        // 16 bytes, as many as a UUID has.
        deserialize_bytes 'x' visit_bytes &[1; 16];
        deserialize_byte_buf 'x' visit_bytes &[1; 16];
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("postcard can't read a type that doesn't say what it is"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.parts.push('?');
        visitor.visit_some(self.inner()?)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(mut self, _: &str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self.inner()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.parts.push('[');
        let value = visitor.visit_seq(Parts::new(self.inner()?, 1))?;
        self.parts.push(']');
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.parts.push('[');
        let value = visitor.visit_map(Parts::new(self.inner()?, 1))?;
        self.parts.push(']');
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, parts: usize, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(Parts::new(self.inner()?, parts))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &str, parts: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_tuple(parts, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.parts.push('(');
        let value = visitor.visit_enum(self.inner()?)?;
        self.parts.push(')');
        Ok(value)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Gives the parts of a tuple, or the elements of a sequence or a map: `left` of them.
struct Parts<'a> {
    trace: Trace<'a>,
    left: usize,
}

impl<'a> Parts<'a> {
    fn new(trace: Trace<'a>, left: usize) -> Self {
        Self { trace, left }
    }

    fn next(&mut self) -> Option<Trace<'_>> {
        self.left = self.left.checked_sub(1)?;
        Some(Trace {
            parts: self.trace.parts,
            depth: self.trace.depth,
        })
    }
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        self.next().map(|trace| seed.deserialize(trace)).transpose()
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        self.next().map(|trace| seed.deserialize(trace)).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.trace.inner()?)
    }
}

/// Gives the first variant of an enum. The others do not take part in the shape.
impl<'de> EnumAccess<'de> for Trace<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        let variant = seed.deserialize(IntoDeserializer::<Stop>::into_deserializer(0_u32))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Trace<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, parts: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_tuple(parts, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::operators::aggregate::{Aggregate, ApproxDistinct, Count, Mean, Sum};

    #[derive(Serialize, Deserialize)]
    struct Cart {
        user: String,
        cents: Option<i64>,
        items: Vec<(u32, bool)>,
    }

    #[derive(Serialize, Deserialize)]
    struct Basket(String, Option<i32>, Vec<(u64, bool)>);

    #[derive(Serialize, Deserialize)]
    struct List {
        value: u64,
        rest: Option<Box<List>>,
    }

    #[derive(Serialize, Deserialize)]
    enum Step {
        Begun(u64),
        #[allow(dead_code, reason = "only the first variant is traced")]
        Done,
    }

    #[test]
    fn the_schema_lists_what_is_encoded() {
        let whole = |parts: &str| (parts.to_owned(), true);
        assert_eq!(trace::<Cart>(), whole("s?i[ub]"));
        assert_eq!(trace::<Basket>(), trace::<Cart>());
        assert_eq!(trace::<(Step, BTreeMap<String, f64>)>(), whole("(u)[sd]"));
        assert_eq!(trace::<((), uuid::Uuid, u8)>(), whole("xy"));
        assert!(trace::<crate::event::Event>().1);
    }

    #[test]
    fn the_schema_of_an_event_is_that_of_the_first_version() {
        // State is recognized by its hash, so it must never change.
        let (time, texts) = ("iuyyyuzzz", "sss?s?s?s");
        let first = format!("x{time}(){texts}?ii?{time}?s");
        assert_eq!(trace::<crate::event::Event>(), (first, true));
        assert_eq!(trace::<crate::event::EventType>(), ("()".to_owned(), true));
    }

    #[test]
    fn an_unknown_schema_matches_any_other() {
        let (parts, is_whole) = trace::<List>();
        assert!(parts.starts_with("u?u?u?") && !is_whole);
        let entry = StateChange {
            operator: "lists".into(),
            key: Vec::new(),
            format: 1,
            value: None,
        };
        let (list, count) = (schema_hash::<List>(), schema_hash::<u64>());
        check_schema(&entry, list, count).unwrap();
        check_schema(&entry, count, list).unwrap();
        check_schema(&entry, count, schema_hash::<i64>()).unwrap_err();
    }

    #[test]
    fn aggregates_with_different_accumulators_have_different_hashes() {
        fn acc<A: Aggregate<i64>>(_: A) -> u64 {
            schema_hash::<A::Acc>()
        }
        let layouts = [
            acc(Count),
            acc(Sum::of(|n: &i64| *n)),
            acc(Sum::of(|n: &i64| *n as f64)),
            acc(Mean::of(|n: &i64| *n as f64)),
            acc(ApproxDistinct::of(|n: &i64| *n)),
            acc((Count, Count)),
        ];
        for (at, layout) in layouts.iter().enumerate() {
            assert!(!layouts[..at].contains(layout), "{at}");
        }
    }
}
