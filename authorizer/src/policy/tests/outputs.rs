//! What policies look like, through the public way: a verified token, the event's ARN and a table.

use serde_json::{Value, json};

use super::token::token;
use crate::{
    MethodArn,
    policy::{PolicyDocument, PolicyTooLong, RouteTable, RouteTableError},
};

const PLANETS: &str = "
    GET,HEAD /planets         any:read:planets,admin
    POST     /planets         any:write:planets,admin
    GET      /planets/{id}    any:read:planets,admin
    DELETE   /planets/{id}    all:write:planets,admin
    GET      /planets/{id}/secrets any:admin
    GET      /health          none
";

fn arn_of(call: &str) -> String {
    format!("arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/{call}")
}

fn policy(table: &str, scope: &str, call: &str) -> Value {
    let table = RouteTable::parse(table).unwrap();
    let arn = arn_of(call);
    let arn = MethodArn::parse(&arn).unwrap();
    let policy = PolicyDocument::allow_routes(&token(scope), &arn, &table).unwrap();
    serde_json::from_str(&policy.to_json()).unwrap()
}

/// The policy that this scope gets, as its resources after the stage.
fn check(table: &str, scope: &str, allow: &[&str], deny: &[&str]) {
    let statement = |effect: &str, resources: &[&str]| {
        let arns: Vec<String> = resources.iter().map(|resource| arn_of(resource)).collect();
        let resource = match &arns[..] {
            [one] => json!(one),
            many => json!(many),
        };
        json!({"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource})
    };
    let effects = [("Allow", allow), ("Deny", deny)].into_iter();
    let effects = effects.filter(|(_, resources)| !resources.is_empty());
    let statements: Vec<Value> = effects.map(|(e, r)| statement(e, r)).collect();
    assert_eq!(
        policy(table, scope, "GET/planets"),
        json!({"Version": "2012-10-17", "Statement": statements}),
        "{scope} in {table}"
    );
}

#[test]
fn a_token_gets_the_routes_of_its_scopes_and_a_deny_where_a_wildcard_covers_more() {
    check(PLANETS, "", &["GET/health"], &[]);
    check(
        PLANETS,
        "read:planets",
        &["GET/planets", "HEAD/planets", "GET/planets/*", "GET/health"],
        &["GET/planets/*/secrets", "GET/planets/*/secrets/"],
    );
    check(
        PLANETS,
        "write:planets",
        &["POST/planets", "GET/health"],
        &[],
    );
    check(
        PLANETS,
        "admin write:planets",
        &[
            "GET/planets",
            "HEAD/planets",
            "POST/planets",
            "GET/planets/*",
            "DELETE/planets/*",
            "GET/health",
        ],
        &[],
    );
}

#[test]
fn the_policy_does_not_depend_on_the_call() {
    let policies = [
        "GET/planets",
        "POST/planets",
        "DELETE/planets/1",
        "GET/",
        "PUT/x:y~%20_",
    ]
    .map(|call| policy(PLANETS, "read:planets", call));
    for other in &policies[1..] {
        assert_eq!(*other, policies[0]);
    }
}

#[test]
fn no_route_is_an_explicit_deny_of_the_stage() {
    check("GET /planets any:read", "other", &[], &["*/*"]);
}

#[test]
fn literals_beside_parameters_and_catch_alls_are_guarded() {
    // With a slash at the end it is still the same route, so that is denied, too.
    check(
        "GET /planets/{id} any:read; GET /planets/secret any:admin",
        "read",
        &["GET/planets/*"],
        &["GET/planets/secret", "GET/planets/secret/"],
    );
    check(
        "GET /{proxy+} any:read; GET /admin any:admin; GET /admin/{proxy+} any:admin",
        "read",
        &["GET/*"],
        &["GET/admin", "GET/admin/*"],
    );
    check(
        "* /{name} any:read; * /log any:admin",
        "read",
        &["*/*"],
        &["*/log", "*/log/"],
    );
    // `/planets/` is for the catch-all: an empty segment is no parameter.
    check(
        "GET /planets/{id} any:read,admin; GET /{proxy+} any:admin",
        "read",
        &["GET/planets/*"],
        &["GET/planets/*/*", "GET/planets/"],
    );
}

#[test]
fn a_deny_names_each_verb_where_a_wildcard_would_take_more() {
    // `*/admin` would also be `GET/teams/admin`, which is for the catch-all.
    let verbs = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    let denied = verbs
        .iter()
        .flat_map(|verb| [format!("{verb}/admin"), format!("{verb}/admin/*")]);
    let denied: Vec<String> = denied.collect();
    check(
        "* /{proxy+} any:read; * /admin any:admin; * /admin/{proxy+} any:admin",
        "read",
        &["*/*"],
        &denied.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn a_verb_is_a_wildcard_only_where_it_covers_no_more() {
    // `*/planets` would also be `GET/old/planets`. Seven resources are exact and cover no path that no route has.
    check(
        "* /planets any:read; GET /old/planets any:admin",
        "read",
        &[
            "DELETE/planets",
            "GET/planets",
            "HEAD/planets",
            "OPTIONS/planets",
            "PATCH/planets",
            "POST/planets",
            "PUT/planets",
        ],
        &[],
    );
    check(
        "* /planets any:read; DELETE /planets any:admin",
        "read",
        &[
            "GET/planets",
            "HEAD/planets",
            "OPTIONS/planets",
            "PATCH/planets",
            "POST/planets",
            "PUT/planets",
        ],
        &[],
    );
    check(
        "* /planets any:read; DELETE /planets any:read,admin",
        "read",
        &["*/planets"],
        &[],
    );
}

#[test]
fn what_another_resource_covers_is_left_out() {
    check(
        "GET /a/b any:s; GET /a/{x} any:s; POST /a/{x} any:s; * /a/{p+} any:s",
        "s",
        &["*/a/*"],
        &[],
    );
}

#[test]
fn the_partition_and_the_stage_are_those_of_the_event() {
    let table = RouteTable::parse("GET /planets any:read").unwrap();
    for stage in [
        "arn:aws-cn:execute-api:cn-north-1:123456789012:abc/$default/",
        "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/my_stage-1/",
    ] {
        let arn = format!("{stage}POST/a:b");
        let arn = MethodArn::parse(&arn).unwrap();
        let policy = PolicyDocument::allow_routes(&token("read"), &arn, &table).unwrap();
        let policy: Value = serde_json::from_str(&policy.to_json()).unwrap();
        assert_eq!(
            policy["Statement"][0]["Resource"],
            format!("{stage}GET/planets")
        );
    }
}

#[test]
fn an_allow_can_end_with_its_token() {
    let arn = arn_of("GET/planets");
    let arn = MethodArn::parse(&arn).unwrap();
    let table = RouteTable::parse("GET /p/{x} any:s; GET /p/q any:t").unwrap();
    let token = token("s");
    let end = json!({"DateLessThan": {"aws:CurrentTime": "2026-11-23T10:00:00Z"}});
    for (policy, conditions) in [
        (PolicyDocument::allow(&token, &arn), vec![&end]),
        (
            PolicyDocument::allow_routes(&token, &arn, &table).unwrap(),
            vec![&end, &Value::Null],
        ),
        (PolicyDocument::deny(&arn), vec![&Value::Null]),
    ] {
        let policy = policy.ending_with(&token).to_json();
        let policy: Value = serde_json::from_str(&policy).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        let found: Vec<&Value> = statements.iter().map(|s| &s["Condition"]).collect();
        assert_eq!(found, conditions);
    }
}

#[test]
fn a_policy_is_never_longer_than_its_table_says() {
    let text = (0..45).map(|n| format!("GET /r{n}/{{id}} any:s\nGET /r{n}/x any:t\n"));
    let text = text.collect::<Vec<_>>().concat();
    let table = RouteTable::with_policy_bytes_max(
        text.lines().map(|line| line.parse().unwrap()).collect(),
        16 * 1_024,
    )
    .unwrap();
    let arn = arn_of("GET/");
    let arn = MethodArn::parse(&arn).unwrap();
    for scope in ["s", "t", "s t"] {
        let token = token(scope);
        let policy = PolicyDocument::allow_routes(&token, &arn, &table).unwrap();
        let bytes = policy.ending_with(&token).to_json().len();
        assert!(bytes <= table.longest_policy_bytes(), "{bytes} for {scope}");
    }
    assert!(matches!(
        RouteTable::parse(&text),
        Err(RouteTableError::TooLong { max: 7_168, .. })
    ));
}

#[test]
fn a_stage_with_a_long_name_is_refused_rather_than_cut() {
    let text = (0..60).map(|n| format!("GET /r{n} any:s\n"));
    let text = text.collect::<Vec<_>>().concat();
    let table = RouteTable::parse(&text).unwrap();
    let arn = format!(
        "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/{}/GET/",
        "s".repeat(128)
    );
    let arn = MethodArn::parse(&arn).unwrap();
    assert_eq!(
        PolicyDocument::allow_routes(&token("s"), &arn, &table),
        Err(PolicyTooLong)
    );
}
