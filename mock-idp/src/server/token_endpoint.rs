//! The token endpoint: the client credentials grant of RFC 6749 §4.4 and the errors of §5.2.
//!
//! Owns the decision on a token request. Scopes and audiences come from the client's registration; no other grant is
//! offered, because no authorizer can tell from a token which grant it came by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::encoding::from_base64;
use crate::minter::{MintDefaults, Minter};
use crate::profile::ClientAuthentication;
use crate::recipe::Recipe;

use super::parameters::{Parameters, Unreadable, form_decoded};
use super::{Client, json_response};

#[derive(Debug)]
pub(super) struct TokenEndpoint {
    minter: Arc<Minter>,
    clients: Vec<Client>,
    issued: AtomicU64,
}

/// A refusal of RFC 6749 §5.2, or of the vendor where the RFC has none.
struct Refusal {
    status: StatusCode,
    error: String,
    description: String,
}

impl Refusal {
    fn new(status: StatusCode, error: &str, description: &str) -> Self {
        Self {
            status,
            error: error.to_owned(),
            description: description.to_owned(),
        }
    }

    fn invalid_request(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    fn invalid_client(description: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }
}

impl From<Unreadable> for Refusal {
    fn from(reason: Unreadable) -> Self {
        match reason {
            Unreadable::Malformed(description) => Self::invalid_request(description),
            Unreadable::Repeated => Self::invalid_request("a parameter is given more than once"),
            Unreadable::Slow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                "the body did not end within 5 seconds",
            ),
            Unreadable::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is larger than 16 KiB or broke off",
            ),
            Unreadable::UnknownFormat => {
                Self::invalid_request("the content type is none that this endpoint accepts")
            }
        }
    }
}

/// What a client says about itself.
struct Credentials {
    id: String,
    secret: String,
}

impl TokenEndpoint {
    pub(super) fn new(minter: Arc<Minter>, clients: Vec<Client>) -> Self {
        Self {
            minter,
            clients,
            issued: AtomicU64::new(0),
        }
    }

    pub(super) async fn answer(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let formats = self.minter.profile().token_request_bodies();
        let answer = match Parameters::read(&head.headers, body, formats).await {
            Ok(parameters) => self.token(&head.headers, &parameters),
            Err(reason) => Err(reason.into()),
        };
        let mut response = match answer {
            Ok(body) => json_response(StatusCode::OK, body),
            Err(refusal) => refused(&refusal),
        };
        // RFC 6749 §5.1.
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }

    /// Signing takes 0.3 ms, which is too little to be worth another thread.
    fn token(&self, headers: &HeaderMap, parameters: &Parameters) -> Result<Bytes, Refusal> {
        let client = self.authenticated(headers, parameters)?;
        match parameters.value("grant_type") {
            Some("client_credentials") => {}
            None => return Err(Refusal::invalid_request("grant_type is missing")),
            Some(_) => {
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "unsupported_grant_type",
                    "the only grant is client_credentials",
                ));
            }
        }
        if !client.client_credentials {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                "this client may not use the client_credentials grant",
            ));
        }
        let audience = self.audience(client, parameters)?;
        let scope = granted_scope(client, parameters)?;
        self.issue(client, audience, scope)
    }

    fn issue(
        &self,
        client: &Client,
        audience: String,
        scope: Vec<String>,
    ) -> Result<Bytes, Refusal> {
        let profile = self.minter.profile();
        let granted = scope.join(" ");
        let minter = self.minter.with_defaults(MintDefaults {
            audience,
            scope,
            client_id: client.id.clone(),
            user: None,
            ..self.minter.defaults().clone()
        });
        // An issuer without `jti` sends none from here, so that its tokens are what they are.
        let serial = profile
            .token
            .jti
            .is_some()
            .then(|| self.issued.fetch_add(1, Ordering::Relaxed));
        let token = seconds_since_the_epoch()
            .and_then(|now| minter.mint_serial(&Recipe::default(), now, serial).ok())
            .ok_or_else(|| {
                Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "server_error",
                    "the token could not be minted",
                )
            })?;
        Ok(Bytes::from(
            json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": profile.token_lifetime_s(),
                "scope": granted,
            })
            .to_string(),
        ))
    }

    fn authenticated(
        &self,
        headers: &HeaderMap,
        parameters: &Parameters,
    ) -> Result<&Client, Refusal> {
        let credentials = self.credentials(headers, parameters)?;
        let client = self
            .clients
            .iter()
            .find(|client| client.id == credentials.id);
        // An unknown client costs the same comparison as a known one with another secret.
        let expected = client.map_or("", |client| client.secret.as_str());
        let same = same_secret(expected, &credentials.secret);
        client
            .filter(|_| same)
            .ok_or_else(|| Refusal::invalid_client("unknown client or wrong secret"))
    }

    /// RFC 6749 §2.3: one method per request. §2.3.1: the parts of Basic are form-encoded.
    fn credentials(
        &self,
        headers: &HeaderMap,
        parameters: &Parameters,
    ) -> Result<Credentials, Refusal> {
        let in_body = (
            parameters.value("client_id"),
            parameters.value("client_secret"),
        );
        let accepted = self.minter.profile().client_authentication();
        let (method, credentials) = match (headers.get(header::AUTHORIZATION), in_body) {
            (Some(_), (_, Some(_))) => {
                return Err(Refusal::invalid_request(
                    "the client authenticates in the header and in the body",
                ));
            }
            (Some(value), (body_id, None)) => {
                let basic = basic_credentials(value)
                    .ok_or_else(|| Refusal::invalid_client("no Basic credentials in the header"))?;
                if body_id.is_some_and(|id| id != basic.id) {
                    return Err(Refusal::invalid_request(
                        "client_id in the body is not that of the header",
                    ));
                }
                (ClientAuthentication::ClientSecretBasic, basic)
            }
            (None, (Some(id), Some(secret))) => (
                ClientAuthentication::ClientSecretPost,
                Credentials {
                    id: id.to_owned(),
                    secret: secret.to_owned(),
                },
            ),
            (None, _) => return Err(Refusal::invalid_client("no client credentials found")),
        };
        if accepted.contains(&method) {
            Ok(credentials)
        } else {
            Err(Refusal::invalid_client(
                "this client authentication method is not accepted",
            ))
        }
    }

    fn audience(&self, client: &Client, parameters: &Parameters) -> Result<String, Refusal> {
        let shape = self.minter.profile().token_endpoint.audience.as_ref();
        let asked = shape.and_then(|shape| Some((shape, parameters.value(&shape.parameter)?)));
        let Some((shape, asked)) = asked else {
            return Ok(client.audiences.first().cloned().unwrap_or_default());
        };
        if client.audiences.iter().any(|granted| granted == asked) {
            return Ok(asked.to_owned());
        }
        Err(Refusal::new(
            StatusCode::from_u16(shape.refusal_status).unwrap_or(StatusCode::FORBIDDEN),
            &shape.refusal_error,
            &shape.refusal_description.replace("{audience}", asked),
        ))
    }
}

/// The scopes asked for, all of which must be granted (RFC 6749 §3.3), or all that are granted.
fn granted_scope(client: &Client, parameters: &Parameters) -> Result<Vec<String>, Refusal> {
    let Some(asked) = parameters.value("scope") else {
        return Ok(client.scopes.clone());
    };
    let scope: Vec<String> = asked.split(' ').map(str::to_owned).collect();
    if scope.iter().all(|one| client.scopes.contains(one)) {
        Ok(scope)
    } else {
        Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "a scope is unknown or not granted to this client",
        ))
    }
}

/// RFC 7617 §2 with the encoding of RFC 6749 §2.3.1. The scheme has no case (RFC 9110 §11.1).
fn basic_credentials(value: &HeaderValue) -> Option<Credentials> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(from_base64(encoded.trim())?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some(Credentials {
        id: form_decoded(id)?,
        secret: form_decoded(secret)?,
    })
}

/// Compares digests, so that neither the length nor the place of the first difference shows in the time.
fn same_secret(expected: &str, given: &str) -> bool {
    let expected = digest(&SHA256, expected.as_bytes());
    let given = digest(&SHA256, given.as_bytes());
    verify_slices_are_equal(expected.as_ref(), given.as_ref()).is_ok()
}

fn refused(refusal: &Refusal) -> Response {
    let body = json!({
        "error": refusal.error,
        "error_description": refusal.description,
    });
    let mut response = json_response(refusal.status, Bytes::from(body.to_string()));
    let headers = response.headers_mut();
    if refusal.status == StatusCode::UNAUTHORIZED {
        // RFC 6749 §5.2 wants it after Basic, RFC 9110 §15.5.2 with every 401.
        let challenge = HeaderValue::from_static("Basic realm=\"token endpoint\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if matches!(
        refusal.status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE
    ) {
        // The rest of the body is still to come, and nobody will read it.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn seconds_since_the_epoch() -> Option<i64> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(elapsed.as_secs()).ok()
}
