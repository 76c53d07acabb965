//! Where the credential is in a request, and the token inside of it (RFC 6750 §2.1).

use crate::Rejection;

/// Where the credential is and how it is written. The default is `Authorization: Bearer <token>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSource {
    pub(crate) header: String,
    pub(crate) form: CredentialForm,
}

/// How a credential is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialForm {
    /// `Bearer <token>` (RFC 6750 §2.1).
    Bearer,
    /// The token and nothing else, as some older clients send it.
    Raw,
}

impl Default for CredentialSource {
    fn default() -> CredentialSource {
        CredentialSource {
            header: "authorization".to_owned(),
            form: CredentialForm::Bearer,
        }
    }
}

impl CredentialSource {
    /// The token of a header's value.
    pub(crate) fn token<'a>(&self, value: Option<&'a str>) -> Result<&'a str, Rejection> {
        match self.form {
            CredentialForm::Bearer => bearer_token(value),
            CredentialForm::Raw => value
                .filter(|value| !value.is_empty())
                .ok_or(Rejection::CredentialsMissing)
                .and_then(graphic),
        }
    }
}

/// The token of `Bearer <token>`.
///
/// The scheme is compared without regard to case (RFC 9110 §11.1). One space or more may follow it (`1*SP` in RFC 6750
/// §2.1); nothing may follow the token. The token's alphabet is left to the base64url decoder, which is stricter than
/// `b64token`.
fn bearer_token(authorization: Option<&str>) -> Result<&str, Rejection> {
    let authorization = authorization.ok_or(Rejection::CredentialsMissing)?;
    let (scheme, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if scheme.is_empty() && rest.is_empty() {
        return Err(Rejection::CredentialsMissing);
    }
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Rejection::SchemeNotBearer);
    }
    let token = rest.trim_start_matches(' ');
    if token.is_empty() {
        return Err(Rejection::CredentialsMissing);
    }
    graphic(token)
}

/// A text without spaces, control characters and bytes outside of ASCII.
fn graphic(token: &str) -> Result<&str, Rejection> {
    // The graphic characters in a row from 0, and the largest of all bytes without stopping at a bad one: so the compiler
    // looks at many at a time.
    let largest = token
        .bytes()
        .fold(0, |largest: u8, byte| largest.max(byte.wrapping_sub(b'!')));
    if largest <= b'~' - b'!' {
        Ok(token)
    } else {
        Err(Rejection::CredentialsMalformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_and_nothing_else_is_taken() {
        let cases = [
            (Some("Bearer a.b.c"), Ok("a.b.c")),
            (Some("bearer a.b.c"), Ok("a.b.c")),
            (Some("BEARER   a.b.c"), Ok("a.b.c")),
            (None, Err(Rejection::CredentialsMissing)),
            (Some(""), Err(Rejection::CredentialsMissing)),
            (Some("Bearer"), Err(Rejection::CredentialsMissing)),
            (Some("Bearer "), Err(Rejection::CredentialsMissing)),
            (Some("Bearer    "), Err(Rejection::CredentialsMissing)),
            (Some("a.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some(" Bearer a.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some("Basic a.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some("DPoP a.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some("Bearera.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some("Bearer:a.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some("Bearer\ta.b.c"), Err(Rejection::SchemeNotBearer)),
            (Some("Bearer a.b.c "), Err(Rejection::CredentialsMalformed)),
            (Some("Bearer a.b.c\n"), Err(Rejection::CredentialsMalformed)),
            (Some("Bearer \ta.b.c"), Err(Rejection::CredentialsMalformed)),
            (
                Some("Bearer a, Bearer b"),
                Err(Rejection::CredentialsMalformed),
            ),
            (Some("Bearer a\u{0}b"), Err(Rejection::CredentialsMalformed)),
            (Some("Bearer é"), Err(Rejection::CredentialsMalformed)),
        ];
        for (value, expected) in cases {
            assert_eq!(bearer_token(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_raw_token_is_taken_only_where_that_is_asked_for() {
        let raw = CredentialSource {
            form: CredentialForm::Raw,
            ..CredentialSource::default()
        };
        assert_eq!(raw.token(Some("a.b.c")), Ok("a.b.c"));
        assert_eq!(raw.token(None), Err(Rejection::CredentialsMissing));
        assert_eq!(raw.token(Some("")), Err(Rejection::CredentialsMissing));
        assert_eq!(
            raw.token(Some("Bearer a.b.c")),
            Err(Rejection::CredentialsMalformed)
        );
        assert_eq!(
            CredentialSource::default().token(Some("a.b.c")),
            Err(Rejection::SchemeNotBearer)
        );
    }
}
