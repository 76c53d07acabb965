//! The answer around a policy: principal, context and API key (API Gateway developer guide, "Output from an API Gateway
//! Lambda authorizer").

use std::fmt;

use serde_json::{Number, Value};
use thiserror::Error;

use super::PolicyDocument;
use crate::VerifiedToken;

/// Keys of the context that the back end sees beside API Gateway's own, and `claims`, which API Gateway reserves.
const RESERVED_KEYS: [&str; 3] = ["claims", "integrationLatency", "principalId"];

/// The key that every context has.
const SCOPE: &str = "scope";

/// Most bytes of a number or a boolean, and of what separates an entry of the context from the next.
const NUMBER_BYTES: usize = 32;

/// Lengths that an API key can have (API Gateway quotas).
const API_KEY_BYTES: std::ops::RangeInclusive<usize> = 20..=128;

/// The answer with a policy: the token's principal, the policy, and a context that holds the token's scopes first.
#[derive(Clone)]
pub struct AuthorizerAnswer {
    pub(super) token: VerifiedToken,
    pub(super) policy_document: PolicyDocument,
    pub(super) context: AnswerContext,
    pub(super) usage_identifier_key: Option<ApiKey>,
}

/// A value of the context. REST APIs take strings, numbers and booleans only; an array, an object or a null makes the
/// whole answer invalid, and the client sees 500.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A number. The integration gets it as a string.
    Number(Number),
    /// A string.
    Text(String),
}

/// Why something cannot be part of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// An API key has 20 to 128 characters.
    #[error("an API key has 20 to 128 characters")]
    ApiKeyLength,
    /// The context already has the key.
    #[error("the context has the key `{0}` already")]
    ContextKeyTwice(String),
    /// The key is empty or one that API Gateway uses itself.
    #[error("the context cannot have the key `{0}`")]
    ReservedContextKey(String),
    /// The value is an array, an object or null.
    #[error("a context value is a string, a number or a boolean")]
    ValueNotScalar,
}

/// An answer is longer than [`AuthorizerAnswer::BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "it has {0} bytes, and at most {max} are safe: the token's principal, scopes and passed-on claims are too long beside the policy",
    max = AuthorizerAnswer::BYTES_MAX
)]
pub struct AnswerTooLong(pub usize);

/// The answer to an event, in the form that its API takes.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A policy, which every API takes.
    Policy(AuthorizerAnswer),
    /// The verdict alone.
    Simple(SimpleAnswer),
}

impl Answer {
    /// Whether it lets the caller in anywhere.
    pub fn is_allow(&self) -> bool {
        match self {
            Answer::Policy(answer) => answer.policy_document.has_allow(),
            Answer::Simple(answer) => answer.is_authorized,
        }
    }
}

/// A simple response (API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda authorizers").
#[derive(Clone)]
pub struct SimpleAnswer {
    pub(super) token: VerifiedToken,
    pub(super) is_authorized: bool,
    pub(super) context: AnswerContext,
}

/// Whether a text is as long as an API key has to be.
pub(crate) fn is_api_key(text: &str) -> bool {
    API_KEY_BYTES.contains(&text.len())
}

/// Whether the context may have this key beside the scope.
pub(crate) fn is_context_key(key: &str) -> bool {
    !key.is_empty() && key != SCOPE && !RESERVED_KEYS.contains(&key)
}

/// What the integration gets to know beside the scope, in that order.
pub(super) type AnswerContext = Vec<(String, ContextValue)>;

/// The value of `usageIdentifierKey`. It is a secret and stays out of every log.
#[derive(Clone)]
pub(super) struct ApiKey(String);

impl ApiKey {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AuthorizerAnswer {
    /// Most bytes of an answer: documented for WebSocket APIs, and a bound to stay below for REST APIs, which have no
    /// published one.
    pub const BYTES_MAX: usize = 8 * 1_024;

    pub(crate) fn new(token: VerifiedToken, policy_document: PolicyDocument) -> AuthorizerAnswer {
        AuthorizerAnswer {
            token,
            policy_document,
            context: AnswerContext::new(),
            usage_identifier_key: None,
        }
    }

    /// Adds a value for the integration, which finds it under the key in `requestContext.authorizer`.
    pub fn add_context(
        &mut self,
        key: &str,
        value: impl Into<ContextValue>,
    ) -> Result<(), AnswerError> {
        if key == SCOPE || self.context.iter().any(|(other, _)| other == key) {
            return Err(AnswerError::ContextKeyTwice(key.to_owned()));
        }
        if !is_context_key(key) {
            return Err(AnswerError::ReservedContextKey(key.to_owned()));
        }
        self.context.push((key.to_owned(), value.into()));
        Ok(())
    }

    /// Sets the API key of the caller, which API Gateway wants where its source of API keys is the authorizer.
    pub fn set_usage_identifier_key(
        &mut self,
        api_key: impl Into<String>,
    ) -> Result<(), AnswerError> {
        let api_key = api_key.into();
        if !is_api_key(&api_key) {
            return Err(AnswerError::ApiKeyLength);
        }
        self.usage_identifier_key = Some(ApiKey(api_key));
        Ok(())
    }

    /// Whether API Gateway takes an answer of this length. Nearly always that can be told without writing it.
    pub(crate) fn check_length(&self) -> Result<(), AnswerTooLong> {
        // A control character is written with six.
        const WRITTEN_MAX: usize = 6;
        let added = self.context.iter().map(|(key, value)| match value {
            ContextValue::Text(text) => key.len() + text.len(),
            ContextValue::Boolean(_) | ContextValue::Number(_) => key.len() + NUMBER_BYTES,
        });
        let texts = self.token.principal().len() + self.token.scope().len() + added.sum::<usize>();
        if self.policy_document.has_one_resource()
            && texts * WRITTEN_MAX <= AuthorizerAnswer::BYTES_MAX / 2
        {
            return Ok(());
        }
        match self.to_json().len() {
            0..=AuthorizerAnswer::BYTES_MAX => Ok(()),
            bytes => Err(AnswerTooLong(bytes)),
        }
    }

    /// The same answer for an HTTP API with simple responses: the policy becomes one verdict for every route.
    pub(crate) fn into_simple(self) -> SimpleAnswer {
        SimpleAnswer {
            is_authorized: self.policy_document.has_allow(),
            token: self.token,
            context: self.context,
        }
    }
}

impl From<bool> for ContextValue {
    fn from(value: bool) -> ContextValue {
        ContextValue::Boolean(value)
    }
}

impl From<i64> for ContextValue {
    fn from(value: i64) -> ContextValue {
        ContextValue::Number(value.into())
    }
}

impl From<&str> for ContextValue {
    fn from(value: &str) -> ContextValue {
        ContextValue::Text(value.to_owned())
    }
}

impl From<String> for ContextValue {
    fn from(value: String) -> ContextValue {
        ContextValue::Text(value)
    }
}

/// A claim can be passed on if it is a scalar.
impl TryFrom<Value> for ContextValue {
    type Error = AnswerError;

    fn try_from(value: Value) -> Result<ContextValue, AnswerError> {
        match value {
            Value::Bool(value) => Ok(ContextValue::Boolean(value)),
            Value::Number(value) => Ok(ContextValue::Number(value)),
            Value::String(value) => Ok(ContextValue::Text(value)),
            Value::Array(_) | Value::Null | Value::Object(_) => Err(AnswerError::ValueNotScalar),
        }
    }
}

/// Claims are personal data and stay out of every log, and so do their values in a context.
impl fmt::Debug for AuthorizerAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizerAnswer")
            .field("policy_document", &self.policy_document)
            .field("context", &keys(&self.context))
            .finish_non_exhaustive()
    }
}

/// The same.
impl fmt::Debug for SimpleAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SimpleAnswer")
            .field("is_authorized", &self.is_authorized)
            .field("context", &keys(&self.context))
            .finish_non_exhaustive()
    }
}

fn keys(context: &AnswerContext) -> Vec<&str> {
    context.iter().map(|(key, _)| key.as_str()).collect()
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}
