//! An issuer identifier, the addresses of its metadata, and the addresses that its keys may have.

use http::Uri;
use thiserror::Error;
use url::{Host, Url};

/// Why a text is not an issuer whose metadata can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// A query or a fragment (RFC 8414 §2).
    #[error("the issuer has a query or a fragment")]
    HasQueryOrFragment,
    /// Not a URL with a host, or one with a user name.
    #[error("the issuer is not a URL with a host and without a user name")]
    NotAUrl,
    /// Metadata over plain HTTP could be anybody's.
    #[error("the issuer must start with https:// (http:// only for a loopback host)")]
    NotHttps,
}

/// An issuer identifier that can be resolved to metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    pub(in crate::jwks) metadata: [Uri; 2],
    pub(in crate::jwks) is_loopback: bool,
}

impl Issuer {
    /// Checks an issuer identifier (RFC 8414 §2). The text is kept as it is, because it is compared byte by byte.
    pub fn parse(text: &str) -> Result<Issuer, IssuerError> {
        let url = Url::parse(text).map_err(|_| IssuerError::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() || !url.has_host() {
            return Err(IssuerError::NotAUrl);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(IssuerError::HasQueryOrFragment);
        }
        let is_loopback = is_plain_loopback(&url);
        if url.scheme() != "https" && !is_loopback {
            return Err(IssuerError::NotHttps);
        }
        // "Any terminating / MUST be removed" (OpenID Connect Discovery 1.0 §4.1, RFC 8414 §3.1). The one standard
        // appends its path, the other inserts it before the issuer's own.
        let path = url.path().trim_end_matches('/');
        let metadata = [
            format!("{path}/.well-known/openid-configuration"),
            format!("/.well-known/oauth-authorization-server{path}"),
        ]
        .map(|path| {
            let mut metadata = url.clone();
            metadata.set_path(&path);
            Uri::try_from(metadata.as_str())
        });
        let [Ok(openid), Ok(oauth)] = metadata else {
            return Err(IssuerError::NotAUrl);
        };
        Ok(Issuer {
            text: text.to_owned(),
            metadata: [openid, oauth],
            is_loopback,
        })
    }

    /// The identifier, as it was configured.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The `jwks_uri` of this issuer's metadata, if keys may be fetched from there: over https from any host, because
    /// issuers publish keys on hosts of their own (Google: `accounts.google.com` and `www.googleapis.com`); over http only
    /// within the machine, and only if the issuer is there, too.
    pub(in crate::jwks) fn key_uri(&self, text: &str) -> Option<Uri> {
        let url = Url::parse(text).ok()?;
        let is_allowed = url.scheme() == "https" || (self.is_loopback && is_plain_loopback(&url));
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !is_allowed || has_user || !url.has_host() {
            return None;
        }
        Uri::try_from(url.as_str()).ok()
    }
}

/// Plain HTTP to a host that is this machine: no network in between that could change an answer.
pub(crate) fn is_plain_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(domain)) => domain == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_addresses_follow_the_standards() {
        let cases = [
            (
                "https://issuer.example",
                "https://issuer.example/.well-known/openid-configuration",
                "https://issuer.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://issuer.example/",
                "https://issuer.example/.well-known/openid-configuration",
                "https://issuer.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://issuer.example/oauth2/default",
                "https://issuer.example/oauth2/default/.well-known/openid-configuration",
                "https://issuer.example/.well-known/oauth-authorization-server/oauth2/default",
            ),
            (
                "http://127.0.0.1:8080/realms/r/",
                "http://127.0.0.1:8080/realms/r/.well-known/openid-configuration",
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server/realms/r",
            ),
        ];
        for (text, openid, oauth) in cases {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!(issuer.as_str(), text);
            assert_eq!(issuer.metadata.map(|uri| uri.to_string()), [openid, oauth]);
        }
    }

    #[test]
    fn issuers_that_cannot_be_trusted_are_refused() {
        let cases = [
            ("issuer.example", IssuerError::NotAUrl),
            ("", IssuerError::NotAUrl),
            ("https://user@issuer.example", IssuerError::NotAUrl),
            ("https://issuer.example/?a", IssuerError::HasQueryOrFragment),
            ("https://issuer.example/#a", IssuerError::HasQueryOrFragment),
            ("http://issuer.example", IssuerError::NotHttps),
            ("http://localhost.example", IssuerError::NotHttps),
            ("ftp://127.0.0.1", IssuerError::NotHttps),
        ];
        for (text, expected) in cases {
            assert_eq!(Issuer::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn keys_come_over_https_or_from_the_same_machine() {
        let remote = Issuer::parse("https://issuer.example").unwrap();
        let local = Issuer::parse("http://localhost:8080").unwrap();
        assert!(remote.key_uri("https://keys.example/a").is_some());
        assert!(local.key_uri("https://keys.example/a").is_some());
        assert!(local.key_uri("http://127.0.0.1/a").is_some());
        // A remote issuer must not make this process speak with its neighbours.
        assert_eq!(remote.key_uri("http://127.0.0.1/a"), None);
        for text in [
            "http://keys.example/a",
            "file:///etc/passwd",
            "https://user:secret@keys.example/a",
            "data:application/json,{}",
            "/keys",
            "",
        ] {
            assert_eq!(remote.key_uri(text), None, "{text}");
            assert_eq!(local.key_uri(text), None, "{text}");
        }
    }
}
