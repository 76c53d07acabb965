//! An authorizer's answer, read and validated ("Output from a Lambda authorizer", API Gateway developer guide).

use std::fmt;

use serde_json::{Map, Value};

use crate::policy::{PolicyDocument, PolicyError};
use crate::switches::{OutputLimit, PrincipalId, Switches};

/// The documented limit on an authorizer's answer for WebSocket APIs: 8 KB. See [`OutputLimit`].
pub const OUTPUT_BYTES_WEBSOCKET: usize = 8 * 1024;

/// An answer that is a permission or a refusal. Made by validation only.
#[derive(Clone)]
pub struct AuthorizerOutput {
    principal_id: Option<String>,
    policy: PolicyDocument,
    usage_identifier_key: Option<String>,
    authorizer_members: String,
    bytes: usize,
}

/// Why an answer is malformed. The caller never sees it: the gateway answers 500 with `null`.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// `context` is no flat object of strings, numbers and Booleans.
    #[error("`context` must be an object of strings, numbers and Booleans")]
    Context,
    /// Not a JSON object.
    #[error("the answer must be a JSON object")]
    NotAnObject,
    /// `policyDocument` is missing or no policy.
    #[error("`policyDocument`: {0}")]
    Policy(#[from] PolicyError),
    /// `principalId` is missing under the strict switch, or no string.
    #[error("`principalId` must be a string")]
    PrincipalId,
    /// Longer than the switch allows.
    #[error("the answer has more than {OUTPUT_BYTES_WEBSOCKET} bytes")]
    TooLong,
    /// `usageIdentifierKey` is no string.
    #[error("`usageIdentifierKey` must be a string")]
    UsageIdentifierKey,
}

impl AuthorizerOutput {
    /// Reads an authorizer's payload. Members that the gateway does not know are ignored.
    pub fn from_json(payload: &[u8], switches: &Switches) -> Result<Self, OutputError> {
        if switches.output_limit == OutputLimit::Refuse && payload.len() > OUTPUT_BYTES_WEBSOCKET {
            return Err(OutputError::TooLong);
        }
        let Ok(Value::Object(answer)) = serde_json::from_slice(payload) else {
            return Err(OutputError::NotAnObject);
        };
        let principal_id = text(answer.get("principalId"), OutputError::PrincipalId)?;
        if principal_id.is_none() && switches.principal == PrincipalId::Strict {
            return Err(OutputError::PrincipalId);
        }
        let usage_identifier_key = text(
            answer.get("usageIdentifierKey"),
            OutputError::UsageIdentifierKey,
        )?;
        let policy =
            PolicyDocument::from_value(answer.get("policyDocument").unwrap_or(&Value::Null))?;
        let context = match answer.get("context") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(context)) => as_texts(context)?,
            Some(_) => return Err(OutputError::Context),
        };
        let authorizer_members = members(principal_id, &context);
        Ok(Self {
            principal_id: principal_id.map(str::to_owned),
            policy,
            usage_identifier_key: usage_identifier_key.map(str::to_owned),
            authorizer_members,
            bytes: payload.len(),
        })
    }

    /// Who the caller is, as the authorizer said.
    pub fn principal_id(&self) -> Option<&str> {
        self.principal_id.as_deref()
    }

    /// The policy, to be evaluated for each request anew.
    pub fn policy(&self) -> &PolicyDocument {
        &self.policy
    }

    /// The API key that usage plans count on; nothing here reads it.
    pub fn usage_identifier_key(&self) -> Option<&str> {
        self.usage_identifier_key.as_deref()
    }

    /// The members of `requestContext.authorizer` as JSON text without the braces: `principalId` and the context, each
    /// value a string, as REST APIs pass them. Written once, because a cached output is sent many times.
    pub fn authorizer_members(&self) -> &str {
        &self.authorizer_members
    }

    /// The length of the payload that this was read from, which bounds what it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Without the context, which may hold what the authorizer knows of the caller.
impl fmt::Debug for AuthorizerOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerOutput")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A string, or its absence; anything else is the error.
fn text(member: Option<&Value>, error: OutputError) -> Result<Option<&str>, OutputError> {
    match member {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(error),
    }
}

/// REST APIs turn every value of the context into a string (API Gateway developer guide).
fn as_texts(context: &Map<String, Value>) -> Result<Map<String, Value>, OutputError> {
    context
        .iter()
        .map(|(name, value)| match value {
            Value::String(_) => Ok((name.clone(), value.clone())),
            Value::Bool(_) | Value::Number(_) => {
                Ok((name.clone(), Value::String(value.to_string())))
            }
            Value::Array(_) | Value::Null | Value::Object(_) => Err(OutputError::Context),
        })
        .collect()
}

fn members(principal_id: Option<&str>, context: &Map<String, Value>) -> String {
    let mut all = context.clone();
    // The principal wins over a context member of its name.
    all.shift_remove("principalId");
    if let Some(principal_id) = principal_id {
        all.shift_insert(
            0,
            "principalId".to_owned(),
            Value::String(principal_id.to_owned()),
        );
    }
    let object = Value::Object(all).to_string();
    object[1..object.len() - 1].to_owned()
}
