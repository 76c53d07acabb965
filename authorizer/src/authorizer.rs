//! The whole function: event bytes in, answer bytes out.
//!
//! Owns the order of the steps and the triage of what can go wrong. It does not know that Lambda exists.

use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

use crate::{
    AuthorizerAnswer, CompactJws, CredentialSource, EventError, JwksCache, KeyError,
    PolicyDocument, Rejection, Settings, TlsSetupError, VerifiedToken, Verifier, claims::Claims,
    event::AuthorizerEvent,
};

/// Why there is no policy. The messages are fixed, because API Gateway acts on them: it gives 401 for exactly
/// `Unauthorized` and 500 for any other; neither is cached.
#[derive(Debug, Clone, Error)]
pub enum AuthorizerError {
    /// The platform sent something that is no TOKEN event. The client sees 500.
    #[error("malformed authorizer event")]
    Event(#[source] EventError),
    /// The keys cannot be had. The client sees 500, never a Deny: an outage of the issuer must not be cached as a refusal.
    #[error("signing keys unavailable")]
    Keys(#[source] KeyError),
    /// The credential was refused. The client sees 401.
    #[error("Unauthorized")]
    Unauthorized(Rejection),
}

/// Answers the TOKEN events of an API with the keys of one issuer.
#[derive(Debug, Clone)]
pub struct Authorizer {
    verifier: Verifier,
    keys: JwksCache,
    required_scopes: Vec<String>,
    credential: CredentialSource,
}

impl Authorizer {
    /// An authorizer with these settings. Nothing is fetched yet.
    pub fn new(settings: Settings) -> Result<Authorizer, TlsSetupError> {
        Ok(Authorizer {
            verifier: Verifier::new(settings.token_issuer, settings.audience),
            keys: JwksCache::new(settings.jwks_uri)?,
            required_scopes: settings.required_scopes,
            credential: CredentialSource::default(),
        })
    }

    /// Where the credential is in a request.
    pub fn credential_source(&self) -> &CredentialSource {
        &self.credential
    }

    /// Fetches the issuer's keys ahead of the first event. A failure is remembered and bounds the next attempt; the
    /// caller may ignore it.
    pub async fn prefetch_keys(&self) -> Result<(), KeyError> {
        self.keys.prefetch(now()).await
    }

    /// Answers an event with the JSON text of a policy.
    pub async fn authorize(&self, event: &[u8]) -> Result<Vec<u8>, AuthorizerError> {
        let answer = self.answer(event, now()).await?;
        Ok(serde_json::to_vec(&answer).expect("strings and nothing else always serialize"))
    }

    /// Answers an event at the time `now`.
    ///
    /// A valid token without a required scope gets an explicit Deny, which is right for the token's life and may be
    /// cached. A token that is refused gets an error, which is not cached, so that a client with a fresh token recovers
    /// at once.
    pub async fn answer(
        &self,
        event: &[u8],
        now: SystemTime,
    ) -> Result<AuthorizerAnswer, AuthorizerError> {
        let refused = AuthorizerError::Unauthorized;
        let event = AuthorizerEvent::parse(event).map_err(AuthorizerError::Event)?;
        let method_arn = event.method_arn().map_err(AuthorizerError::Event)?;
        let credential = event.credential(&self.credential).map_err(refused)?;
        let token = self
            .credential
            .token(credential.as_deref())
            .map_err(refused)?;
        let token = self.verify(token, now).await?;
        let has_scopes = self
            .required_scopes
            .iter()
            .all(|scope| token.has_scope(scope));
        let policy = if has_scopes {
            PolicyDocument::allow(&token, &method_arn)
        } else {
            PolicyDocument::deny(&method_arn)
        };
        Ok(AuthorizerAnswer::new(token, policy))
    }

    async fn verify(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, AuthorizerError> {
        let refused = AuthorizerError::Unauthorized;
        let jws = CompactJws::parse(token).map_err(refused)?;
        let claims = Claims::read(jws.unverified_payload()).map_err(refused)?;
        let candidate = self
            .verifier
            .examine(&jws, claims, numeric_date(now))
            .map_err(refused)?;
        let key = self
            .keys
            .key(jws.kid(), jws.algorithm(), now)
            .await
            .map_err(AuthorizerError::Keys)?;
        key.and_then(|key| candidate.confirm(&key)).map_err(refused)
    }
}

/// The only place where a clock is read.
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whole seconds since the epoch, rounded down (RFC 7519 §2). A clock before the epoch reads as 0: everything that must
/// lie in the past is then in the future, so every token with `nbf` or `iat` is refused rather than taken.
fn numeric_date(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}
