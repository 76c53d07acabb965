//! A TOKEN authorizer's settings: where the token is, what it must look like, how long its policy is kept.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use regex::bytes::{Regex, RegexBuilder};

use super::ApiError;

/// How long a policy is cached unless the API says otherwise: 300 s (documented).
pub const DEFAULT_TTL: Duration = Duration::from_mins(5);

/// The longest that a policy may be cached: 3,600 s (documented).
pub const MAX_TTL: Duration = Duration::from_hours(1);

/// The settings of a TOKEN authorizer.
#[derive(Debug, Clone)]
pub struct TokenAuthorizer {
    identity_source: HeaderName,
    validation_expression: Option<Regex>,
    ttl: Duration,
}

impl Default for TokenAuthorizer {
    fn default() -> Self {
        Self {
            identity_source: header::AUTHORIZATION,
            validation_expression: None,
            ttl: DEFAULT_TTL,
        }
    }
}

/// What a request says about its caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity<'a> {
    /// The value does not match the validation expression.
    Mismatch,
    /// No value, or an empty one, or more than one.
    Missing,
    /// The header's whole value, scheme included.
    Token(&'a [u8]),
}

impl TokenAuthorizer {
    /// How long a policy is cached; zero is off.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The header that holds the token.
    pub fn identity_source(&self) -> &str {
        self.identity_source.as_str()
    }

    pub(super) fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = ttl;
    }

    pub(super) fn set_identity_source(&mut self, header: &str) -> Result<(), ApiError> {
        self.identity_source = header
            .parse()
            .map_err(|_| ApiError::IdentitySource(header.to_owned()))?;
        Ok(())
    }

    /// The expression matches the whole value, as Java's `matches` does, and knows ASCII classes only.
    pub(super) fn set_validation_expression(&mut self, expression: &str) -> Result<(), ApiError> {
        let compiled = RegexBuilder::new(&format!(r"\A(?:{expression})\z"))
            .unicode(false)
            .build();
        self.validation_expression =
            Some(compiled.map_err(|source| ApiError::ValidationExpression {
                expression: expression.to_owned(),
                source: Box::new(source),
            })?);
        Ok(())
    }

    /// The token of a request. Two headers of the name are refused as none: which of them AWS takes is unknown, and a
    /// gateway that takes the other one than its back end lets a request in with somebody else's token.
    pub(crate) fn identify<'a>(&self, headers: &'a HeaderMap) -> Identity<'a> {
        let mut values = headers.get_all(&self.identity_source).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Identity::Missing;
        };
        let token = value.as_bytes();
        if token.trim_ascii().is_empty() {
            return Identity::Missing;
        }
        match &self.validation_expression {
            Some(expression) if !expression.is_match(token) => Identity::Mismatch,
            _ => Identity::Token(token),
        }
    }
}

/// A header's bytes as the text of an event: UTF-8, else Latin-1, the older reading of header fields (RFC 9110 section 5.5).
pub(crate) fn as_text(token: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(token) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(token.iter().map(|byte| char::from(*byte)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                header::AUTHORIZATION,
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn one_value_that_is_not_empty_is_a_token() {
        let authorizer = TokenAuthorizer::default();
        for (values, want) in [
            (&[][..], Identity::Missing),
            (&[&b""[..]], Identity::Missing),
            (&[b"  "], Identity::Missing),
            (&[b"a", b"b"], Identity::Missing),
            (&[b"Bearer x"], Identity::Token(b"Bearer x")),
            (&[b"\xff"], Identity::Token(b"\xff")),
        ] {
            assert_eq!(authorizer.identify(&headers(values)), want);
        }
        assert_eq!(as_text(b"\xff"), "\u{ff}");
    }

    #[test]
    fn the_validation_expression_must_match_the_whole_value() {
        let mut authorizer = TokenAuthorizer::default();
        authorizer
            .set_validation_expression(r"Bearer [-0-9a-zA-Z\._]+|Basic x")
            .unwrap();
        for (value, want) in [
            ("Bearer a.b_c", true),
            ("Basic x", true),
            ("Bearer ", false),
            ("Bearer a b", false),
            ("xBearer a", false),
            ("Bearer a|", false),
        ] {
            let matched = matches!(
                authorizer.identify(&headers(&[value.as_bytes()])),
                Identity::Token(_)
            );
            assert_eq!(matched, want, "{value}");
        }
        let error = authorizer
            .set_validation_expression("(?=x)")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`(?=x)`"), "{error}");
    }
}
