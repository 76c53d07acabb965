//! `ETag` and `Last-Modified` of a document, and the conditions that they make.

use http::{HeaderMap, HeaderValue, Uri, header};

/// Longest `ETag` or `Last-Modified` that is kept. Real ones have at most 70 bytes, the hex text of a SHA-256 in quotes
/// with a weakness mark; without the bound, an answer's header could be as long as the HTTP reader's buffer.
const MAX_VALIDATOR_BYTES: usize = 256;

/// With what an issuer can be asked whether a document changed (RFC 9110 §8.8).
#[derive(Debug, Clone, Default)]
pub(in crate::jwks) struct Validators {
    /// Where the document came from: a validator means nothing elsewhere.
    uri: Option<Uri>,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Validators {
        Validators {
            uri: Some(uri.clone()),
            etag: kept(headers, &header::ETAG),
            last_modified: kept(headers, &header::LAST_MODIFIED),
        }
    }

    pub(super) fn updated(&self, headers: &HeaderMap) -> Validators {
        Validators {
            uri: self.uri.clone(),
            etag: kept(headers, &header::ETAG).or_else(|| self.etag.clone()),
            last_modified: kept(headers, &header::LAST_MODIFIED)
                .or_else(|| self.last_modified.clone()),
        }
    }

    /// Both conditions are sent where both are known; an issuer that understands the first ignores the second
    /// (RFC 9110 §13.1.3).
    pub(super) fn conditions(&self, uri: &Uri) -> HeaderMap {
        let mut conditions = HeaderMap::new();
        if self.uri.as_ref() != Some(uri) {
            return conditions;
        }
        if let Some(etag) = &self.etag {
            conditions.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(last_modified) = &self.last_modified {
            conditions.insert(header::IF_MODIFIED_SINCE, last_modified.clone());
        }
        conditions
    }
}

fn kept(headers: &HeaderMap, name: &header::HeaderName) -> Option<HeaderValue> {
    headers
        .get(name)
        .filter(|value| value.len() <= MAX_VALIDATOR_BYTES)
        .cloned()
}
