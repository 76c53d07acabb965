//! Reading of JSON objects that an attacker may have written: the JOSE header, the claims, a JWK, the event.
//!
//! Owns the rules that RFC 8259 leaves open: duplicate names are refused at any depth (RFC 7515 §4, RFC 7519 §4), nesting
//! is bounded, and a member of an unexpected type is told apart from an absent one. It knows no member by name and judges
//! no value.
//!
//! The reader is our own because it is on the hot path of every decision: one pass, nothing allocated unless a text holds
//! an escape, and duplicates found on the way. The tests hold it to `serde_json` on what is JSON and what is not.

mod reader;
mod wanted;

use std::borrow::Cow;

use reader::Reader;
pub(crate) use reader::first_special;
use wanted::Names;
pub(crate) use wanted::Wanted;

/// Deepest nesting of arrays and objects that is read. Real tokens stay below 6 levels (Keycloak's `resource_access` is
/// 3), and the bound keeps a stack frame per level affordable.
const MAX_DEPTH: usize = 32;

/// What an object holds under one of the names that the caller asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Member<'a> {
    /// The name does not occur.
    Absent,
    /// `true` or `false`.
    Bool(bool),
    /// A JSON number.
    Number(Number),
    /// A JSON object.
    Object(Members<'a>),
    /// Null, or an array that holds something else than strings.
    Other,
    /// A JSON string.
    Text(Cow<'a, str>),
    /// An array of nothing but strings, possibly empty.
    Texts(Texts<'a>),
}

/// A JSON number as far as a `NumericDate` needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Float(f64),
    Integer(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
}

/// An array of nothing but strings, kept as it is written: most are looked through once, and none needs a list of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Texts<'a>(&'a str);

impl<'a> Texts<'a> {
    /// The strings in their order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Cow<'a, str>> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || reader.next_text_of_array())
    }
}

/// An object inside of an object, kept as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Members<'a>(&'a str);

impl<'a> Members<'a> {
    /// The members in their order.
    pub(crate) fn iter(self) -> impl Iterator<Item = (Cow<'a, str>, Member<'a>)> {
        let mut reader = Reader::new(self.0);
        let mut first = reader.enter_object();
        std::iter::from_fn(move || reader.next_member(&mut first))
    }
}

/// Why a text is not an acceptable JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// As wide as a register, for the reason that `Rejection` has.
#[repr(usize)]
pub(crate) enum ObjectFault {
    DuplicateName,
    NotAnObject,
    NotJson,
    TooDeep,
}

/// Reads `text` as one JSON object and returns what it holds under each of the names, in their order.
///
/// Members under other names are skipped, but their content obeys the same rules.
pub(crate) fn read_object<'a, const N: usize>(
    text: &'a str,
    names: &Wanted<N>,
) -> Result<[Member<'a>; N], ObjectFault> {
    let mut members = [const { Member::Absent }; N];
    read_in_place(text, names, &mut members)?;
    Ok(members)
}

/// The same for names that are known at run time only.
pub(crate) fn read_members<'a>(
    text: &'a str,
    names: &[String],
) -> Result<Vec<Member<'a>>, ObjectFault> {
    let mut members = vec![Member::Absent; names.len()];
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let marks: Vec<_> = names.iter().map(|name| wanted::mark(name)).collect();
    read_into(text, Names::new(&names, &marks), &mut members)?;
    Ok(members)
}

/// The same into members that are there already, all of them absent.
pub(crate) fn read_in_place<'a, const N: usize>(
    text: &'a str,
    names: &Wanted<N>,
    members: &mut [Member<'a>; N],
) -> Result<(), ObjectFault> {
    read_into(text, names.names(), members)
}

fn read_into<'a>(
    text: &'a str,
    names: Names<'_>,
    members: &mut [Member<'a>],
) -> Result<(), ObjectFault> {
    let mut reader = Reader::new(text);
    reader.top_level(names, members)?;
    reader.end()
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
            assert_eq!(
                read_object(&text, &Wanted::new(["a"])),
                Err(expected),
                "{text:.60}"
            );
        }
        assert_eq!(
            read_object(&nested(MAX_DEPTH), &Wanted::new(["a"])),
            Ok([Member::Absent])
        );
    }

    #[test]
    fn values_keep_their_type() {
        let text = r#"{"a":"t","b":["x","y"],"c":[],"d":["x",1],"e":null,"f":-1,"g":1.5,"h":18446744073709551615}"#;
        let members = read_object(
            text,
            &Wanted::new(["a", "b", "c", "d", "e", "f", "g", "h", "i"]),
        )
        .unwrap();
        let expected = [
            Member::Text("t".into()),
            Member::Texts(Texts(r#"["x","y"]"#)),
            Member::Texts(Texts("[]")),
            Member::Other,
            Member::Other,
            Member::Number(Number::Integer(-1)),
            Member::Number(Number::Float(1.5)),
            Member::Number(Number::Large(u64::MAX)),
            Member::Absent,
        ];
        assert_eq!(members, expected);
    }

    #[test]
    fn a_duplicate_is_found_among_thousands_of_names() {
        let many: Vec<String> = (0..2_000).map(|i| format!("\"n{i}\":0")).collect();
        let distinct = format!("{{{}}}", many.join(","));
        assert!(read_object(&distinct, &Wanted::new(["a"])).is_ok());
        let repeated = format!("{{{},\"n1999\":0}}", many.join(","));
        assert_eq!(
            read_object(&repeated, &Wanted::new(["a"])),
            Err(ObjectFault::DuplicateName)
        );
    }

    #[test]
    fn an_array_of_texts_is_read_as_it_is_written() {
        let text = r#"{"a":[ "x" , "\u0079\n","" ] }"#;
        let [Member::Texts(texts)] = read_object(text, &Wanted::new(["a"])).unwrap() else {
            panic!("expected texts");
        };
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["x", "y\n", ""]);
    }

    /// What is JSON and what is not, by the second opinion of `serde_json`: every text of a few characters over an alphabet
    /// that reaches each rule of the grammar, as a member's value.
    #[test]
    fn the_reader_and_serde_json_agree_on_what_is_json() {
        let pieces = [
            "0", "1", "-", ".", "e", "+", "E2", "\"", "a", "\\", "\\u00", "e9", "\\ud83d",
            "\\ude00", "[", "]", "{", "}", ",", ":", " ", "\t", "true", "null", "\u{1}", "é",
        ];
        let mut agreed = 0;
        for length in 1..=4_u32 {
            for number in 0..pieces.len().pow(length) {
                let mut rest = number;
                let mut value = String::new();
                for _ in 0..length {
                    value.push_str(pieces[rest % pieces.len()]);
                    rest /= pieces.len();
                }
                let text = format!("{{\"x\":{value}}}");
                let ours = match read_object(&text, &Wanted::new(["x"])) {
                    Ok(_) | Err(ObjectFault::DuplicateName | ObjectFault::TooDeep) => true,
                    Err(ObjectFault::NotJson | ObjectFault::NotAnObject) => false,
                };
                let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
                assert_eq!(ours, theirs, "{text}");
                agreed += u32::from(ours);
            }
        }
        assert!(agreed > 1_000, "only {agreed} texts were JSON");
    }
}
