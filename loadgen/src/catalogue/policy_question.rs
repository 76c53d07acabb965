//! What a case asks about the policy that an authorizer answers with, as data.

use serde::Deserialize;

/// What a case asks about the policy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuestion {
    /// The method ARNs that the answer is evaluated for, all of which have to get the expected decision; the event's own
    /// when there are none.
    #[serde(default)]
    pub arns: Vec<String>,
    /// What the answer has to look like.
    #[serde(default)]
    pub shape: Vec<ShapeRule>,
    /// Whether a failure of the function, or an answer that is none, is as good as a refusal, because API Gateway never
    /// sends such an event.
    #[serde(default)]
    pub may_fail: bool,
    /// Whether only those ARNs count which the policy of a plain request does not allow.
    #[serde(default)]
    pub wider_than_usual: bool,
}

/// What an authorizer's answer has to look like ("Output from an API Gateway Lambda authorizer").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShapeRule {
    /// Each statement's action covers `execute-api:Invoke` and no other service.
    Action,
    /// `context` is an object of strings, numbers and Booleans.
    Context,
    /// `principalId` is a text with something in it.
    PrincipalId,
    /// The answer has at most 8 KB.
    Size,
    /// `Version` is `2012-10-17`.
    Version,
}
