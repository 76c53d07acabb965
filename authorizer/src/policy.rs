//! The function's answer: principal, policy and context (API Gateway developer guide, "Output from an API Gateway Lambda
//! authorizer").
//!
//! The policy names the whole stage, `…/{stage}/*/*`, and not the one method that was called. API Gateway caches the
//! answer under the token and evaluates it again for every request with that token, whatever its route: an Allow for the
//! one `methodArn` would answer every *other* route with 403 until the cache entry expires, up to an hour later. What the
//! token may do does not depend on the route here, so the same holds for the Deny.

use serde::Serialize;

use crate::{MethodArn, VerifiedToken};

/// An IAM policy of one statement about a stage of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: Effect,
    resource: String,
}

/// There is no default: a policy without an explicit effect must not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Effect {
    Allow,
    Deny,
}

impl PolicyDocument {
    /// Allows the bearer of a verified token to call every method of the stage. There is no other way to an Allow.
    pub fn allow(_proof: &VerifiedToken, method_arn: &MethodArn<'_>) -> PolicyDocument {
        PolicyDocument::stage_wide(Effect::Allow, method_arn)
    }

    /// Denies every method of the stage, explicitly.
    pub fn deny(method_arn: &MethodArn<'_>) -> PolicyDocument {
        PolicyDocument::stage_wide(Effect::Deny, method_arn)
    }

    fn stage_wide(effect: Effect, method_arn: &MethodArn<'_>) -> PolicyDocument {
        PolicyDocument {
            // The version of the policy language, not of this policy.
            version: "2012-10-17",
            statement: [Statement {
                action: "execute-api:Invoke",
                effect,
                resource: method_arn.stage_resource(),
            }],
        }
    }
}

/// The answer to a TOKEN event, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerAnswer {
    principal_id: String,
    policy_document: PolicyDocument,
    context: AnswerContext,
}

/// What the integration gets to know. REST APIs take strings, numbers and booleans only; an array or an object makes the
/// whole answer invalid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct AnswerContext {
    scope: String,
}

impl AuthorizerAnswer {
    pub(crate) fn new(token: VerifiedToken, policy_document: PolicyDocument) -> AuthorizerAnswer {
        let (principal_id, scope) = token.into_principal_and_scope();
        AuthorizerAnswer {
            principal_id,
            policy_document,
            context: AnswerContext { scope },
        }
    }
}
