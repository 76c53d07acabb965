//! Request parameters of the token endpoint: from a bounded body to names and values, each name once.
//!
//! Owns the reading and decoding. It does not know what the parameters mean.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::encoding::hex_digit;
use crate::profile::BodyFormat;

/// A token request has a few hundred bytes; 16 KiB leaves room for long scopes and none for a flood.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Long enough for a request over any network that this stand-in serves, short enough not to collect half-open ones.
const BODY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why no parameters could be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not a body of the declared format; says why.
    Malformed(&'static str),
    /// A parameter more than once (RFC 6749 §3.2).
    Repeated,
    /// The body did not end in time.
    Slow,
    /// The body is larger than allowed, or broke off.
    TooLarge,
    /// A media type that the endpoint does not take.
    UnknownFormat,
}

/// Names and values, each name once, no value empty.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads the parameters from a body of one of the formats.
    pub(super) async fn read(
        headers: &HeaderMap,
        body: Body,
        formats: &[BodyFormat],
    ) -> Result<Self, Unreadable> {
        let format = body_format(headers)
            .filter(|format| formats.contains(format))
            .ok_or(Unreadable::UnknownFormat)?;
        let bytes = read_bounded(headers, body).await?;
        let pairs = match format {
            BodyFormat::Form => form_pairs(&bytes)?,
            BodyFormat::Json => {
                serde_json::from_slice::<JsonPairs>(&bytes)
                    .map_err(|_| Unreadable::Malformed("the body is no JSON object of strings"))?
                    .0
            }
        };
        Self::from_pairs(pairs)
    }

    /// RFC 6749 §3.2: a parameter must not appear twice, and one without a value counts as absent.
    fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, Unreadable> {
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Unreadable::Repeated);
            }
        }
        Ok(Self(
            pairs
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        ))
    }
}

fn body_format(headers: &HeaderMap) -> Option<BodyFormat> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = value.split(';').next()?.trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Some(BodyFormat::Form)
    } else if media_type.eq_ignore_ascii_case("application/json") {
        Some(BodyFormat::Json)
    } else {
        None
    }
}

async fn read_bounded(headers: &HeaderMap, body: Body) -> Result<Bytes, Unreadable> {
    // A declared length is believed at once, so that a large body is refused before it is sent.
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Unreadable::TooLarge);
    }
    match tokio::time::timeout(BODY_WAIT_MAX, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Unreadable::TooLarge),
        Err(_) => Err(Unreadable::Slow),
    }
}

fn form_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Unreadable> {
    let body =
        std::str::from_utf8(body).map_err(|_| Unreadable::Malformed("the body is not UTF-8"))?;
    body.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((form_decoded(name)?, form_decoded(value)?))
        })
        .collect::<Option<_>>()
        .ok_or(Unreadable::Malformed(
            "the body has a broken percent-encoding",
        ))
}

/// `application/x-www-form-urlencoded` of one name or value (RFC 6749 appendix B); `None` where it is broken.
pub(super) fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => (hex_digit(rest.next()?)? << 4) | hex_digit(rest.next()?)?,
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The members of a JSON object in order, repeated ones included, which a map would hide.
struct JsonPairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for JsonPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = JsonPairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonPairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(JsonPairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn form_headers() -> HeaderMap {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded;charset=UTF-8");
        HeaderMap::from_iter([(header::CONTENT_TYPE, form)])
    }

    #[tokio::test]
    async fn a_body_of_undeclared_length_is_bounded() {
        for (length, expected) in [
            (BODY_BYTES_MAX, None),
            (BODY_BYTES_MAX + 1, Some(Unreadable::TooLarge)),
        ] {
            let body = Body::from("a".repeat(length));
            let read = Parameters::read(&form_headers(), body, &[BodyFormat::Form]).await;
            assert_eq!(read.err(), expected, "{length} bytes");
        }
    }

    #[test]
    fn form_text_is_decoded_or_refused() {
        for (text, expected) in [
            ("a+b%20c", Some("a b c")),
            ("%C3%a9", Some("é")),
            ("%2", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(form_decoded(text).as_deref(), expected, "{text}");
        }
    }
}
