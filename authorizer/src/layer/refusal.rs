//! The answer to a request that does not pass (RFC 6750 §3).

use http::{HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};

use crate::{AuthorizerError, Rejection};

/// The challenge where no credential was sent, which is to have no error code (RFC 6750 §3.1). The scheme must not stand
/// alone (§3), and there is one protection space only, so the realm says nothing that a client did not know.
const CHALLENGE: &str = r#"Bearer realm="api""#;

/// Why a request does not pass.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A verified token does not open the route. With the scopes that it would take, separated by spaces; empty where there
    /// is no one list of them.
    InsufficientScope(String),
    /// There is no verified token.
    Unverified(AuthorizerError),
}

impl Refusal {
    pub(super) fn into_response<B: Default>(self) -> Response<B> {
        let (status, challenge) = match &self {
            Refusal::InsufficientScope(scope) => {
                (StatusCode::FORBIDDEN, Some(scope_challenge(scope)))
            }
            Refusal::Unverified(AuthorizerError::Unauthorized(rejection)) => {
                let (status, challenge) = unauthorized(*rejection);
                (status, Some(HeaderValue::from_static(challenge)))
            }
            // The fault is none of the client's: it is neither told to fetch another token nor that it may not come in.
            Refusal::Unverified(
                AuthorizerError::Answer(_)
                | AuthorizerError::Event(_)
                | AuthorizerError::Keys(_)
                | AuthorizerError::Policy(_),
            ) => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut response = Response::new(B::default());
        *response.status_mut() = status;
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Refusal::Unverified(error) = self {
            response.extensions_mut().insert(error);
        }
        response
    }
}

/// The status and the challenge for a credential that was refused.
///
/// Nobody is told which rule a token breaks. What is no credential by its form is an invalid *request*: another token would
/// not help, and API Gateway's 401 would have the client fetch one.
fn unauthorized(rejection: Rejection) -> (StatusCode, &'static str) {
    match rejection {
        Rejection::CredentialsMissing | Rejection::SchemeNotBearer => {
            (StatusCode::UNAUTHORIZED, CHALLENGE)
        }
        Rejection::CredentialsMalformed | Rejection::CredentialsRepeated => (
            StatusCode::BAD_REQUEST,
            r#"Bearer realm="api", error="invalid_request""#,
        ),
        _ => (
            StatusCode::UNAUTHORIZED,
            r#"Bearer realm="api", error="invalid_token""#,
        ),
    }
}

/// A scope has neither quotes nor backslashes (RFC 6749 §3.3), and settings with another are refused, so there is nothing
/// to escape.
fn scope_challenge(scope: &str) -> HeaderValue {
    let plain = HeaderValue::from_static(r#"Bearer realm="api", error="insufficient_scope""#);
    if scope.is_empty() {
        return plain;
    }
    let named = format!(r#"{CHALLENGE}, error="insufficient_scope", scope="{scope}""#);
    HeaderValue::try_from(named).unwrap_or(plain)
}
