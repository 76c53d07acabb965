//! IAM policies of authorizers: what they say about one call.
//!
//! Owns reading a policy document and evaluating it (IAM user guide, "Policy evaluation logic"): an explicit Deny beats
//! every Allow, and nothing that matches is an implicit refusal. It knows nothing of authorizer answers, caches or HTTP
//! statuses. It does no I/O and reads no clock: the time is a member of [`RequestContext`].

mod condition;
mod context;
mod document;
mod glob;
mod instant;

pub use context::RequestContext;
pub use document::{PolicyDocument, PolicyError};

use document::{Effect, Scope, Statement};

/// The action that every call of an API asks for.
pub const INVOKE: &str = "execute-api:Invoke";

/// What a policy says about one call. The two refusals have different messages at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation {
    /// A statement allows the call and none denies it.
    Allow,
    /// A Deny statement applies.
    ExplicitDeny,
    /// No statement applies: the implicit refusal.
    NoMatch,
}

impl PolicyDocument {
    /// What this policy says about `action` on `method_arn`.
    ///
    /// Actions are compared without regard to case, resources with it. A wildcard crosses `/` and `:`; the ARN is a
    /// text here, as a path may hold colons of its own.
    pub fn evaluate(
        &self,
        action: &str,
        method_arn: &str,
        context: &RequestContext<'_>,
    ) -> Evaluation {
        let mut allowed = false;
        for statement in &self.statements {
            if !statement.covers(action, method_arn) || !statement.condition_applies(context) {
                continue;
            }
            match statement.effect {
                Effect::Allow => allowed = true,
                Effect::Deny => return Evaluation::ExplicitDeny,
            }
        }
        if allowed {
            Evaluation::Allow
        } else {
            Evaluation::NoMatch
        }
    }
}

impl Statement {
    fn covers(&self, action: &str, method_arn: &str) -> bool {
        self.action
            .includes(|pattern| glob::matches_ignoring_case(pattern, action))
            && self
                .resource
                .includes(|pattern| glob::matches(pattern, method_arn))
    }

    /// Whether the conditions are met, where "cannot tell" counts against the caller: an Allow needs conditions that
    /// are known to be met, a Deny needs one that is known not to be.
    fn condition_applies(&self, context: &RequestContext<'_>) -> bool {
        let mut unknown = false;
        for condition in &self.conditions {
            match condition.evaluate(context) {
                condition::Verdict::Met => {}
                condition::Verdict::Unknown => unknown = true,
                condition::Verdict::Unmet => return false,
            }
        }
        !unknown || self.effect == Effect::Deny
    }
}

impl Scope {
    fn includes(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::AnyOf(patterns) => patterns.iter().any(|pattern| matches(pattern)),
            Self::NoneOf(patterns) => !patterns.iter().any(|pattern| matches(pattern)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PETS: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/pets";

    fn check(statements: &serde_json::Value, context: &RequestContext<'_>, want: Evaluation) {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let policy = PolicyDocument::from_value(&document).expect("the test's policy is valid");
        assert_eq!(policy.evaluate(INVOKE, PETS, context), want, "{statements}");
    }

    fn caller() -> RequestContext<'static> {
        RequestContext {
            // 2026-11-23T10:00:00Z.
            now: Some(1_795_428_000),
            secure_transport: Some(true),
            source_ip: Some("192.0.2.7".parse().unwrap()),
            user_agent: Some("curl/8.5.0"),
        }
    }

    #[test]
    fn not_action_and_not_resource_cover_everything_else() {
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        for (second, want) in [
            (
                json!({"Effect": "Deny", "NotAction": "execute-api:Invoke", "Resource": "*"}),
                Evaluation::Allow,
            ),
            (
                json!({"Effect": "Deny", "NotAction": "execute-api:Manage*", "Resource": "*"}),
                Evaluation::ExplicitDeny,
            ),
            (
                json!({"Effect": "Deny", "Action": "*", "NotResource": "*/pets"}),
                Evaluation::Allow,
            ),
            (
                json!({"Effect": "Deny", "Action": "*", "NotResource": ["*/pet", "*/s"]}),
                Evaluation::ExplicitDeny,
            ),
        ] {
            check(&json!([allow, second]), &caller(), want);
        }
    }

    #[test]
    fn a_condition_that_is_met_lets_its_statement_apply() {
        for condition in [
            json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
            json!({"IpAddress": {"AWS:sourceip": ["10.0.0.0/8", "192.0.2.7"]}}),
            json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}),
            json!({"StringEquals": {"aws:UserAgent": "curl/8.5.0"}}),
            json!({"StringEqualsIgnoreCase": {"aws:UserAgent": "CURL/8.5.0"}}),
            json!({"StringLike": {"aws:UserAgent": "curl/*"}}),
            json!({"StringNotLike": {"aws:UserAgent": ["Mozilla*", "python*"]}}),
            json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-23T09:59:59Z"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2026-11-24"}}),
            json!({"DateEquals": {"aws:CurrentTime": "1795428000"}}),
            json!({"NumericLessThanEquals": {"aws:EpochTime": "1795428000"}}),
            json!({"NumericLessThanEquals": {"aws:EpochTime": 1_795_428_000}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"Bool": {"aws:SecureTransport": true}}),
            json!({"Null": {"aws:SourceIp": "false"}}),
        ] {
            check(
                &json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}),
                &caller(),
                Evaluation::Allow,
            );
            check(
                &json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}),
                &caller(),
                Evaluation::ExplicitDeny,
            );
        }
    }

    #[test]
    fn a_condition_that_is_not_met_takes_its_statement_out() {
        for condition in [
            json!({"IpAddress": {"aws:SourceIp": "192.0.3.0/24"}}),
            json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}),
            json!({"StringEquals": {"aws:UserAgent": "CURL/8.5.0"}}),
            json!({"StringNotEquals": {"aws:UserAgent": ["x", "curl/8.5.0"]}}),
            json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-23T10:00:00Z"}}),
            json!({"Null": {"aws:SourceIp": "true"}}),
            json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "StringLike": {"aws:UserAgent": "wget*"}}),
        ] {
            check(
                &json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}),
                &caller(),
                Evaluation::NoMatch,
            );
            check(
                &json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}),
                &caller(),
                Evaluation::NoMatch,
            );
        }
    }

    #[test]
    fn an_absent_key_meets_only_negated_and_if_exists_conditions() {
        let nobody = RequestContext::default();
        for (condition, want) in [
            (
                json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
                Evaluation::NoMatch,
            ),
            (
                json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
                Evaluation::Allow,
            ),
            (
                json!({"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}),
                Evaluation::Allow,
            ),
            (
                json!({"StringNotEquals": {"aws:UserAgent": "curl"}}),
                Evaluation::Allow,
            ),
            (
                json!({"DateLessThan": {"aws:CurrentTime": "2100-01-01"}}),
                Evaluation::NoMatch,
            ),
            (json!({"Null": {"aws:SourceIp": "true"}}), Evaluation::Allow),
        ] {
            check(
                &json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}),
                &nobody,
                want,
            );
        }
    }

    #[test]
    fn a_condition_that_cannot_be_judged_never_helps_the_caller() {
        for condition in [
            json!({"ArnLike": {"aws:PrincipalArn": "*"}}),
            json!({"StringEquals": {"aws:PrincipalTag/team": "a"}}),
            json!({"StringNotEquals": {"aws:PrincipalTag/team": "a"}}),
            json!({"ForAnyValue:StringEquals": {"aws:UserAgent": "curl/8.5.0"}}),
            json!({"IpAddress": {"aws:SourceIp": "not an address"}}),
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}),
        ] {
            let allow =
                json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
            check(&allow, &caller(), Evaluation::NoMatch);
            let deny =
                json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition});
            check(&deny, &caller(), Evaluation::ExplicitDeny);
        }
    }
}
