//! What of somebody else's text may be shown: no token, and no more than a message holds.

/// The shortest run of characters that is taken for a token: the header of a JWT alone is longer, and no word that
/// follows `Bearer` in a sentence is.
const TOKEN_CHARS: usize = 16;

/// How a JWT begins: base64url of `{"`.
const JWT: &str = "eyJ";

/// The scheme of RFC 6750 §2.1, in lower case: names of schemes have no case (RFC 9110 §11.1).
const SCHEME: &str = "bearer ";

/// Takes out what looks like a token: many an authorizer prints its whole event, many a server its headers.
pub(crate) fn without_tokens(line: &str) -> String {
    // ASCII case only, so that every index means the same place in both texts.
    let folded = line.to_ascii_lowercase();
    let mut clean = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(start) = next_token(line, &folded, at) {
        let end = line[start..]
            .find(|c: char| !is_token_char(c))
            .map_or(line.len(), |length| start + length);
        clean.push_str(&line[at..start]);
        clean.push_str(if end - start >= TOKEN_CHARS {
            "[token]"
        } else {
            &line[start..end]
        });
        at = end;
    }
    clean + &line[at..]
}

/// Where the next candidate begins. The scheme is no part of the credential, and stays.
fn next_token(line: &str, folded: &str, from: usize) -> Option<usize> {
    let jwt = line[from..].find(JWT);
    let credential = folded[from..].find(SCHEME).map(|at| at + SCHEME.len());
    let nearest = [jwt, credential].into_iter().flatten().min()?;
    Some(from + nearest)
}

/// The characters of `b64token` (RFC 6750 §2.1).
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=')
}

/// The beginning of a text on one line, `limit` bytes at most.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.len() <= limit {
        return line;
    }
    let end = (0..=limit)
        .rev()
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}…", &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_line_is_taken_out_and_the_rest_is_kept() {
        for (line, want) in [
            ("", ""),
            ("plain", "plain"),
            (
                "{\"token\":\"Bearer eyJhbGciOiJSUzI1NiJ9.e30.AA-_\",\"a\":1}",
                "{\"token\":\"Bearer [token]\",\"a\":1}",
            ),
            ("eyJ short eyJhbGciOiJSUzI1NiJ9", "eyJ short [token]"),
            (
                "authorization: BEARER EYJHBGCIOIJSUZI1NIJ9.E30.",
                "authorization: BEARER [token]",
            ),
            (
                "Authorization: Bearer 0123456789abcdef/+== after",
                "Authorization: Bearer [token] after",
            ),
            (
                "a Bearer token is missing. é",
                "a Bearer token is missing. é",
            ),
            ("Bearer ", "Bearer "),
        ] {
            assert_eq!(without_tokens(line), want);
        }
    }

    #[test]
    fn a_cut_text_is_one_line_and_ends_between_characters() {
        assert_eq!(cut("a\nb", 3), "a b");
        assert_eq!(cut("aéé", 4), "aé…");
    }
}
