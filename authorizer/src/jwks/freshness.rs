//! How long a fetched key set counts as fresh, from the answer's `Cache-Control` and `Age` (RFC 9111).

use std::time::Duration;

use http::{HeaderMap, header};

/// Age up to which a set is used without asking again, if the issuer says nothing: what Envoy, jwks-rsa and
/// express-oauth2-jwt-bearer use. With the stale bound it is also the time after which a withdrawn key no longer works.
const DEFAULT_MAX_AGE: Duration = Duration::from_mins(10);

/// Lower bound of what the issuer may ask for: `no-store` or `max-age=0` must not mean a fetch for each request.
const MIN_MAX_AGE: Duration = Duration::from_mins(1);

/// Upper bound of what the issuer may ask for: a withdrawn key must stop working, whatever the issuer's cache settings
/// say. API Gateway's own JWT authorizer for REST APIs keeps keys for at most an hour, too.
const MAX_MAX_AGE: Duration = Duration::from_hours(1);

/// The time for which an answer with these headers is fresh.
pub(super) fn max_age(headers: &HeaderMap) -> Duration {
    let mut max_age = None;
    let directives = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for directive in directives {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return MIN_MAX_AGE;
        }
        if name.eq_ignore_ascii_case("max-age") {
            // An invalid age makes the answer stale (RFC 9111 §4.2.1).
            max_age = Some(seconds(argument).unwrap_or_default());
        }
    }
    let Some(max_age) = max_age else {
        return DEFAULT_MAX_AGE;
    };
    let age = headers
        .get(header::AGE)
        .and_then(|value| value.to_str().ok())
        .and_then(seconds)
        .unwrap_or_default();
    max_age.saturating_sub(age).clamp(MIN_MAX_AGE, MAX_MAX_AGE)
}

/// Delta-seconds, possibly quoted (RFC 9111 §1.2.2).
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim().trim_matches('"');
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuers_wish_counts_within_bounds() {
        let cases: [(&[(&str, &str)], u64); 11] = [
            (&[], 600),
            (&[("cache-control", "public")], 600),
            (&[("cache-control", "public, max-age=300")], 300),
            (&[("cache-control", "Max-Age=\"300\"")], 300),
            (&[("cache-control", "max-age=300"), ("age", "100")], 200),
            (&[("cache-control", "max-age=300"), ("age", "4000")], 60),
            (&[("cache-control", "max-age=1")], 60),
            (&[("cache-control", "max-age=31536000")], 3600),
            (&[("cache-control", "max-age=x")], 60),
            (&[("cache-control", "max-age=300, no-store")], 60),
            (
                &[
                    ("cache-control", "max-age=300"),
                    ("cache-control", "no-cache"),
                ],
                60,
            ),
        ];
        for (fields, expected_s) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(
                max_age(&headers),
                Duration::from_secs(expected_s),
                "{fields:?}"
            );
        }
    }
}
