//! ARNs of methods, and what a policy's resource matches
//! (API Gateway developer guide, "Control access to a REST API with IAM permissions", "Resource format of permissions for
//! executing API").
//!
//! `*` in a resource matches any text, slashes included; a request's own ARN always has stage, verb and a slash before
//! the path: `{api}/{stage}/{VERB}/{path}`, and `{api}/{stage}/GET/` for the root.

use super::rule::{Hits, Rule, Severity};

pub(super) static ACCOUNT_ID: Rule = Rule {
    id: "arn::account-id",
    severity: Severity::Error,
    wrong: "an account id that has not 12 digits",
    why: "an AWS account id has exactly 12 digits, leading zeros included; the ARN names nothing",
    source: "AWS Account Management reference guide, \"View AWS account identifiers\"",
};
pub(super) static DOUBLE_SLASH: Rule = Rule {
    id: "policy::arn-double-slash",
    severity: Severity::Warning,
    wrong: "two slashes between verb and path",
    why: "the ARN of a request has one slash there, so the resource matches no ordinary request",
    source: "API Gateway developer guide, \"Control access to a REST API with IAM permissions\"",
};
pub(super) static MALFORMED: Rule = Rule {
    id: "policy::arn-malformed",
    severity: Severity::Error,
    wrong: "a resource that is no ARN of a method",
    why: "a resource of another shape matches no request",
    source: "API Gateway developer guide, \"Control access to a REST API with IAM permissions\"",
};
pub(super) static MATCHES_NOTHING: Rule = Rule {
    id: "policy::arn-matches-nothing",
    severity: Severity::Error,
    wrong: "a resource without a wildcard that ends before the path",
    why: "the ARN of every request goes on with stage, verb and path; a resource matches as a whole or not at all",
    source: "API Gateway developer guide, \"Control access to a REST API with IAM permissions\"",
};
pub(super) static MATCHES_ROOT_ONLY: Rule = Rule {
    id: "policy::arn-matches-root-only",
    severity: Severity::Error,
    wrong: "a resource that ends in a slash (a warning where the verb is written out, a note where the stage is too)",
    why: "it matches the root of the API, and at most paths that end in a slash; every other route is answered 403",
    source: "API Gateway developer guide, \"Control access to a REST API with IAM permissions\"",
};
pub(super) static RESOURCE_TOO_LONG: Rule = Rule {
    id: "policy::resource-too-long",
    severity: Severity::Error,
    wrong: "a resource of more than 512 characters in an authorizer's policy",
    why: "API Gateway takes no longer resource in the answer of an authorizer",
    source: "API Gateway developer guide, \"Output from an API Gateway Lambda authorizer\"",
};
pub(super) static VERB: Rule = Rule {
    id: "policy::verb-never-matches",
    severity: Severity::Error,
    wrong: "a verb that no request has: `get`, `ANY`",
    why: "a request's ARN has the verb in capitals, resources are compared case by case, and `ANY` is no verb but a setting",
    source: "API Gateway developer guide, \"Control access to a REST API with IAM permissions\"",
};

pub(super) const RULES: &[&Rule] = &[
    &ACCOUNT_ID,
    &DOUBLE_SLASH,
    &MALFORMED,
    &MATCHES_NOTHING,
    &MATCHES_ROOT_ONLY,
    &RESOURCE_TOO_LONG,
    &VERB,
];

/// The limit on a resource in an authorizer's answer.
const RESOURCE_CHARACTERS_MAX: usize = 512;

const VERBS: [&str; 8] = [
    "ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
];

/// An ARN in its six fields, with `X` for every placeholder.
#[derive(Debug)]
pub(super) struct Arn {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) resource: String,
}

impl Arn {
    /// Nothing when the text is no ARN. `${AWS::Region}` and `{account}`, `<api>`, `[YOUR_ARN]` stand for something.
    pub(super) fn parse(text: &str) -> Option<Arn> {
        let text = without_placeholders(text);
        let mut fields = text.splitn(6, ':').map(str::to_owned);
        if fields.next()? != "arn" {
            return None;
        }
        let _partition = fields.next()?;
        Some(Arn {
            service: fields.next()?,
            region: fields.next()?,
            account: fields.next()?,
            resource: fields.next()?,
        })
    }

    /// One route alone: stage, verb and path are there, and neither verb nor path has a wildcard or is to be filled in.
    pub(super) fn is_single_method(&self) -> bool {
        let parts: Vec<&str> = self.resource.splitn(4, '/').collect();
        self.service == "execute-api"
            && matches!(parts[..], [_, _, verb, path] if verb != "X" && !format!("{verb}{path}").contains(['*', '?']))
    }

    /// Every API of the account, or every stage and method of whatever is there.
    pub(super) fn is_everything(&self) -> bool {
        self.service == "execute-api" && self.resource.starts_with('*')
    }
}

/// Each `${…}`, `{…}`, `<…>` and `[…]` replaced by `X`.
fn without_placeholders(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '{' | '<' | '[' => {
                if depth == 0 {
                    plain.truncate(plain.trim_end_matches('$').len());
                    plain.push('X');
                }
                depth += 1;
            }
            '}' | '>' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Says when the account id of any ARN cannot be one. A placeholder is none.
pub(super) fn check_account(arn: &Arn, at: usize, hits: &mut Hits) {
    let account = &arn.account;
    let digits = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
    if digits && account.len() != 12 {
        hits.add(
            &ACCOUNT_ID,
            at,
            format!("account id {account} has {} digits", account.len()),
            "the 12 digits of the account, such as 123456789012",
        );
    }
}

/// Checks one resource of a policy that is about methods.
pub(super) fn check_resource(text: &str, at: usize, hits: &mut Hits) {
    // A resource policy may shorten an ARN to `execute-api:/…`, which API Gateway completes.
    if text == "*" || text.starts_with("execute-api:/") {
        return;
    }
    if text.chars().count() > RESOURCE_CHARACTERS_MAX {
        let characters = text.chars().count();
        hits.add(
            &RESOURCE_TOO_LONG,
            at,
            format!("the resource has {characters} characters"),
            "a shorter resource with a wildcard, such as …/prod/GET/orders/*",
        );
    }
    let Some(arn) = Arn::parse(text) else {
        // `arn:[YOUR_ARN]` and `arn:…` are to be filled in, and say nothing yet.
        let open = without_placeholders(text) != text || text.contains('…') || text.contains("...");
        if !open && !text.contains(['*', '?']) && text.contains([':', '/']) {
            malformed(text, "has not the six fields of an ARN", at, hits);
        }
        return;
    };
    check_account(&arn, at, hits);
    match arn.service.as_str() {
        "execute-api" if arn.region.is_empty() || arn.account.is_empty() => {
            malformed(text, "names no region or no account", at, hits);
        }
        "execute-api" => check_coverage(text, &arn, at, hits),
        "apigateway" => malformed(
            text,
            "is about managing the API (apigateway), not about calling it (execute-api)",
            at,
            hits,
        ),
        _ => {}
    }
}

fn malformed(text: &str, fault: &str, at: usize, hits: &mut Hits) {
    hits.add(
        &MALFORMED,
        at,
        format!("{} {fault}", shortened(text)),
        "arn:aws:execute-api:{region}:{account}:{api}/{stage}/{VERB}/{path}",
    );
}

/// What the part behind the account matches.
pub(super) fn check_coverage(text: &str, arn: &Arn, at: usize, hits: &mut Hits) {
    let parts: Vec<&str> = arn.resource.splitn(4, '/').collect();
    let stem = text.trim_end_matches('/');
    match parts[..] {
        [one] if one.contains('*') => {}
        [_, stage] if stage.contains('*') => {}
        [_, stage, ""] if stage.contains('*') => {
            root_only(text, Severity::Error, &format!("{stem}/*"), at, hits);
        }
        // The third part may be the route of a WebSocket API, or `authorizers`; a verb is neither.
        [_, _, verb] if !verb.is_empty() && !is_verb(verb) => {}
        [_] | [_, _] | [_, _, _] => hits.add(
            &MATCHES_NOTHING,
            at,
            format!("{} matches no request", shortened(text)),
            format!("{stem}/*"),
        ),
        [_, _, verb, path] => {
            check_verb(verb, at, hits);
            check_path(text, verb, path, at, hits);
        }
        _ => {}
    }
}

fn check_path(text: &str, verb: &str, path: &str, at: usize, hits: &mut Hits) {
    let stem = text.trim_end_matches('/');
    if path.is_empty() {
        let severity = match verb {
            "*" => Severity::Error,
            // Whoever writes a wildcard for the stage means more than one route.
            _ if text.contains('*') => Severity::Warning,
            // The ARN of a request for the root looks like this.
            _ => Severity::Note,
        };
        let write = format!("{stem}/*, or the path, as {stem}/pets");
        root_only(text, severity, &write, at, hits);
    } else if path.starts_with('/') {
        hits.add(
            &DOUBLE_SLASH,
            at,
            format!("{} has two slashes before the path", shortened(text)),
            "one slash between verb and path",
        );
    }
}

fn root_only(text: &str, severity: Severity, write: &str, at: usize, hits: &mut Hits) {
    let message = format!("{} matches the root only", shortened(text));
    hits.weigh(&MATCHES_ROOT_ONLY, severity, at, message, write);
}

fn is_verb(verb: &str) -> bool {
    VERBS.iter().any(|known| known.eq_ignore_ascii_case(verb))
}

fn check_verb(verb: &str, at: usize, hits: &mut Hits) {
    let upper = verb.to_ascii_uppercase();
    if is_verb(verb) && (upper != verb || upper == "ANY") {
        let write = if upper == "ANY" { "*" } else { &upper };
        hits.add(
            &VERB,
            at,
            format!("the verb {verb} matches no request"),
            write,
        );
    }
}

/// A text that may be long, for a message of one line.
pub(super) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace(['\n', '\r', '\t'], " ")
}
