//! Reading of JSON objects that an attacker may have written: the JOSE header, the claims, a JWK, the event.
//!
//! Owns the rules that `serde_json` leaves open: duplicate names are refused at any depth (RFC 7515 §4, RFC 7519 §4),
//! nesting is bounded, and a member of an unexpected type is told apart from an absent one. It knows no member by name
//! and judges no value.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of arrays and objects that is read. Real tokens stay below 6 levels (Keycloak's `resource_access` is
/// 3); the bound keeps a stack frame per level affordable and lies below the 128 levels at which `serde_json` stops.
const MAX_DEPTH: usize = 32;

/// Up to this many names of one object are compared one by one; beyond, a hash set (randomly keyed, so that chosen names
/// cannot collide) keeps the cost of an object with thousands of members linear.
const FEW_NAMES: usize = 16;

/// What an object holds under one of the names that the caller asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Member<'a> {
    /// The name does not occur.
    Absent,
    /// A JSON number.
    Number(Number),
    /// Null, a boolean, an object, or an array that holds something else than strings.
    Other,
    /// A JSON string.
    Text(Cow<'a, str>),
    /// An array of nothing but strings, possibly empty.
    Texts(Vec<Cow<'a, str>>),
}

/// A JSON number as far as a `NumericDate` needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Float(f64),
    Integer(i64),
    /// An integer above `i64::MAX`.
    TooLarge,
}

/// Why a text is not an acceptable JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectFault {
    DuplicateName,
    NotAnObject,
    NotJson,
    TooDeep,
}

/// Reads `text` as one JSON object and returns what it holds under each of `names`, in their order.
///
/// Members under other names are skipped, but their content obeys the same rules.
pub(crate) fn read_object<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Result<[Member<'a>; N], ObjectFault> {
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let top_level = TopLevel {
        names,
        fault: &fault,
    };
    deserializer
        .deserialize_map(top_level)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| match fault.get() {
            Some(fault) => fault,
            None if error.is_data() => ObjectFault::NotAnObject,
            None => ObjectFault::NotJson,
        })
}

/// Where the reason is left when a visitor stops: serde's error type carries text only, and text is never compared.
type FaultCell = Cell<Option<ObjectFault>>;

fn stop<E: de::Error>(cell: &FaultCell, fault: ObjectFault) -> E {
    cell.set(Some(fault));
    E::custom("refused by the strict reader")
}

struct TopLevel<'n, 'f, const N: usize> {
    names: &'n [&'n str; N],
    fault: &'f FaultCell,
}

impl<'de, const N: usize> Visitor<'de> for TopLevel<'_, '_, N> {
    type Value = [Member<'de>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = [const { Member::Absent }; N];
        let mut others = SeenNames::default();
        while let Some(name) = map.next_key_seed(Name)? {
            if let Some(index) = self.names.iter().position(|wanted| *wanted == name) {
                if members[index] != Member::Absent {
                    return Err(stop(self.fault, ObjectFault::DuplicateName));
                }
                members[index] = map.next_value_seed(Keep {
                    depth: MAX_DEPTH,
                    fault: self.fault,
                })?;
            } else if others.insert(name) {
                map.next_value_seed(Skip {
                    depth: MAX_DEPTH,
                    fault: self.fault,
                })?;
            } else {
                return Err(stop(self.fault, ObjectFault::DuplicateName));
            }
        }
        Ok(members)
    }
}

/// The names of one object that were seen so far.
#[derive(Default)]
struct SeenNames<'a> {
    few: Vec<Cow<'a, str>>,
    rest: HashSet<Cow<'a, str>>,
}

impl<'a> SeenNames<'a> {
    /// Whether `name` was new.
    fn insert(&mut self, name: Cow<'a, str>) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < FEW_NAMES {
            self.few.push(name);
            return true;
        }
        self.rest.insert(name)
    }
}

/// A member name, borrowed from the text unless it holds an escape.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads a value that the caller asked for.
#[derive(Clone, Copy)]
struct Keep<'f> {
    depth: usize,
    fault: &'f FaultCell,
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Member<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Member<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Member::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Member::Number(Number::Integer(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        let number = i64::try_from(number).map_or(Number::TooLarge, Number::Integer);
        Ok(Member::Number(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Member::Number(Number::Float(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let inner = Keep {
            depth: descend(self.depth, self.fault)?,
            ..self
        };
        let mut texts = Vec::new();
        let mut only_texts = true;
        while let Some(element) = seq.next_element_seed(inner)? {
            match element {
                Member::Text(text) => texts.push(text),
                _ => only_texts = false,
            }
        }
        Ok(if only_texts {
            Member::Texts(texts)
        } else {
            Member::Other
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let skip = Skip {
            depth: self.depth,
            fault: self.fault,
        };
        skip.visit_map(map).map(|()| Member::Other)
    }
}

/// Reads past a value that nobody asked for.
#[derive(Clone, Copy)]
struct Skip<'f> {
    depth: usize,
    fault: &'f FaultCell,
}

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = Skip {
            depth: descend(self.depth, self.fault)?,
            ..self
        };
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = Skip {
            depth: descend(self.depth, self.fault)?,
            ..self
        };
        let mut seen = SeenNames::default();
        while let Some(name) = map.next_key_seed(Name)? {
            if !seen.insert(name) {
                return Err(stop(self.fault, ObjectFault::DuplicateName));
            }
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

fn descend<E: de::Error>(depth: usize, fault: &FaultCell) -> Result<usize, E> {
    depth
        .checked_sub(1)
        .ok_or_else(|| stop(fault, ObjectFault::TooDeep))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_apart() {
        let nested =
            |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let cases = [
            (r#"{"a":1,"a":1}"#.to_owned(), ObjectFault::DuplicateName),
            (
                r#"{"a":1,"\u0061":1}"#.to_owned(),
                ObjectFault::DuplicateName,
            ),
            (r#"{"x":1,"x":2}"#.to_owned(), ObjectFault::DuplicateName),
            (
                r#"{"x":[{"y":1,"y":1}]}"#.to_owned(),
                ObjectFault::DuplicateName,
            ),
            (
                r#"{"a":{"y":1,"y":1}}"#.to_owned(),
                ObjectFault::DuplicateName,
            ),
            (r#"["a"]"#.to_owned(), ObjectFault::NotAnObject),
            ("null".to_owned(), ObjectFault::NotAnObject),
            ("1".to_owned(), ObjectFault::NotAnObject),
            (r#""{}""#.to_owned(), ObjectFault::NotAnObject),
            (String::new(), ObjectFault::NotJson),
            ("{".to_owned(), ObjectFault::NotJson),
            ("{}{}".to_owned(), ObjectFault::NotJson),
            ("{a:1}".to_owned(), ObjectFault::NotJson),
            (r#"{"x":1e999}"#.to_owned(), ObjectFault::NotJson),
            (nested(MAX_DEPTH + 1), ObjectFault::TooDeep),
            (nested(10_000), ObjectFault::TooDeep),
        ];
        for (text, expected) in cases {
            assert_eq!(read_object(&text, &["a"]), Err(expected), "{text:.60}");
        }
        assert_eq!(
            read_object(&nested(MAX_DEPTH), &["a"]),
            Ok([Member::Absent])
        );
    }

    #[test]
    fn values_keep_their_type() {
        let text = r#"{"a":"t","b":["x","y"],"c":[],"d":["x",1],"e":null,"f":-1,"g":1.5,"h":18446744073709551615}"#;
        let members = read_object(text, &["a", "b", "c", "d", "e", "f", "g", "h", "i"]).unwrap();
        let expected = [
            Member::Text("t".into()),
            Member::Texts(vec!["x".into(), "y".into()]),
            Member::Texts(vec![]),
            Member::Other,
            Member::Other,
            Member::Number(Number::Integer(-1)),
            Member::Number(Number::Float(1.5)),
            Member::Number(Number::TooLarge),
            Member::Absent,
        ];
        assert_eq!(members, expected);
    }

    #[test]
    fn a_duplicate_is_found_among_thousands_of_names() {
        let many: Vec<String> = (0..2_000).map(|i| format!("\"n{i}\":0")).collect();
        let distinct = format!("{{{}}}", many.join(","));
        assert!(read_object(&distinct, &["a"]).is_ok());
        let repeated = format!("{{{},\"n1999\":0}}", many.join(","));
        assert_eq!(
            read_object(&repeated, &["a"]),
            Err(ObjectFault::DuplicateName)
        );
    }
}
