//! How long a fetched key set counts as fresh, from the answer's `Cache-Control` and `Age` (RFC 9111).

use std::time::Duration;

use http::{HeaderMap, header};

use super::limits::KeySettings;

/// The time for which an answer with these headers is fresh: what the issuer wishes within bounds, or `unstated`.
pub(super) fn max_age(headers: &HeaderMap, settings: &KeySettings, unstated: Duration) -> Duration {
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
            return settings.min_max_age;
        }
        if name.eq_ignore_ascii_case("max-age") {
            // An invalid age makes the answer stale (RFC 9111 §4.2.1).
            max_age = Some(seconds(argument).unwrap_or_default());
        }
    }
    let Some(max_age) = max_age else {
        return unstated;
    };
    let age = headers
        .get(header::AGE)
        .and_then(|value| value.to_str().ok())
        .and_then(seconds)
        .unwrap_or_default();
    max_age
        .saturating_sub(age)
        .clamp(settings.min_max_age, settings.max_max_age)
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
        let settings = KeySettings::default();
        for (fields, expected_s) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(
                max_age(&headers, &settings, settings.default_max_age),
                Duration::from_secs(expected_s),
                "{fields:?}"
            );
        }
    }
}
