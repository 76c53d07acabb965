//! The URL of a server, in the parts by which it is asked.

use http::Uri;
use http::uri::PathAndQuery;

/// Where a server is, and what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// `host:port`, with the scheme's own port where the URL names none.
    pub authority: String,
    /// Path and query, `/` where there are none.
    pub path: String,
    /// Whether TLS is spoken.
    pub is_https: bool,
}

impl ServerUrl {
    /// Takes a URL apart; `None` where it is not of the form `http://host:port/path` or `https://host/path`.
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (own_port, is_https) = match uri.scheme_str()? {
            "http" => (80, false),
            "https" => (443, true),
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let host = uri.host().filter(|host| !host.is_empty())?;
        let authority = match uri.port_u16() {
            // Neither a user nor a number that is no port is left out unseen.
            None if authority != host => return None,
            None => format!("{host}:{own_port}"),
            Some(port) => format!("{host}:{port}"),
        };
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Some(Self {
            authority,
            path: path.to_owned(),
            is_https,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        let table = [
            (
                "http://127.0.0.1:9000/planets",
                "127.0.0.1:9000",
                "/planets",
                false,
            ),
            ("http://localhost", "localhost:80", "/", false),
            (
                "https://localhost/a/b?c=d",
                "localhost:443",
                "/a/b?c=d",
                true,
            ),
            ("https://[::1]:8443/", "[::1]:8443", "/", true),
        ];
        for (url, authority, path, is_https) in table {
            let wanted = ServerUrl {
                authority: authority.to_owned(),
                path: path.to_owned(),
                is_https,
            };
            assert_eq!(ServerUrl::parse(url), Some(wanted), "{url}");
        }
        for url in [
            "ftp://localhost/",
            "localhost/",
            "http://",
            "http://a:99999/",
            "http://user@a/",
            "/planets",
        ] {
            assert_eq!(ServerUrl::parse(url), None, "{url}");
        }
    }
}
