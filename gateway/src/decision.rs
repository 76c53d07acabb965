//! The decision table: from an authorizer's answer to what the caller gets.
//!
//! Owns the rules by their ids, the reading of an authorizer's answer, and the gateway responses. It does no I/O and
//! reads no clock, so that the same table judges an answer that came through a process and one that came from a
//! function call. Routes, identity sources and the policy cache are not its business.

use std::sync::Arc;

use crate::policy::{Evaluation, INVOKE, RequestContext};
use crate::switches::Switches;

mod answer;
mod gateway_response;
mod output;
mod refusal;

pub use answer::FunctionAnswer;
pub use gateway_response::{
    CustomResponse, ErrorContext, GatewayResponseType, GatewayResponses, RenderedResponse,
};
pub use output::{AuthorizerOutput, OUTPUT_BYTES_WEBSOCKET, OutputError};
pub use refusal::{Refusal, Rule};

/// What happens to one request.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The request goes on to the back end.
    Allow {
        /// [`Rule::Allow`], or [`Rule::Open`] for a route without an authorizer.
        rule: Rule,
        /// What the authorizer said about the caller; `None` on an open route.
        output: Option<Arc<AuthorizerOutput>>,
    },
    /// The gateway answers by itself.
    Refuse(Refusal),
}

impl Decision {
    /// Whether the request goes on to the back end.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }

    /// The id of the rule that decided, such as `R-FN-401`.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Allow { rule, .. } => rule.id(),
            Self::Refuse(refusal) => refusal.rule().id(),
        }
    }

    /// What the gateway answers by itself, when it does.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Allow { .. } => None,
            Self::Refuse(refusal) => Some(refusal),
        }
    }
}

/// Decides on an authorizer's answer with the default switches, for a request of which nothing is known but its time,
/// `now` in seconds since the epoch.
pub fn decide(answer: &FunctionAnswer, method_arn: &str, now: i64) -> Decision {
    let context = RequestContext {
        now: Some(now),
        ..RequestContext::default()
    };
    match read_answer(answer, &Switches::default()) {
        Ok(output) => judge(&Arc::new(output), method_arn, &context),
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// Reads an authorizer's answer. Only what comes back as `Ok` may be cached.
///
/// A refusal here is `R-FN-401`, `R-FN-500` or `R-OUT-500`.
pub fn read_answer(
    answer: &FunctionAnswer,
    switches: &Switches,
) -> Result<AuthorizerOutput, Refusal> {
    match answer {
        FunctionAnswer::Error { .. } if answer.is_unauthorized() => {
            Err(Refusal::function_unauthorized())
        }
        FunctionAnswer::Error { .. } => Err(Refusal::function_error(switches.function_error)),
        FunctionAnswer::Payload(payload) => AuthorizerOutput::from_json(payload, switches)
            .map_err(|error| Refusal::invalid_output(&error)),
    }
}

/// Evaluates an output, fresh or cached, for the method ARN of this request.
pub fn judge(
    output: &Arc<AuthorizerOutput>,
    method_arn: &str,
    context: &RequestContext<'_>,
) -> Decision {
    match output.policy().evaluate(INVOKE, method_arn, context) {
        Evaluation::Allow => Decision::Allow {
            rule: Rule::Allow,
            output: Some(Arc::clone(output)),
        },
        Evaluation::ExplicitDeny => Decision::Refuse(Refusal::deny()),
        Evaluation::NoMatch => Decision::Refuse(Refusal::no_match()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::switches::{AuthorizerFault, PrincipalId};

    const PETS: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/pets";

    fn payload(value: &serde_json::Value) -> FunctionAnswer {
        FunctionAnswer::Payload(Bytes::from(value.to_string()))
    }

    fn error(message: &str) -> FunctionAnswer {
        FunctionAnswer::Error {
            message: message.to_owned(),
            error_type: "Error".to_owned(),
        }
    }

    fn policy(effect: &str, resource: &str) -> serde_json::Value {
        json!({"Version": "2012-10-17",
               "Statement": [{"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}]})
    }

    /// Rule, status, error type and body of one answer.
    fn check(answer: &FunctionAnswer, want: (&str, u16, &str, &str)) {
        let decision = decide(answer, PETS, 0);
        let refusal = decision.refusal().expect("this answer is refused");
        let got = GatewayResponses::default().render(refusal, &ErrorContext::default());
        let body = String::from_utf8(got.body.to_vec()).unwrap();
        assert_eq!(
            (
                decision.rule(),
                got.status.as_u16(),
                refusal.error_type(),
                body.as_str()
            ),
            want
        );
    }

    #[test]
    fn each_answer_that_is_no_permission_gets_the_response_of_the_table() {
        let unauthorized = (
            "R-FN-401",
            401,
            "UnauthorizedException",
            r#"{"message":"Unauthorized"}"#,
        );
        let function = (
            "R-FN-500",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        );
        let output = (
            "R-OUT-500",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        );
        let deny = (
            "R-DENY",
            403,
            "AccessDeniedException",
            r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#,
        );
        let no_match = (
            "R-NOMATCH",
            403,
            "AccessDeniedException",
            r#"{"Message":"User is not authorized to access this resource"}"#,
        );
        check(&error("Unauthorized"), unauthorized);
        for message in [
            "unauthorized",
            "Unauthorized.",
            "Unauthorized: expired",
            " Unauthorized",
            "",
            "boom",
        ] {
            check(&error(message), function);
        }
        let named = |policy| json!({"principalId": "user", "policyDocument": policy});
        check(&payload(&named(policy("Deny", "*"))), deny);
        check(
            &payload(&json!({"policyDocument": policy("Deny", "*")})),
            deny,
        );
        check(
            &payload(&named(policy("Allow", "arn:aws:execute-api:*:*:*/prod/*"))),
            no_match,
        );
        check(
            &payload(&named(json!({"Version": "2012-10-17", "Statement": []}))),
            no_match,
        );
        for malformed in [
            json!(null),
            json!("Unauthorized"),
            json!([]),
            json!({"principalId": "user"}),
            json!({"principalId": 7, "policyDocument": policy("Allow", "*")}),
            named(policy("allow", "*")),
            json!({"principalId": "user", "policyDocument": policy("Allow", "*"), "context": {"a": {"b": 1}}}),
            json!({"principalId": "user", "policyDocument": policy("Allow", "*"), "context": {"a": ["b"]}}),
            json!({"principalId": "user", "policyDocument": policy("Allow", "*"), "context": "a"}),
            json!({"principalId": "user", "policyDocument": policy("Allow", "*"), "usageIdentifierKey": 1}),
        ] {
            check(&payload(&malformed), output);
        }
        check(
            &FunctionAnswer::Payload(Bytes::from_static(b"{\"principalId\":")),
            output,
        );
        check(&FunctionAnswer::Payload(Bytes::new()), output);
    }

    #[test]
    fn an_allow_passes_the_principal_and_the_context_as_texts() {
        let answer = json!({"principalId": "user \"1\"", "policyDocument": policy("Allow", "*/test/*"),
                            "context": {"n": 1, "f": 1.5, "yes": true, "text": "a"}, "usageIdentifierKey": "key"});
        let Decision::Allow { rule, output } = decide(&payload(&answer), PETS, 0) else {
            panic!("this answer allows")
        };
        assert_eq!(rule.id(), "R-ALLOW");
        let output = output.expect("an allow of an authorizer carries its output");
        assert_eq!(output.principal_id(), Some("user \"1\""));
        assert_eq!(output.usage_identifier_key(), Some("key"));
        let seen: serde_json::Value =
            serde_json::from_str(&format!("{{{}}}", output.authorizer_members())).unwrap();
        assert_eq!(
            seen,
            json!({"principalId": "user \"1\"", "n": "1", "f": "1.5", "yes": "true", "text": "a"})
        );
    }

    #[test]
    fn the_switches_change_what_they_name_and_nothing_else() {
        let nameless = payload(&json!({"policyDocument": policy("Allow", "*")}));
        assert!(decide(&nameless, PETS, 0).is_allow());
        let strict = Switches {
            principal: PrincipalId::Strict,
            ..Switches::default()
        };
        assert_eq!(
            read_answer(&nameless, &strict).unwrap_err().rule(),
            Rule::OutputInvalid
        );
        let failure = Switches {
            function_error: AuthorizerFault::Failure,
            ..Switches::default()
        };
        assert_eq!(
            read_answer(&error("boom"), &failure)
                .unwrap_err()
                .error_type(),
            "AuthorizerFailureException"
        );
        let long = payload(
            &json!({"principalId": "u".repeat(9000), "policyDocument": policy("Allow", "*")}),
        );
        assert!(decide(&long, PETS, 0).is_allow());
        let short = Switches {
            output_limit: crate::switches::OutputLimit::Refuse,
            ..Switches::default()
        };
        assert_eq!(
            read_answer(&long, &short).unwrap_err().rule(),
            Rule::OutputInvalid
        );
    }
}
