//! IAM policies: the grammar (IAM user guide, "Grammar of the IAM JSON policy language"), and what a statement about
//! methods of an API says.

use super::arn::{self, Arn, shortened};
use super::rule::{Hits, Rule, Severity};
use super::syntax::{Node, Value};

pub(super) static VERSION: Rule = Rule {
    id: "policy::version",
    severity: Severity::Error,
    wrong: "a Version that the policy language does not have",
    why: "Version names the policy language and not the policy's own date; IAM refuses any but 2012-10-17 and 2008-10-17",
    source: "IAM user guide, \"IAM JSON policy elements: Version\"",
};
static VERSION_MISSING: Rule = Rule {
    id: "policy::version-missing",
    severity: Severity::Note,
    wrong: "no Version",
    why: "the language is then that of 2008-10-17, in which policy variables such as ${aws:username} are plain text",
    source: "IAM user guide, \"IAM JSON policy elements: Version\"",
};
static ELEMENT_UNKNOWN: Rule = Rule {
    id: "policy::element-unknown",
    severity: Severity::Error,
    wrong: "an element that the policy language does not have",
    why: "a policy with a misspelt or foreign element is refused as malformed",
    source: "IAM user guide, \"Grammar of the IAM JSON policy language\"",
};
static EFFECT_MISSING: Rule = Rule {
    id: "policy::effect-missing",
    severity: Severity::Error,
    wrong: "a statement without Effect",
    why: "there is no default: a statement that says neither Allow nor Deny makes the policy invalid",
    source: "IAM user guide, \"IAM JSON policy elements: Effect\"",
};
static EFFECT_UNKNOWN: Rule = Rule {
    id: "policy::effect-unknown",
    severity: Severity::Error,
    wrong: "an Effect other than Allow and Deny",
    why: "the value is compared case by case; anything else makes the policy invalid",
    source: "IAM user guide, \"IAM JSON policy elements: Effect\"",
};
static ACTION_MISSING: Rule = Rule {
    id: "policy::action-missing",
    severity: Severity::Error,
    wrong: "a statement without Action",
    why: "every statement needs Action or NotAction; without one the policy is refused as malformed",
    source: "IAM user guide, \"IAM JSON policy elements: Action\"",
};
static ACTION_UNKNOWN: Rule = Rule {
    id: "policy::action-unknown",
    severity: Severity::Error,
    wrong: "an action that does not call an API",
    why: "the actions of execute-api are Invoke, InvalidateCache and ManageConnections; any other allows no request",
    source: "Service Authorization Reference, \"Actions, resources, and condition keys for Amazon API Gateway\"",
};
static ACTION_WIDE: Rule = Rule {
    id: "policy::action-wider-than-invoke",
    severity: Severity::Note,
    wrong: "`execute-api:*` where `execute-api:Invoke` would do",
    why: "it also allows InvalidateCache, with which a client empties the stage's response cache",
    source: "Service Authorization Reference, \"Actions, resources, and condition keys for Amazon API Gateway\"",
};
static RESOURCE_MISSING: Rule = Rule {
    id: "policy::resource-missing",
    severity: Severity::Error,
    wrong: "a statement without Resource",
    why: "a policy that is not attached to a resource needs Resource or NotResource in every statement",
    source: "IAM user guide, \"IAM JSON policy elements: Resource\"",
};
static WILDCARD_RESOURCE: Rule = Rule {
    id: "policy::wildcard-resource",
    severity: Severity::Warning,
    wrong: "an Allow for every API",
    why: "the caller may call every method of every API that the policy reaches, also those that come later",
    source: "IAM user guide, \"Security best practices in IAM\" (apply least-privilege permissions)",
};
static STATEMENT_EMPTY: Rule = Rule {
    id: "policy::statement-empty",
    severity: Severity::Error,
    wrong: "no statement",
    why: "a policy that says nothing is refused by IAM, and in an authorizer's answer it lets no request through",
    source: "IAM user guide, \"Grammar of the IAM JSON policy language\"",
};

pub(super) const RULES: &[&Rule] = &[
    &VERSION,
    &VERSION_MISSING,
    &ELEMENT_UNKNOWN,
    &STATEMENT_EMPTY,
    &EFFECT_MISSING,
    &EFFECT_UNKNOWN,
    &ACTION_MISSING,
    &ACTION_UNKNOWN,
    &ACTION_WIDE,
    &RESOURCE_MISSING,
    &WILDCARD_RESOURCE,
];

const POLICY_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Whose policy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// In the answer of an authorizer.
    Answer,
    /// Attached to a role, a user or an API.
    Attached,
}

pub(super) fn check(policy: &Node, used: Use, hits: &mut Hits) {
    check_frame(policy, &VERSION, hits);
    for statement in statements(policy) {
        check_actions(statement, used, hits);
        if is_about_methods(statement, used) {
            check_resources(statement, used, hits);
        }
    }
}

/// What every policy has, trust policies too.
pub(super) fn check_frame(policy: &Node, version_rule: &'static Rule, hits: &mut Hits) {
    check_version(policy, version_rule, hits);
    check_elements(policy, &POLICY_ELEMENTS, hits);
    let statements = statements(policy);
    let computed = policy
        .get("Statement")
        .is_some_and(|node| matches!(node.value, Value::Code(_)));
    if statements.is_empty() && !computed {
        hits.add(
            &STATEMENT_EMPTY,
            policy.at,
            "the policy has no statement",
            "at least one statement",
        );
    }
    for statement in statements {
        check_elements(statement, &STATEMENT_ELEMENTS, hits);
        check_effect(statement, hits);
    }
}

/// The statements that are written out.
pub(super) fn statements(policy: &Node) -> Vec<&Node> {
    let each = policy.get("Statement").map_or(&[][..], Node::each);
    let object = |node: &&Node| {
        // An intrinsic function of a template stands for a statement and is none.
        !node.members().is_empty() && !node.members().iter().any(|m| is_intrinsic(&m.key))
    };
    each.iter().filter(object).collect()
}

pub(super) fn is_intrinsic(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::") || key.starts_with("...")
}

/// The texts below an element, each at its place. Expressions and intrinsic functions are passed over.
pub(super) fn texts<'a>(node: &'a Node, element: &str) -> Vec<(&'a str, usize)> {
    let each = node.get(element).map_or(&[][..], Node::each);
    each.iter()
        .filter_map(|item| Some((item.text()?, item.at)))
        .collect()
}

fn check_version(policy: &Node, rule: &'static Rule, hits: &mut Hits) {
    const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
    match policy.get("Version") {
        None => hits.add(
            &VERSION_MISSING,
            policy.at,
            "the policy has no Version",
            "\"Version\": \"2012-10-17\"",
        ),
        Some(node) => match &node.value {
            Value::Text(text) if VERSIONS.contains(&text.as_str()) || is_open(text) => {}
            Value::Text(text) => hits.add(
                rule,
                node.at,
                format!("{:?} is no version of the policy language", shortened(text)),
                "\"Version\": \"2012-10-17\"",
            ),
            _ => {}
        },
    }
}

/// Something is to be filled in: `Allow|Deny`, `{effect}`, `${Effect}`, `<effect>`.
pub(super) fn is_open(text: &str) -> bool {
    text.contains(['{', '<', '[', '|', '$'])
}

fn check_elements(node: &Node, known: &[&str], hits: &mut Hits) {
    for member in node.members() {
        if known.contains(&member.key.as_str()) || is_intrinsic(&member.key) {
            continue;
        }
        let nearest = known.iter().find(|name| {
            name.eq_ignore_ascii_case(&member.key)
                || name.eq_ignore_ascii_case(member.key.trim_end_matches('s'))
        });
        let write = nearest.map_or_else(
            || format!("one of {}", known.join(", ")),
            |name| (*name).to_owned(),
        );
        hits.add(
            &ELEMENT_UNKNOWN,
            member.at,
            format!("{:?} is no element of a policy", shortened(&member.key)),
            write,
        );
    }
}

fn check_effect(statement: &Node, hits: &mut Hits) {
    let write = "\"Effect\": \"Allow\", or \"Deny\"";
    match statement.get("Effect") {
        None => hits.add(
            &EFFECT_MISSING,
            statement.at,
            "the statement has no Effect",
            write,
        ),
        Some(node) => match &node.value {
            // `Permission` is what AWS's templates have in its place.
            Value::Text(text)
                if ["Allow", "Deny", "Permission"].contains(&text.as_str()) || is_open(text) => {}
            Value::Code(_) | Value::Object(_) => {}
            Value::Text(text) => hits.add(
                &EFFECT_UNKNOWN,
                node.at,
                format!("{:?} is neither Allow nor Deny", shortened(text)),
                write,
            ),
            _ => hits.add(&EFFECT_UNKNOWN, node.at, "Effect is no text", write),
        },
    }
}

pub(super) fn is_allow(statement: &Node) -> bool {
    statement
        .get("Effect")
        .is_some_and(|node| node.text() != Some("Deny"))
}

fn is_about_methods(statement: &Node, used: Use) -> bool {
    let call =
        |action: &str| action == "*" || action.to_ascii_lowercase().starts_with("execute-api:");
    let actions = texts(statement, "Action");
    actions.iter().any(|(action, _)| call(action)) || (used == Use::Answer && actions.is_empty())
}

fn check_actions(statement: &Node, used: Use, hits: &mut Hits) {
    if statement.any(&["Action", "NotAction"]).is_none() {
        let write = "\"Action\": \"execute-api:Invoke\"";
        hits.add(
            &ACTION_MISSING,
            statement.at,
            "the statement has no Action",
            write,
        );
    }
    let allow = is_allow(statement);
    for (action, at) in texts(statement, "Action") {
        // Service and action are compared without regard to case.
        let lower = action.to_ascii_lowercase();
        let unknown = match lower.strip_prefix("execute-api:") {
            Some("invoke" | "invalidatecache" | "manageconnections") => false,
            Some("*") => {
                if allow {
                    let message = format!("{action} allows more than calling methods");
                    hits.add(&ACTION_WIDE, at, message, "execute-api:Invoke");
                }
                false
            }
            // `Execution-operation` in a template: no action has a hyphen.
            Some(name) => !name.contains(['*', '?', '-']),
            // A role's policy may be about anything, but an authorizer's is about calling.
            None => used == Use::Answer && !lower.contains('*'),
        };
        if unknown && !is_open(action) {
            let message = format!("{:?} lets no method be called", shortened(action));
            hits.add(&ACTION_UNKNOWN, at, message, "execute-api:Invoke");
        }
    }
}

fn check_resources(statement: &Node, used: Use, hits: &mut Hits) {
    if statement.any(&["Resource", "NotResource"]).is_none() {
        let write = "\"Resource\": \"arn:aws:execute-api:{region}:{account}:{api}/{stage}/*/*\"";
        hits.add(
            &RESOURCE_MISSING,
            statement.at,
            "the statement has no Resource",
            write,
        );
    }
    for (resource, at) in texts(statement, "Resource") {
        let everything = resource == "*"
            || resource == "arn:aws:execute-api:*"
            || Arn::parse(resource).is_some_and(|arn| arn.is_everything());
        // The policy of an API itself is about that API, whatever its resource says.
        let own = statement.any(&["Principal", "NotPrincipal"]).is_some();
        if everything && is_allow(statement) && !own {
            hits.add(
                &WILDCARD_RESOURCE,
                at,
                format!("{resource} allows every API"),
                "arn:aws:execute-api:{region}:{account}:{api}/{stage}/*/*",
            );
        }
        // AWS's own examples of such policies end in `{api}/`, and API Gateway may complete it.
        if own {
            continue;
        }
        let mut found = Hits::default();
        arn::check_resource(resource, at, &mut found);
        // The limit on a resource's length is the authorizer's, not IAM's.
        found
            .list
            .retain(|hit| used == Use::Answer || hit.rule.id != arn::RESOURCE_TOO_LONG.id);
        hits.list.append(&mut found.list);
    }
}
