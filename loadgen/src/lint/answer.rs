//! The whole answer of an authorizer (API Gateway developer guide, "Output from an API Gateway Lambda authorizer"; for
//! HTTP APIs, "Control access to HTTP APIs with AWS Lambda authorizers").

use super::Options;
use super::arn::Arn;
use super::policy::{self, Use};
use super::rule::{Hits, Rule, Severity};
use super::syntax::{Node, Value};

const OUTPUT_PAGE: &str =
    "API Gateway developer guide, \"Output from an API Gateway Lambda authorizer\"";

static PRINCIPAL_MISSING: Rule = Rule {
    id: "answer::principal-missing",
    severity: Severity::Error,
    wrong: "no principalId, an empty one, or one that is no text",
    why: "the answer has to name the principal; without one API Gateway may answer 500 to every caller",
    source: OUTPUT_PAGE,
};
static POLICY_MISSING: Rule = Rule {
    id: "answer::policy-missing",
    severity: Severity::Error,
    wrong: "no policyDocument",
    why: "an answer without a policy is malformed: API Gateway answers 500 and not 403",
    source: OUTPUT_PAGE,
};
static CONTEXT_NOT_SCALAR: Rule = Rule {
    id: "answer::context-not-scalar",
    severity: Severity::Error,
    wrong: "an array or an object as a value of context",
    why: "a REST API takes text, numbers and booleans there; with anything else the request ends in 500",
    source: OUTPUT_PAGE,
};
static CONTEXT_CLAIMS: Rule = Rule {
    id: "answer::context-claims-reserved",
    severity: Severity::Warning,
    wrong: "a value of context that is called claims",
    why: "the name is reserved for what user-pool and JWT authorizers put there",
    source: "API Gateway developer guide, \"Variables for data transformations for API Gateway\" ($context.authorizer.claims)",
};
static USAGE_KEY: Rule = Rule {
    id: "answer::usage-key-not-text",
    severity: Severity::Error,
    wrong: "a usageIdentifierKey that is no text",
    why: "it has to be the value of an API key; with anything else the request is refused",
    source: OUTPUT_PAGE,
};
static IS_AUTHORIZED: Rule = Rule {
    id: "answer::is-authorized-not-boolean",
    severity: Severity::Error,
    wrong: "an isAuthorized that is no boolean",
    why: "the simple answer of an HTTP API is true or false; a text is another thing",
    source: "API Gateway developer guide, \"Control access to HTTP APIs with AWS Lambda authorizers\"",
};
static SINGLE_METHOD: Rule = Rule {
    id: "policy::single-method-with-cache",
    severity: Severity::Warning,
    wrong: "an Allow for one method, answered by an authorizer whose answers are cached",
    why: "the answer is cached under the token and evaluated again for each request with it: until it expires every other \
method answers 403, without asking the authorizer",
    source: "API Gateway developer guide, \"Output from an API Gateway Lambda authorizer\" (caching); \
\"Use API Gateway Lambda authorizers\" (TTL 0 to 3600 seconds, default 300)",
};
static TOO_LARGE: Rule = Rule {
    id: "policy::document-too-large",
    severity: Severity::Warning,
    wrong: "an answer of more than 8 KB",
    why: "8 KB is the documented limit for WebSocket APIs; for REST APIs none is published, and larger policies have failed",
    source: "API Gateway developer guide, \"Quotas for configuring and running a WebSocket API\" (authorizer result size)",
};

pub(super) const RULES: &[&Rule] = &[
    &TOO_LARGE,
    &SINGLE_METHOD,
    &PRINCIPAL_MISSING,
    &POLICY_MISSING,
    &CONTEXT_NOT_SCALAR,
    &CONTEXT_CLAIMS,
    &USAGE_KEY,
    &IS_AUTHORIZED,
];

/// The limit on an answer, in bytes of JSON without white space.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// The cache's time to live when nobody sets one, in seconds.
const TTL_S_DEFAULT: u32 = 300;

pub(super) fn check(answer: &Node, text: &str, options: Options, hits: &mut Hits) {
    let simple = answer.get("isAuthorized");
    if let Some(node) = simple
        && !matches!(node.value, Value::Boolean(_) | Value::Code(_))
    {
        hits.add(
            &IS_AUTHORIZED,
            node.at,
            "isAuthorized is no boolean",
            "true or false, without quotes",
        );
    }
    check_size(answer, text, hits);
    match answer.get("policyDocument") {
        // The simple answer needs neither policy nor principal, and its context may hold anything.
        None if simple.is_some() => return,
        None => hits.add(
            &POLICY_MISSING,
            answer.at,
            "the answer has no policyDocument",
            "\"policyDocument\": {\"Version\": \"2012-10-17\", \"Statement\": […]}",
        ),
        Some(node) if matches!(node.value, Value::Object(_)) => {
            policy::check(node, Use::Answer, hits);
            check_single_method(node, options, hits);
        }
        Some(node) if matches!(node.value, Value::Code(_)) => {}
        Some(node) => hits.add(
            &POLICY_MISSING,
            node.at,
            "policyDocument is no object",
            "the policy as an object, not as text",
        ),
    }
    check_principal(answer, hits);
    if !options.http_api {
        check_context(answer, hits);
    }
    if let Some(node) = answer.get("usageIdentifierKey")
        && !matches!(node.value, Value::Text(_) | Value::Code(_))
    {
        hits.add(
            &USAGE_KEY,
            node.at,
            "usageIdentifierKey is no text",
            "the API key in quotes",
        );
    }
}

fn check_principal(answer: &Node, hits: &mut Hits) {
    let write = "\"principalId\": the token's sub";
    match answer.get("principalId") {
        None => hits.add(
            &PRINCIPAL_MISSING,
            answer.at,
            "the answer has no principalId",
            write,
        ),
        Some(node) => match &node.value {
            Value::Code(code) if code != "undefined" => {}
            Value::Text(text) if !text.is_empty() => {}
            _ => hits.add(
                &PRINCIPAL_MISSING,
                node.at,
                "principalId is empty or no text",
                write,
            ),
        },
    }
}

fn check_context(answer: &Node, hits: &mut Hits) {
    let Some(context) = answer.get("context") else {
        return;
    };
    if matches!(context.value, Value::Array(_) | Value::Text(_)) {
        let message = "context is no object";
        hits.add(
            &CONTEXT_NOT_SCALAR,
            context.at,
            message,
            "\"context\": {\"scope\": \"read:orders\"}",
        );
    }
    for member in context.members() {
        if matches!(member.node.value, Value::Array(_) | Value::Object(_)) {
            hits.add(
                &CONTEXT_NOT_SCALAR,
                member.node.at,
                format!("context.{} is an array or an object", member.key),
                "one text: the values joined by spaces, or JSON in a string",
            );
        }
        if member.key == "claims" {
            hits.add(
                &CONTEXT_CLAIMS,
                member.at,
                "context.claims is reserved",
                "another name",
            );
        }
    }
}

fn check_size(answer: &Node, text: &str, hits: &mut Hits) {
    let slice = &text[answer.at..answer.end];
    if slice.len() <= ANSWER_BYTES_MAX {
        return;
    }
    let compact =
        serde_json::from_str::<serde_json::Value>(slice).map_or(0, |value| value.to_string().len());
    if compact > ANSWER_BYTES_MAX {
        hits.add(
            &TOO_LARGE,
            answer.at,
            format!("the answer has {compact} bytes"),
            "wildcards in place of one resource a route",
        );
    }
}

/// One Allow for one method, and no other. Several resources are a list that somebody thought of.
fn check_single_method(policy: &Node, options: Options, hits: &mut Hits) {
    let ttl_s = options.ttl_s.unwrap_or(TTL_S_DEFAULT);
    let allows: Vec<&Node> = policy::statements(policy)
        .into_iter()
        .filter(|statement| policy::is_allow(statement))
        .filter_map(|statement| statement.get("Resource"))
        .flat_map(Node::each)
        .collect();
    let [resource] = allows[..] else { return };
    let single = match &resource.value {
        Value::Text(text) => Arn::parse(text).is_some_and(|arn| arn.is_single_method()),
        Value::Code(code) => {
            let name = code
                .rsplit(['.', '\'', '"'])
                .find(|part| part.starts_with(char::is_alphabetic));
            matches!(name, Some("methodArn" | "routeArn"))
        }
        _ => false,
    };
    if single && ttl_s > 0 {
        let assumed = if options.ttl_s.is_none() {
            " (the default)"
        } else {
            ""
        };
        hits.add(
            &SINGLE_METHOD,
            resource.at,
            format!("allows one method, and the answer is cached for {ttl_s} s{assumed}"),
            "the stage with wildcards, …/{stage}/*/*, or every route that the token may call; or a TTL of 0",
        );
    }
}
