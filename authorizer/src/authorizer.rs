//! The whole function: event bytes in, answer bytes out.
//!
//! Owns the order of the steps and the triage of what can go wrong. It does not know that Lambda exists.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use thiserror::Error;

use crate::{
    Answer, AnswerTooLong, AuthorizerAnswer, CompactJws, ContextValue, CredentialSource,
    EventError, EventForm, JwksCache, KeyError, KeyMetrics, MethodArn, PolicyDocument,
    PolicyTooLong, Rejection, Settings, SetupError, VerifiedToken, Verifier,
    claims::Claims,
    event::AuthorizerEvent,
    policy::is_api_key,
    settings::{AnswerStyle, Grants},
    token_cache::{TokenCache, TokenDigest},
    verify::Candidate,
};

/// Why there is no policy. The messages are fixed, because API Gateway acts on them: it gives 401 for exactly
/// `Unauthorized` and 500 for any other; neither is cached.
#[derive(Debug, Clone, Error)]
pub enum AuthorizerError {
    /// The platform sent something that is no event for an authorizer. The client sees 500.
    #[error("malformed authorizer event")]
    Event(#[source] EventError),
    /// The keys cannot be had. The client sees 500, never a Deny: an outage of the issuer must not be cached as a refusal.
    #[error("signing keys unavailable")]
    Keys(#[source] KeyError),
    /// The answer would be longer than API Gateway takes: the token's principal, scopes and claims beside the policy. The
    /// client sees 500, as it would if the answer were sent.
    #[error("the answer is too long")]
    Answer(#[source] AnswerTooLong),
    /// The policy for this stage would be too long. The client sees 500.
    #[error("the policy is too long")]
    Policy(#[source] PolicyTooLong),
    /// The credential was refused. The client sees 401.
    #[error("Unauthorized")]
    Unauthorized(Rejection),
}

/// Answers the events of an API.
///
/// ```
/// use authorizer::{Authorizer, AuthorizerError, Settings};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings::from_lookup(|name| {
///     let value = match name {
///         "TOKEN_ISSUER" => "https://example.eu.auth0.com/",
///         "JWKS_URI" => "https://example.eu.auth0.com/.well-known/jwks.json",
///         "AUDIENCE" => "https://planets.example.com/",
///         "REQUIRED_SCOPE" => "read:planets",
///         _ => return None,
///     };
///     Some(value.to_owned())
/// })?;
/// let authorizer = Authorizer::new(settings)?;
/// // No key is fetched for what is no token.
/// let event = br#"{
///     "type": "TOKEN",
///     "authorizationToken": "Bearer not-a-token",
///     "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod/GET/planets"
/// }"#;
/// let refused = authorizer.authorize(event).await.unwrap_err();
/// assert!(matches!(refused, AuthorizerError::Unauthorized(_)));
/// // What API Gateway turns into 401, and never caches.
/// assert_eq!(refused.to_string(), "Unauthorized");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Authorizer {
    /// Never empty.
    issuers: Vec<TrustedIssuer>,
    grants: Grants,
    credential: CredentialSource,
    style: AnswerStyle,
    policy_ends_with_token: bool,
    tokens: Option<Arc<TokenCache>>,
    context: BTreeMap<String, String>,
    api_key_claim: Option<String>,
}

/// One issuer: its keys are tried for its own tokens only (RFC 8725 §3.8).
#[derive(Debug, Clone)]
pub(crate) struct TrustedIssuer {
    pub(crate) verifier: Verifier,
    pub(crate) keys: JwksCache,
}

/// Where a verified token came from.
struct Provenance {
    /// The issuer, by its place.
    issuer: usize,
    /// The generation of its keys before the token's key was looked up, if tokens are remembered.
    generation: Option<u64>,
}

impl Authorizer {
    /// An authorizer with these settings. Nothing is fetched yet.
    pub fn new(settings: Settings) -> Result<Authorizer, SetupError> {
        let mut issuers = Vec::with_capacity(settings.issuers.len());
        for issuer in settings.issuers {
            issuers.push(TrustedIssuer {
                keys: issuer.keys.into_cache(&issuer.rules, settings.key_limits)?,
                verifier: Verifier::with_rules(issuer.rules),
            });
        }
        let ttl_s = i64::from(settings.token_cache_ttl_s);
        Ok(Authorizer {
            issuers,
            grants: settings.grants,
            credential: settings.credential,
            style: settings.answer,
            policy_ends_with_token: settings.policy_ends_with_token,
            tokens: TokenCache::new(settings.token_cache_entries, ttl_s).map(Arc::new),
            context: settings.context,
            api_key_claim: settings.api_key_claim,
        })
    }

    /// Where the credential is in a request.
    pub fn credential_source(&self) -> &CredentialSource {
        &self.credential
    }

    /// What a verified token may do.
    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Fetches the keys of all issuers at once, ahead of the first event. Returns the issuers whose keys cannot be had, each
    /// with the reason. A failure is remembered and bounds the next attempt; the caller may ignore it.
    pub async fn prefetch_keys(&self) -> Vec<(&str, KeyError)> {
        let fetches: Vec<_> = self
            .issuers
            .iter()
            .map(|issuer| {
                let keys = issuer.keys.clone();
                tokio::spawn(async move { keys.prefetch(now()).await })
            })
            .collect();
        let mut failures = Vec::new();
        for (issuer, fetch) in self.issuers.iter().zip(fetches) {
            // A task ends early only with its runtime.
            if let Err(error) = fetch.await.unwrap_or(Err(KeyError::Abandoned)) {
                failures.push((issuer.verifier.rules().issuer.as_str(), error));
            }
        }
        failures
    }

    /// Counts of what the caches of keys did so far, summed over the issuers.
    pub fn key_metrics(&self) -> KeyMetrics {
        self.issuers
            .iter()
            .map(|issuer| issuer.keys.metrics())
            .sum()
    }

    /// Answers an event with the JSON text of the answer.
    pub async fn authorize(&self, event: &[u8]) -> Result<Vec<u8>, AuthorizerError> {
        let answer = self.answer(event, now()).await?;
        Ok(answer.to_json().into_bytes())
    }

    /// Answers an event at the time `now`.
    ///
    /// A valid token without a required scope gets an explicit Deny, which is right for the token's life and may be
    /// cached. A token that is refused gets an error, which is not cached, so that a client with a fresh token recovers
    /// at once.
    pub async fn answer(&self, event: &[u8], now: SystemTime) -> Result<Answer, AuthorizerError> {
        let refused = AuthorizerError::Unauthorized;
        let event = AuthorizerEvent::parse(event).map_err(AuthorizerError::Event)?;
        let method_arn = event.method_arn().map_err(AuthorizerError::Event)?;
        let credential = event.credential(&self.credential).map_err(refused)?;
        let token = self
            .credential
            .token(credential.as_deref())
            .map_err(refused)?;
        let token = self.verify(token, now).await?;
        self.answer_to(&token, &method_arn, Some(event.form()))
    }

    /// The answer to a verified token. Without a form of event, in the form that the settings ask for.
    pub(crate) fn answer_to(
        &self,
        token: &VerifiedToken,
        method_arn: &MethodArn<'_>,
        form: Option<EventForm>,
    ) -> Result<Answer, AuthorizerError> {
        let policy = self.policy(token, method_arn)?;
        let mut answer = AuthorizerAnswer::new(token.clone(), policy);
        self.add_claims(&mut answer, token);
        answer.check_length().map_err(AuthorizerError::Answer)?;
        Ok(match (self.style, form) {
            (AnswerStyle::Simple, Some(EventForm::Http2) | None) => {
                Answer::Simple(answer.into_simple())
            }
            _ => Answer::Policy(answer),
        })
    }

    /// The place of the issuer that a token names.
    pub(crate) fn issuer_of(&self, claims: &Claims<'_>) -> Result<usize, Rejection> {
        let named = claims.issuer()?;
        let mut issuers = self.issuers.iter();
        issuers
            .position(|issuer| issuer.verifier.rules().issuer == named)
            .ok_or(Rejection::IssuerMismatch)
    }

    pub(crate) fn issuer(&self, index: usize) -> Option<&TrustedIssuer> {
        self.issuers.get(index)
    }

    fn policy(
        &self,
        token: &VerifiedToken,
        method_arn: &MethodArn<'_>,
    ) -> Result<PolicyDocument, AuthorizerError> {
        let policy = match &self.grants {
            Grants::Routes(table) => PolicyDocument::allow_routes(token, method_arn, table)
                .map_err(AuthorizerError::Policy)?,
            Grants::Stage(scopes) if scopes.iter().all(|scope| token.has_scope(scope)) => {
                PolicyDocument::allow(token, method_arn)
            }
            Grants::Stage(_) => PolicyDocument::deny(method_arn),
        };
        Ok(if self.policy_ends_with_token {
            policy.ending_with(token)
        } else {
            policy
        })
    }

    /// Adds what the settings pass on from the token. A claim whose value an answer cannot hold is left out: the answer as
    /// a whole would be invalid with it, and a good token would be answered by 500.
    fn add_claims(&self, answer: &mut AuthorizerAnswer, token: &VerifiedToken) {
        for (key, claim) in &self.context {
            if let Some(value) = token.carried(claim) {
                answer
                    .add_context(key, value.clone())
                    .expect("the settings hold each key once, and none that is taken");
            }
        }
        let api_key = self
            .api_key_claim
            .as_ref()
            .and_then(|claim| token.carried(claim));
        if let Some(ContextValue::Text(api_key)) = api_key
            && is_api_key(api_key)
        {
            answer
                .set_usage_identifier_key(api_key.as_str())
                .expect("its length was looked at");
        }
    }

    /// Verifies a token, or remembers that it was verified a moment ago.
    pub async fn verify(
        &self,
        token: &str,
        now: SystemTime,
    ) -> Result<VerifiedToken, AuthorizerError> {
        let Some(cache) = &self.tokens else {
            return Ok(self.verify_afresh(token, now).await?.0);
        };
        let now_s = numeric_date(now);
        let digest = TokenDigest::of(token);
        let fresh = |issuer: usize| self.issuers.get(issuer)?.keys.fresh_generation(now);
        if let Some(token) = cache.get(digest, now_s, fresh) {
            return Ok(token);
        }
        let (verified, provenance) = self.verify_afresh(token, now).await?;
        let Provenance { issuer, generation } = provenance;
        // Only if the keys are still those that it was verified with.
        if let Some(generation) = generation
            && fresh(issuer) == Some(generation)
        {
            cache.insert(digest, issuer, generation, now_s, &verified);
        }
        Ok(verified)
    }

    /// Applies every rule of the token's issuer that needs no key. Not a part of the step below, which would keep the
    /// claims for as long as it waits for a key.
    fn examine<'a>(
        &self,
        jws: &'a CompactJws<'a>,
        now_s: i64,
    ) -> Result<(usize, Candidate<'a>), Rejection> {
        let claims = Claims::read(jws.unverified_payload())?;
        let index = self.issuer_of(&claims)?;
        let verifier = &self.issuers[index].verifier;
        Ok((index, verifier.examine(jws, &claims, now_s)?))
    }

    /// Verifies a token; also says whose it is.
    async fn verify_afresh(
        &self,
        token: &str,
        now: SystemTime,
    ) -> Result<(VerifiedToken, Provenance), AuthorizerError> {
        let refused = AuthorizerError::Unauthorized;
        let jws = CompactJws::parse(token).map_err(refused)?;
        let (index, candidate) = self.examine(&jws, numeric_date(now)).map_err(refused)?;
        let issuer = &self.issuers[index];
        let generation = self.tokens.as_ref().map(|_| issuer.keys.generation());
        let key = issuer.keys.key(jws.kid(), jws.algorithm(), now).await;
        let key = key.map_err(AuthorizerError::Keys)?.map_err(refused)?;
        let token = candidate.confirm(&key).map_err(refused)?;
        let provenance = Provenance {
            issuer: index,
            generation,
        };
        Ok((token, provenance))
    }
}

/// For a caller that brings no time of its own.
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whole seconds since the epoch, rounded down (RFC 7519 §2). A clock before the epoch reads as 0: everything that must
/// lie in the past is then in the future, so every token with `nbf` or `iat` is refused rather than taken.
pub(crate) fn numeric_date(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}
