//! What API Gateway is told about an authorizer: cache time, identity source, validation expression; in a file of ours,
//! in `OpenAPI` (`x-amazon-apigateway-authorizer`), `CloudFormation` (`AWS::ApiGateway::Authorizer`) or SAM (`Auth`).

use super::rule::{Hits, Rule, Severity};
use super::syntax::{Node, Value};
use super::{expression, policy};

static TTL: Rule = Rule {
    id: "config::ttl-out-of-range",
    severity: Severity::Error,
    wrong: "a cache time outside of 0 to 3600 seconds",
    why: "API Gateway refuses the authorizer",
    source: "API Gateway REST API reference, Authorizer (authorizerResultTtlInSeconds)",
};
static SOURCE: Rule = Rule {
    id: "config::identity-source-malformed",
    severity: Severity::Error,
    wrong: "an identity source that is no mapping expression",
    why: "a bare header name is not found in any request, so every caller gets 401, or the authorizer is refused",
    source: "API Gateway REST API reference, Authorizer (identitySource)",
};
static ROOT_SECURITY: Rule = Rule {
    id: "config::root-security-ignored",
    severity: Severity::Error,
    wrong: "`security` at the root of an OpenAPI document for a REST API, and operations without their own",
    why: "API Gateway ignores it for REST APIs: those operations are open to everyone",
    source: "API Gateway developer guide, \"Amazon API Gateway important notes\" (root-level security)",
};
static PREFLIGHT: Rule = Rule {
    id: "config::preflight-behind-authorizer",
    severity: Severity::Warning,
    wrong: "SAM's `Cors` with a `DefaultAuthorizer`, which also guards OPTIONS",
    why: "a browser's preflight carries no token and gets 401, so no call of a page arrives",
    source: "SAM developer guide, ApiAuth (AddDefaultAuthorizerToCorsPreflight)",
};

pub(super) const RULES: &[&Rule] = &[&TTL, &SOURCE, &ROOT_SECURITY, &PREFLIGHT];

pub(super) const EXPRESSION_KEYS: [&str; 4] = [
    "identity_validation_expression",
    "identityValidationExpression",
    "IdentityValidationExpression",
    "ValidationExpression",
];
const TTL_KEYS: [&str; 5] = [
    "authorizer_result_ttl",
    "authorizer_result_ttl_in_seconds",
    "authorizerResultTtlInSeconds",
    "AuthorizerResultTtlInSeconds",
    "ReauthorizeEvery",
];
const SOURCE_KEYS: [&str; 3] = ["identity_source", "identitySource", "IdentitySource"];

/// The longest cache time, in seconds.
const TTL_S_MAX: f64 = 3600.0;

/// Whether an object is about an authorizer's place in API Gateway.
pub(super) fn is_about_it(node: &Node) -> bool {
    [&EXPRESSION_KEYS[..], &TTL_KEYS, &SOURCE_KEYS]
        .iter()
        .any(|keys| node.any(keys).is_some())
}

/// The cache time of an object, in seconds.
pub(super) fn ttl_s(node: &Node) -> Option<f64> {
    match &node.any(&TTL_KEYS)?.value {
        Value::Number(number) => number.parse().ok(),
        Value::Text(text) => seconds(text),
        _ => None,
    }
}

/// A number of seconds, or a duration such as `300s` and `5m`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = text.split_at(
        text.find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(text.len()),
    );
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    number
        .trim()
        .parse::<f64>()
        .ok()
        .map(|number| number * scale)
}

pub(super) fn check(node: &Node, hits: &mut Hits) {
    if let Some(found) = node.any(&EXPRESSION_KEYS)
        && let Some(text) = found.text()
    {
        expression::check(text, found.at, hits);
    }
    if let (Some(found), Some(ttl_s)) = (node.any(&TTL_KEYS), ttl_s(node)) {
        check_ttl(ttl_s, found.at, hits);
    }
    for source in node.any(&SOURCE_KEYS).map_or(&[][..], Node::each) {
        for one in source.text().unwrap_or_default().split(',') {
            check_source(one.trim(), source.at, hits);
        }
    }
}

pub(super) fn check_ttl(ttl_s: f64, at: usize, hits: &mut Hits) {
    if !(0.0..=TTL_S_MAX).contains(&ttl_s) {
        let write = "0 to switch the cache off, or up to 3600";
        hits.add(
            &TTL,
            at,
            format!("{ttl_s} s is not between 0 and 3600"),
            write,
        );
    }
}

fn check_source(source: &str, at: usize, hits: &mut Hits) {
    const PREFIXES: [&str; 10] = [
        "method.request.header.",
        "method.request.querystring.",
        "route.request.header.",
        "route.request.querystring.",
        "context.",
        "stageVariables.",
        "$request.header.",
        "$request.querystring.",
        "$context.",
        "$stageVariables.",
    ];
    if source.is_empty() || PREFIXES.iter().any(|prefix| source.starts_with(prefix)) {
        return;
    }
    // Anything else with a placeholder may still become one.
    if !policy::is_open(source) || source.starts_with("$request.") {
        let header = source.rsplit('.').next().unwrap_or(source);
        let write =
            format!("method.request.header.{header}, or $request.header.{header} for an HTTP API");
        hits.add(
            &SOURCE,
            at,
            format!("{source} is no mapping expression"),
            write,
        );
    }
}

/// `OpenAPI`: what stands at the root and not at the operation.
pub(super) fn check_openapi(root: &Node, hits: &mut Hits) {
    let Some(security) = root
        .members()
        .iter()
        .find(|member| member.key == "security")
    else {
        return;
    };
    let schemes = root
        .get("securityDefinitions")
        .or_else(|| root.get("components")?.get("securitySchemes"));
    let of_rest = |scheme: &Node| {
        let kind = scheme
            .get("x-amazon-apigateway-authorizer")
            .and_then(|authorizer| authorizer.get("type"));
        // TOKEN authorizers are of REST APIs alone; the others may be of an HTTP API, which is another case.
        kind.and_then(Node::text)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("token"))
    };
    let rest =
        schemes.is_some_and(|schemes| schemes.members().iter().any(|member| of_rest(&member.node)));
    let operations = root
        .get("paths")
        .map_or(&[][..], Node::members)
        .iter()
        .flat_map(|path| path.node.members());
    let open = operations
        .filter(|operation| !matches!(operation.key.as_str(), "parameters" | "options"))
        .any(|operation| {
            matches!(operation.node.value, Value::Object(_))
                && operation.node.get("security").is_none()
        });
    if rest && open {
        hits.add(
            &ROOT_SECURITY,
            security.at,
            "security at the root, and operations without their own",
            "security at every operation",
        );
    }
}

/// SAM: an API with `Cors` and `Auth.DefaultAuthorizer`.
pub(super) fn check_sam(node: &Node, hits: &mut Hits) {
    let (Some(_), Some(auth)) = (node.get("Cors"), node.get("Auth")) else {
        return;
    };
    let preflight = auth
        .get("AddDefaultAuthorizerToCorsPreflight")
        .map(|node| &node.value);
    let default = auth
        .members()
        .iter()
        .find(|member| member.key == "DefaultAuthorizer");
    if let Some(default) = default
        && preflight != Some(&Value::Boolean(false))
        && default.node.text() != Some("AWS_IAM")
    {
        hits.add(
            &PREFLIGHT,
            default.at,
            "the default authorizer guards OPTIONS too",
            "\"AddDefaultAuthorizerToCorsPreflight\": false",
        );
    }
}
