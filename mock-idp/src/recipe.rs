//! What to mint, as data: the baseline token of a profile with named changes.
//!
//! Owns the format and its errors. It mints nothing and fills in nothing; [`crate::Minter`] does.

mod encrypt;
mod sign;
mod tamper;
mod text_encoding;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use encrypt::{EncryptedContent, Encryption, KeyEncryption};
pub use sign::{EncodedMessage, HmacHash, PublicKeyForm, RsaScheme, Secret, Sign, SpecialInteger};
pub use tamper::{JwsSerialization, Tamper, TokenPart};
pub use text_encoding::TextEncoding;

use crate::encoding::from_hex;

/// What to mint. The default is the profile's baseline token.
///
/// As text (TOML or JSON), unknown members are refused:
///
/// - `header`, `claims`: merged into the baseline, member by member. `"$absent"` removes a member, `"$null"` is JSON
///   null, `"$now"`, `"$now+300"`, `"$now-3600"`, `"$now+300.5"` are `NumericDate`s, `"$attacker_jwk"` and `"$issuer_jwk"`
///   are the public keys, `"$fill:2000"` is a text of that many `x`, and `"$$…"` is a literal text that starts with one
///   `$`. `{issuer}`, `{audience}`, `{scope}`, `{client_id}`, `{kid}`, `{attacker_kid}`, `{jwks_uri}`, `{now}`,
///   `{now+300}` are filled in inside strings and member names, at any depth.
/// - `header_text` or `header_hex` instead of `header`, `payload_text` or `payload_hex` instead of `claims`: the exact
///   bytes, the placeholders filled in in the text forms. `payload_encoding`: see [`TextEncoding`].
/// - `sign`: see [`Sign`]. `tamper`: a list of [`Tamper`], applied in order.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "RecipeText")]
pub struct Recipe {
    /// The JOSE header.
    pub header: PartSource,
    /// The payload.
    pub payload: PartSource,
    /// How the payload's text becomes bytes.
    pub payload_encoding: TextEncoding,
    /// Who signs, and how.
    pub sign: Sign,
    /// What is done to the token afterwards, in order.
    pub tamper: Vec<Tamper>,
}

impl Recipe {
    /// The same for an issuer that has changed to its next key: signed by that, and with its `kid`. A recipe that says
    /// itself who signs or which key is named stays as it is.
    #[must_use]
    pub fn by_next_key(&self) -> Self {
        let mut recipe = self.clone();
        if let (Sign::Issuer, PartSource::Merge(header)) = (&self.sign, &mut recipe.header)
            && !header.contains_key("kid")
        {
            header.insert("kid".to_owned(), Value::String("{next_kid}".to_owned()));
            recipe.sign = Sign::Next;
        }
        recipe
    }

    /// For how many seconds a token of it lives from its minting on, at an issuer whose tokens live `lifetime_s`. `None` where
    /// that cannot be told before it is minted.
    pub fn lives_s(&self, lifetime_s: u32) -> Option<i64> {
        let PartSource::Merge(claims) = &self.payload else {
            return None;
        };
        match claims.get("exp") {
            None => Some(lifetime_s.into()),
            // A fraction of a second is not worth telling.
            Some(Value::String(text)) => text.strip_prefix("$now")?.split('.').next()?.parse().ok(),
            Some(_) => None,
        }
    }

    /// Whether the token, before its tampers, is just as the issuer makes it.
    pub(crate) fn is_of_the_issuer(&self) -> bool {
        let untouched = |part: &PartSource| *part == PartSource::default();
        self.sign == Sign::Issuer
            && untouched(&self.header)
            && untouched(&self.payload)
            && self.payload_encoding == TextEncoding::Utf8
    }
}

/// Where the bytes of the header or of the payload come from.
#[derive(Clone, Debug, PartialEq)]
pub enum PartSource {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// The baseline with these members changed.
    Merge(Map<String, Value>),
    /// Exactly this text, its placeholders filled in.
    Text(String),
}

impl Default for PartSource {
    fn default() -> Self {
        Self::Merge(Map::new())
    }
}

/// Why a recipe that parses as TOML or JSON is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Two members say where the same bytes come from.
    #[error("`{0}` and `{1}` exclude each other: give one of them")]
    Exclusive(&'static str, &'static str),
    /// The text is no pairs of hexadecimal digits.
    #[error("`{0}` must be pairs of hexadecimal digits")]
    Hex(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeText {
    header: Option<Map<String, Value>>,
    header_text: Option<String>,
    header_hex: Option<String>,
    claims: Option<Map<String, Value>>,
    payload_text: Option<String>,
    payload_hex: Option<String>,
    #[serde(default)]
    payload_encoding: TextEncoding,
    #[serde(default)]
    sign: Sign,
    #[serde(default)]
    tamper: Vec<Tamper>,
}

impl TryFrom<RecipeText> for Recipe {
    type Error = RecipeError;

    fn try_from(text: RecipeText) -> Result<Self, RecipeError> {
        if text.payload_hex.is_some() && text.payload_encoding != TextEncoding::Utf8 {
            return Err(RecipeError::Exclusive("payload_hex", "payload_encoding"));
        }
        Ok(Self {
            payload_encoding: text.payload_encoding,
            header: part_source(
                ("header", text.header),
                ("header_text", text.header_text),
                ("header_hex", text.header_hex),
            )?,
            payload: part_source(
                ("claims", text.claims),
                ("payload_text", text.payload_text),
                ("payload_hex", text.payload_hex),
            )?,
            sign: text.sign,
            tamper: text.tamper,
        })
    }
}

fn part_source(
    merge: (&'static str, Option<Map<String, Value>>),
    text: (&'static str, Option<String>),
    hex: (&'static str, Option<String>),
) -> Result<PartSource, RecipeError> {
    match (merge.1, text.1, hex.1) {
        (Some(_), Some(_), _) => Err(RecipeError::Exclusive(merge.0, text.0)),
        (Some(_), _, Some(_)) => Err(RecipeError::Exclusive(merge.0, hex.0)),
        (_, Some(_), Some(_)) => Err(RecipeError::Exclusive(text.0, hex.0)),
        (Some(members), None, None) => Ok(PartSource::Merge(members)),
        (None, Some(exact), None) => Ok(PartSource::Text(exact)),
        (None, None, Some(digits)) => from_hex(&digits)
            .map(PartSource::Bytes)
            .ok_or(RecipeError::Hex(hex.0)),
        (None, None, None) => Ok(PartSource::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_token_lives_is_told_where_its_recipe_says_so() {
        let lives = |text: &str| {
            let recipe: Recipe = toml::from_str(text).expect(text);
            recipe.lives_s(600)
        };
        assert_eq!(lives(""), Some(600));
        assert_eq!(lives("claims = { exp = \"$now+60\" }"), Some(60));
        assert_eq!(lives("claims = { exp = \"$now+60.5\" }"), Some(60));
        assert_eq!(lives("claims = { exp = \"$now-60\" }"), Some(-60));
        assert_eq!(lives("claims = { exp = \"text\" }"), None);
        assert_eq!(lives("payload_text = \"{}\""), None);
    }
}
