//! The protected resource: the token of a request, the status of a refusal, the scope.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Settings;

/// Why a request is not let in.
#[derive(Debug, Clone, Copy)]
pub enum Refusal {
    /// The token is good, and its scope is not enough.
    Forbidden,
    /// The keys cannot be had.
    KeysUnavailable,
    /// The token is not good.
    Unauthorized,
}

impl From<Refusal> for StatusCode {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Forbidden => Self::FORBIDDEN,
            Refusal::KeysUnavailable => Self::SERVICE_UNAVAILABLE,
            Refusal::Unauthorized => Self::UNAUTHORIZED,
        }
    }
}

/// What the application reads of a token, in the types of RFC 7519 §4.1; the rest is the verifier's.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    #[expect(
        dead_code,
        reason = "read for its type alone: the verifier compares it"
    )]
    iss: String,
    pub sub: Option<String>,
    /// Seconds since 1970, for the verifier that leaves it to the application.
    pub nbf: Option<f64>,
    #[serde(flatten)]
    pub scopes: Scopes,
}

/// The claims that hold scopes.
#[derive(Debug, Clone, Deserialize)]
pub struct Scopes {
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    scp: Value,
}

/// A token that is good, but for its scope.
pub struct Verified {
    pub sub: Option<String>,
    pub scopes: Scopes,
}

impl From<Claims> for Verified {
    fn from(claims: Claims) -> Self {
        Self {
            sub: claims.sub,
            scopes: claims.scopes,
        }
    }
}

impl Scopes {
    /// The scopes as one text with blanks (RFC 9068 §2.2.3), or as Okta's list `scp`.
    fn hold(&self, wanted: &str) -> bool {
        let in_text = |text: &str| text.split(' ').any(|scope| scope == wanted);
        let in_list = |list: &Vec<Value>| list.iter().any(|scope| scope == wanted);
        self.scope.as_str().is_some_and(in_text) || self.scp.as_array().is_some_and(in_list)
    }

    fn hold_all(&self, wanted: &[String]) -> bool {
        wanted.iter().all(|scope| self.hold(scope))
    }
}

/// Verifies a token, all but its scope.
pub trait Verify: Send + Sync + 'static {
    fn verify(&self, token: &str) -> impl Future<Output = Result<Verified, Refusal>> + Send;
}

struct Resource<V> {
    verifier: V,
    scopes: Vec<String>,
}

/// The answer to a request whose token is good.
pub fn answer(token: &Verified, wanted: &[String]) -> Result<Json<Value>, StatusCode> {
    if token.scopes.hold_all(wanted) {
        Ok(Json(json!({ "principal": token.sub })))
    } else {
        Err(Refusal::Forbidden.into())
    }
}

pub fn health() -> Router {
    Router::new().route("/health", get(async || Json(json!({ "status": "ok" }))))
}

pub fn router<V: Verify>(verifier: V, settings: &Settings) -> Router {
    let resource = Resource {
        verifier,
        scopes: settings.scopes.clone(),
    };
    Router::new()
        .route("/planets", get(planets::<V>))
        .with_state(Arc::new(resource))
}

async fn planets<V: Verify>(
    State(resource): State<Arc<Resource<V>>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let token = bearer_token(&headers).ok_or(Refusal::Unauthorized)?;
    let verified = resource.verifier.verify(token).await?;
    answer(&verified, &resource.scopes)
}

/// The token of the one `Authorization` field (RFC 6750 §2.1); the scheme's case does not matter (RFC 9110 §11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let (field, None) = (fields.next()?, fields.next()) else {
        return None;
    };
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
