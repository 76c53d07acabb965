//! The path of a request, for a server that routes by itself.
//!
//! Behind API Gateway it is settled what a path means before a policy is asked. Another server may read a path otherwise
//! than a table of routes does: it may decode percent-escapes before it routes, once or behind a proxy twice, resolve `.`
//! and `..` (RFC 3986 §5.2.4), take `//` for `/` and `\` for a slash, leave out what stands behind a `;`, or forgive a slash
//! at the end. What such a reading would let in by a side door has no meaning here.

use super::pattern::Token;

/// Longest path that is read, in bytes: servers are to take request lines of at least 8,000 (RFC 9112 §3).
const PATH_BYTES_MAX: usize = 8_000;

/// A path that is in canonical form, percent-escapes decoded or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestPath {
    sent: Vec<Token>,
    /// Absent where nothing is escaped.
    decoded: Option<Vec<Token>>,
}

impl RequestPath {
    /// Takes the path apart as it was sent, without the query. None for a path that servers read in more than one way.
    pub(super) fn parse(path: &str) -> Option<RequestPath> {
        let path = path.strip_prefix('/')?;
        if path.len() > PATH_BYTES_MAX {
            return None;
        }
        let decoded = percent_decoded(path)?;
        // Escaped twice: whoever decodes once more reads yet another path.
        if has_escape(&decoded) {
            return None;
        }
        let is_escaped = decoded != path;
        // An escaped slash becomes one, so all segments of the path as it was sent are looked at here, too.
        if !decoded.is_empty() && !decoded.split('/').all(is_plain) {
            return None;
        }
        Some(RequestPath {
            sent: segments(path),
            decoded: is_escaped.then(|| segments(&decoded)),
        })
    }

    /// The segments with their escapes, as the ARN of an API method has them.
    pub(super) fn sent(&self) -> &[Token] {
        &self.sent
    }

    /// The segments for a server that decodes before it routes.
    pub(super) fn decoded(&self) -> &[Token] {
        self.decoded.as_ref().unwrap_or(&self.sent)
    }
}

/// The root is one segment, and it is empty.
fn segments(path: &str) -> Vec<Token> {
    path.split('/').map(Token::literal).collect()
}

fn is_plain(segment: &str) -> bool {
    let is_odd = |c: char| matches!(c, '\\' | ';') || c.is_control();
    !matches!(segment, "" | "." | "..") && !segment.contains(is_odd)
}

fn has_escape(text: &str) -> bool {
    let mut parts = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    parts.any(|part| part.len() >= 2 && part[..2].iter().all(u8::is_ascii_hexdigit))
}

/// The text with each `%XX` as the byte that it stands for (RFC 3986 §2.1), decoded once. What is not UTF-8 then becomes
/// U+FFFD, which no route names. None if a `%` starts no escape.
fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (escape, rest) = part.as_bytes().split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = digit(escape[0])? * 16 + digit(escape[1])?;
        bytes.push(u8::try_from(byte).ok()?);
        bytes.extend_from_slice(rest);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::pattern, *};

    #[test]
    fn a_path_is_read_as_it_was_sent_and_decoded() {
        for (path, sent, decoded) in [
            ("/", "", ""),
            ("/a", "a", "a"),
            ("/a/b.c/..d", "a/b.c/..d", "a/b.c/..d"),
            ("/secre%74", "secre%74", "secret"),
            ("/a%2Fb", "a%2Fb", "a/b"),
            ("/a%2fb/%C3%A9", "a%2fb/%C3%A9", "a/b/é"),
            ("/%FF", "%FF", "\u{FFFD}"),
            ("/100%25/x", "100%25/x", "100%/x"),
            ("/%25zz", "%25zz", "%zz"),
            ("/*/{id}", "*/{id}", "*/{id}"),
        ] {
            let path = RequestPath::parse(path).unwrap();
            assert_eq!(pattern::text(path.sent()), sent);
            assert_eq!(pattern::text(path.decoded()), decoded);
        }
        // What a client sends is never a wildcard.
        let star = RequestPath::parse("/*").unwrap();
        assert_eq!(star.sent(), [Token::literal("*")]);
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_none() {
        for path in [
            "",
            "*",
            "a",
            "//",
            "//a",
            "/a/",
            "/a//b",
            "/.",
            "/..",
            "/./a",
            "/a/.",
            "/a/../b",
            "/%2e/a",
            "/%2E%2e/a",
            "/.%2e/a",
            "/a%2F..%2Fb",
            "/%2Fa",
            "/a%2F",
            "/a\\b",
            "/a%5Cb",
            "/a;x=1",
            "/a%3Bx",
            "/%252e%252e/x",
            "/adm%2569n",
            "/a%00",
            "/a%0A",
            "/a%7F",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/%é",
        ] {
            assert_eq!(RequestPath::parse(path), None, "{path}");
        }
        let long = "/".to_owned() + &"a".repeat(PATH_BYTES_MAX);
        assert!(RequestPath::parse(&long).is_some());
        assert_eq!(RequestPath::parse(&(long + "a")), None);
    }
}
