//! Trust policies: who may assume a role (IAM user guide, "Roles terms and concepts", "IAM and AWS STS condition context
//! keys").

use super::arn::{self, Arn, shortened};
use super::policy;
use super::rule::{Hits, Rule, Severity};
use super::sentences;
use super::syntax::{Node, Value};

static VERSION: Rule = Rule {
    id: "trust::policy-version",
    severity: Severity::Error,
    wrong: "a Version that the policy language does not have",
    why: "Version names the policy language and not the policy's own date; IAM refuses any but 2012-10-17 and 2008-10-17",
    source: "IAM user guide, \"IAM JSON policy elements: Version\"",
};
static PRINCIPAL_MISSING: Rule = Rule {
    id: "trust::principal-missing",
    severity: Severity::Error,
    wrong: "a statement without Principal",
    why: "a trust policy says who may assume the role; without a principal it is refused",
    source: "IAM user guide, \"AWS JSON policy elements: Principal\"",
};
static PRINCIPAL_ANYONE: Rule = Rule {
    id: "trust::principal-anyone",
    severity: Severity::Error,
    wrong: "an Allow for every principal, without a condition",
    why: "every AWS account in the world may assume the role",
    source: "IAM user guide, \"AWS JSON policy elements: Principal\" (all principals)",
};
static PRINCIPAL_SERVICE: Rule = Rule {
    id: "trust::principal-service",
    severity: Severity::Error,
    wrong: "a service principal that is none",
    why: "the service can then not assume the role, or IAM refuses the policy; API Gateway is apigateway.amazonaws.com, \
Lambda is lambda.amazonaws.com",
    source: "IAM user guide, \"AWS JSON policy elements: Principal\" (AWS service principals)",
};
static ACTION: Rule = Rule {
    id: "trust::action-does-not-fit-principal",
    severity: Severity::Error,
    wrong: "an action by which this kind of principal cannot assume a role",
    why: "a SAML provider's users come by AssumeRoleWithSAML, an OpenID provider's by AssumeRoleWithWebIdentity, services \
and accounts by AssumeRole",
    source: "IAM user guide, \"Methods to assume a role\"",
};
static RESOURCE: Rule = Rule {
    id: "trust::resource-not-allowed",
    severity: Severity::Error,
    wrong: "a Resource in a trust policy",
    why: "the role itself is the resource; IAM refuses a trust policy that names one",
    source: "IAM user guide, \"IAM JSON policy elements: Resource\"",
};
static SAML_KEY: Rule = Rule {
    id: "trust::saml-condition-key-unknown",
    severity: Severity::Error,
    wrong: "a condition on a SAML key that does not exist",
    why: "a key that is never in the request makes the condition fail, so nobody can assume the role",
    source: "IAM user guide, \"IAM and AWS STS condition context keys\" (keys for SAML-based AWS STS federation)",
};
static SAML_AUDIENCE: Rule = Rule {
    id: "trust::saml-audience",
    severity: Severity::Error,
    wrong: "a SAML:aud that is no sign-in endpoint of AWS",
    why: "SAML:aud is the Recipient of the assertion, the URL of the sign-in endpoint, and not the assertion's Audience",
    source: "IAM user guide, \"IAM and AWS STS condition context keys\" (saml:aud)",
};

pub(super) const RULES: &[&Rule] = &[
    &VERSION,
    &PRINCIPAL_MISSING,
    &PRINCIPAL_ANYONE,
    &PRINCIPAL_SERVICE,
    &ACTION,
    &RESOURCE,
    &SAML_KEY,
    &SAML_AUDIENCE,
    &sentences::SAML_NAME,
];

/// The keys of the IAM user guide's list, in lower case: condition keys are compared without regard to case.
const SAML_KEYS: [&str; 32] = [
    "aud",
    "cn",
    "commonname",
    "doc",
    "edupersonaffiliation",
    "edupersonassurance",
    "edupersonentitlement",
    "edupersonnickname",
    "edupersonorgdn",
    "edupersonorgunitdn",
    "edupersonprimaryaffiliation",
    "edupersonprimaryorgunitdn",
    "edupersonprincipalname",
    "edupersonscopedaffiliation",
    "edupersontargetedid",
    "eduorghomepageuri",
    "eduorgidentityauthnpolicyuri",
    "eduorglegalname",
    "eduorgsuperioruri",
    "eduorgwhitepagesuri",
    "givenname",
    "iss",
    "mail",
    "name",
    "namequalifier",
    "organizationstatus",
    "primarygroupsid",
    "sub",
    "sub_type",
    "surname",
    "uid",
    "x500uniqueidentifier",
];

pub(super) fn check(policy: &Node, hits: &mut Hits) {
    policy::check_frame(policy, &VERSION, hits);
    for statement in policy::statements(policy) {
        match statement.get("Principal") {
            Some(principal) => check_principal(statement, principal, hits),
            None if statement.get("NotPrincipal").is_some() => {}
            None => hits.add(
                &PRINCIPAL_MISSING,
                statement.at,
                "the statement has no Principal",
                "\"Principal\": {\"Service\": \"apigateway.amazonaws.com\"}",
            ),
        }
        if let Some(member) = statement.members().iter().find(|m| m.key == "Resource") {
            hits.add(
                &RESOURCE,
                member.at,
                "Resource in a trust policy",
                "no Resource at all",
            );
        }
        check_saml_condition(statement, hits);
    }
}

fn check_principal(statement: &Node, principal: &Node, hits: &mut Hits) {
    let anyone = |node: &Node| node.each().iter().any(|item| item.text() == Some("*"));
    let open = anyone(principal) || principal.get("AWS").is_some_and(anyone);
    if open && policy::is_allow(statement) && statement.get("Condition").is_none() {
        let message = "everyone may assume the role";
        hits.add(
            &PRINCIPAL_ANYONE,
            principal.at,
            message,
            "the account, service or provider that needs the role",
        );
    }
    for (service, at) in policy::texts(principal, "Service") {
        check_service(service, at, hits);
    }
    for (value, at) in ["Federated", "AWS"]
        .iter()
        .flat_map(|kind| policy::texts(principal, kind))
    {
        if let Some(arn) = Arn::parse(value) {
            arn::check_account(&arn, at, hits);
        }
    }
    check_action(statement, principal, hits);
}

fn check_service(service: &str, at: usize, hits: &mut Hits) {
    // `amazonaws.com.cn` for a few services of the partition in China.
    let shaped = service.ends_with(".amazonaws.com") || service.ends_with(".amazonaws.com.cn");
    let near_miss = [
        "api-gateway",
        "gateway",
        "execute-api",
        "apigw",
        "aws-lambda",
        "lambdas",
    ]
    .iter()
    .any(|name| service.strip_suffix(".amazonaws.com") == Some(name));
    if (!shaped || near_miss) && !policy::is_open(service) {
        let write = if service.contains("lambda") {
            "lambda.amazonaws.com"
        } else {
            "apigateway.amazonaws.com"
        };
        hits.add(
            &PRINCIPAL_SERVICE,
            at,
            format!("{:?} is no service principal", shortened(service)),
            write,
        );
    }
}

fn check_action(statement: &Node, principal: &Node, hits: &mut Hits) {
    let federated = policy::texts(principal, "Federated");
    let fits: &str = match federated.first() {
        Some((provider, _)) if provider.contains(":saml-provider/") => "sts:AssumeRoleWithSAML",
        Some((provider, _)) if !policy::is_open(provider) => "sts:AssumeRoleWithWebIdentity",
        None if principal.any(&["Service", "AWS"]).is_some() => "sts:AssumeRole",
        _ => return,
    };
    let assumes = |action: &str| {
        action.to_ascii_lowercase().starts_with("sts:assumerole") && !action.contains('*')
    };
    let actions = policy::texts(statement, "Action");
    let mut assuming = actions.iter().filter(|(action, _)| assumes(action));
    // A statement may list several actions for several principals; one that fits is enough.
    if let Some((action, at)) = assuming.next()
        && !actions
            .iter()
            .any(|(action, _)| action.eq_ignore_ascii_case(fits) || action.contains('*'))
    {
        hits.add(
            &ACTION,
            *at,
            format!("{action} does not fit the principal"),
            fits,
        );
    }
}

fn check_saml_condition(statement: &Node, hits: &mut Hits) {
    let operators = statement.get("Condition").map_or(&[][..], Node::members);
    for (operator, key) in operators.iter().flat_map(|operator| {
        operator
            .node
            .members()
            .iter()
            .map(move |key| (&operator.key, key))
    }) {
        let lower = key.key.to_ascii_lowercase();
        let Some(name) = lower.strip_prefix("saml:") else {
            continue;
        };
        if !SAML_KEYS.contains(&name) {
            hits.add(
                &SAML_KEY,
                key.at,
                format!("{:?} is no condition key", shortened(&key.key)),
                "SAML:iss for the issuer, SAML:aud for the recipient, SAML:sub for the subject",
            );
        }
        if name == "aud" && operator.as_str() == "StringEquals" {
            for item in key
                .node
                .each()
                .iter()
                .filter(|item| matches!(item.value, Value::Text(_)))
            {
                check_audience(item, hits);
            }
        }
    }
}

fn check_audience(node: &Node, hits: &mut Hits) {
    let audience = node.text().unwrap_or_default();
    let host = audience
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    // A region or an id may stand before; China and GovCloud have domains of their own.
    let known = [
        "signin.aws.amazon.com",
        "signin.amazonaws.cn",
        "signin.amazonaws-us-gov.com",
    ]
    .iter()
    .any(|name| host == *name || host.ends_with(&format!(".{name}")));
    if !known && !policy::is_open(audience) {
        hits.add(
            &SAML_AUDIENCE,
            node.at,
            format!("{:?} is no sign-in endpoint", shortened(audience)),
            "https://signin.aws.amazon.com/saml",
        );
    }
}
