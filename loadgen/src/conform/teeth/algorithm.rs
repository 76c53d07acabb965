//! Which algorithm a header names, to a verifier that has RS256 alone in its list.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::flaw::Flaw;

/// Whether the signature is looked at; the error is the status of a refusal.
///
/// Two readers look at a header, one that asks whether the algorithm is allowed and one that verifies by it. Where the name is
/// there twice, they may read two algorithms.
pub(super) fn is_signed(flaw: Flaw, header: &str) -> Result<bool, u16> {
    let names = named(header).ok_or(401_u16)?.0;
    let (Some(first), Some(last)) = (names.first(), names.last()) else {
        return Err(401);
    };
    let (allowed, used) = match flaw {
        Flaw::FirstOfTwo => (last, first),
        Flaw::LastOfTwo => (first, last),
        Flaw::PutsUpWithMuch => (last, last),
        _ if names.len() > 1 => return Err(401),
        _ => (first, first),
    };
    if allowed != "RS256" {
        return Err(401);
    }
    Ok(used != "none")
}

fn named(header: &str) -> Option<Algorithms> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

/// The values of all members called `alg`, in order.
struct Algorithms(Vec<String>);

impl<'de> Deserialize<'de> for Algorithms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Algorithms;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Algorithms, A::Error> {
        let mut values = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == "alg" {
                values.push(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Algorithms(values))
    }
}
