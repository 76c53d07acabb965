//! Documents with one fault each, and documents without any.

use std::collections::BTreeSet;

use super::*;

/// `rule@line` for each finding.
fn found(name: &str, text: &str) -> Vec<String> {
    with(name, text, Options::default())
}

fn with(name: &str, text: &str, options: Options) -> Vec<String> {
    lint(name, text, options)
        .iter()
        .map(|finding| format!("{}@{}", finding.rule.id, finding.line))
        .collect()
}

const ALLOW: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": "execute-api:Invoke",
    "Resource": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*/*"
  }]
}"#;

const TRUST: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Principal": {"Service": ["apigateway.amazonaws.com", "lambda.amazonaws.com"]}, "Action": "sts:AssumeRole"},
    {
      "Effect": "Allow",
      "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/corp"},
      "Action": "sts:AssumeRoleWithSAML",
      "Condition": {"StringEquals": {"SAML:iss": "urn:corp", "SAML:aud": "https://signin.aws.amazon.com/saml"}}
    }
  ]
}"#;

const ENV: &str = "# the tenant\nTOKEN_ISSUER=https://corp.eu.auth0.com/\nJWKS_URI=https://corp.eu.auth0.com/.well-known/jwks.json\nAUDIENCE=\"https://orders.example.com/\"\nREQUIRED_SCOPE=read:orders\n";

fn answer(policy: &str) -> String {
    format!(
        "{{\"principalId\": \"u1\", \"policyDocument\": {policy}, \"context\": {{\"scope\": \"a b\", \"n\": 1, \"ok\": true}}}}"
    )
}

#[test]
fn what_is_right_is_left_alone() {
    let page = format!(
        "# Guide\n\nName the SAML provider `corp`.\n\n```json\n{TRUST}\n```\n\n```json\n{}\n```\n\n```text\n{ENV}```\n\n\
        | Setting | Value |\n| - | - |\n| `TOKEN_ISSUER` | such as `https://corp.auth0.com/` |\n| Result TTL in seconds | `300` |\n\
        | Token validation | `^Bearer [-0-9a-zA-Z_]+\\.[-0-9a-zA-Z_]+\\.[-0-9a-zA-Z_]+$` |\n\nAllow `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*/*`.\n",
        answer(ALLOW)
    );
    let event = r#"{"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/"}"#;
    let websocket = ALLOW.replace("prod/*/*", "prod/$connect");
    let template = ALLOW.replace(
        "eu-west-1:123456789012:a1b2c3d4e5",
        "${AWS::Region}:${AWS::AccountId}:${Api}",
    );
    let table = [
        ("policy.json", ALLOW.to_owned()),
        ("policy.json", websocket),
        ("policy.json", template),
        ("trust.json", TRUST.to_owned()),
        ("answer.json", answer(ALLOW)),
        ("simple.json", "{\"isAuthorized\": true, \"context\": {\"list\": [1]}}".to_owned()),
        ("event.json", event.to_owned()),
        (".env", ENV.to_owned()),
        ("gateway.toml", "identity_validation_expression = '^Bearer [-\\w.]+$'\nidentity_source = \"method.request.header.Authorization\"\nauthorizer_result_ttl = 300\n".to_owned()),
        ("guide.md", page),
        ("notes.md", "Braces { and } and {a: b} and `${x}` are no policy.\n".to_owned()),
    ];
    for (name, text) in table {
        assert_eq!(found(name, &text), [""; 0], "{name}: {text}");
    }
}

/// Each change to a right document, and the rule that it breaks.
#[test]
fn a_policy_with_one_fault_is_found_out() {
    let resource = "a1b2c3d4e5/prod/*/*";
    let long = format!("a1b2c3d4e5/prod/GET/{}*", "x".repeat(512));
    let table = [
        ("2012-10-17", "2019-01-01", "policy::version@2"),
        (
            "\"Version\": \"2012-10-17\",",
            "",
            "policy::version-missing@1",
        ),
        ("\"Effect\": \"Allow\",", "", "policy::effect-missing@3"),
        ("\"Allow\"", "\"allow\"", "policy::effect-unknown@4"),
        (
            "\"Action\": \"execute-api:Invoke\",",
            "",
            "policy::action-missing@3",
        ),
        (":Invoke", ":Invok", "policy::action-unknown@5"),
        (":Invoke", ":*", "policy::action-wider-than-invoke@5"),
        ("\"Resource\"", "\"Sid\"", "policy::resource-missing@3"),
        ("\"Resource\"", "\"Resources\"", "policy::element-unknown@6"),
        (":123456789012:", ":12345678901:", "arn::account-id@6"),
        (resource, "a1b2c3d4e5/*/", "policy::arn-matches-root-only@6"),
        (
            resource,
            "a1b2c3d4e5/*/POST/",
            "policy::arn-matches-root-only@6",
        ),
        (resource, "a1b2c3d4e5/prod", "policy::arn-matches-nothing@6"),
        (
            resource,
            "a1b2c3d4e5/prod/GET",
            "policy::arn-matches-nothing@6",
        ),
        (
            resource,
            "a1b2c3d4e5/prod/GET//pets",
            "policy::arn-double-slash@6",
        ),
        (
            resource,
            "a1b2c3d4e5/prod/get/pets",
            "policy::verb-never-matches@6",
        ),
        (
            resource,
            "a1b2c3d4e5/prod/ANY/*",
            "policy::verb-never-matches@6",
        ),
        (resource, "*", "policy::wildcard-resource@6"),
        (":execute-api:", ":apigateway:", "policy::arn-malformed@6"),
        (resource, &long, "policy::resource-too-long@6"),
        (
            resource,
            "a1b2c3d4e5/prod/GET/pets",
            "policy::single-method-with-cache@6",
        ),
    ];
    for (from, to, rule) in table {
        let text = answer(&ALLOW.replacen(from, to, 1));
        let all = found("answer.json", &text);
        assert!(all.contains(&rule.to_owned()), "{to}: {all:?}");
    }
    let single = answer(&ALLOW.replace(resource, "a1b2c3d4e5/prod/GET/pets"));
    let no_cache = Options {
        ttl_s: Some(0),
        ..Options::default()
    };
    assert_eq!(with("answer.json", &single, no_cache), [""; 0]);
    // IAM itself has no such limit.
    assert_eq!(
        found("policy.json", &ALLOW.replace(resource, &long)),
        [""; 0]
    );
}

#[test]
fn a_trust_policy_with_one_fault_is_found_out() {
    let table = [
        ("2012-10-17", "2019-01-01", "trust::policy-version@2"),
        (
            "apigateway.amazonaws.com",
            "apigateway.amazon.com",
            "trust::principal-service@4",
        ),
        (
            "lambda.amazonaws.com",
            "aws-lambda.amazonaws.com",
            "trust::principal-service@4",
        ),
        (
            "{\"Service\": [\"apigateway.amazonaws.com\", \"lambda.amazonaws.com\"]}",
            "\"*\"",
            "trust::principal-anyone@4",
        ),
        (
            "sts:AssumeRoleWithSAML",
            "sts:AssumeRole",
            "trust::action-does-not-fit-principal@8",
        ),
        (
            "SAML:iss",
            "SAML:issuer",
            "trust::saml-condition-key-unknown@9",
        ),
        (
            "https://signin.aws.amazon.com/saml",
            "https://corp.example.com/",
            "trust::saml-audience@9",
        ),
        ("iam::123456789012:", "iam::123456789:", "arn::account-id@7"),
        (
            "\"sts:AssumeRole\"}",
            "\"sts:AssumeRole\", \"Resource\": \"*\"}",
            "trust::resource-not-allowed@4",
        ),
        (
            "\"Principal\": {\"Federated\": \"arn:aws:iam::123456789012:saml-provider/corp\"},",
            "",
            "trust::principal-missing@5",
        ),
    ];
    for (from, to, rule) in table {
        let text = TRUST.replacen(from, to, 1);
        assert_ne!(text, TRUST, "{from}");
        assert_eq!(found("trust.json", &text), [rule], "{to}");
    }
    // Said to be one, it is checked as one.
    let forced = Options {
        kind: Some(Kind::Trust),
        ..Options::default()
    };
    assert!(with("p.json", ALLOW, forced).contains(&"trust::principal-missing@3".to_owned()));
}

#[test]
fn an_answer_with_one_fault_is_found_out() {
    let table = [
        (
            "\"principalId\": \"u1\", ",
            "",
            "answer::principal-missing@1",
        ),
        ("\"u1\"", "7", "answer::principal-missing@1"),
        ("\"a b\"", "[\"a\", \"b\"]", "answer::context-not-scalar@8"),
        (
            "\"scope\"",
            "\"claims\"",
            "answer::context-claims-reserved@8",
        ),
        (
            "\"principalId\"",
            "\"usageIdentifierKey\": 1, \"principalId\"",
            "answer::usage-key-not-text@1",
        ),
        (
            "\"principalId\"",
            "\"isAuthorized\": \"yes\", \"principalId\"",
            "answer::is-authorized-not-boolean@1",
        ),
    ];
    for (from, to, rule) in table {
        let text = answer(ALLOW).replacen(from, to, 1);
        assert_eq!(found("answer.json", &text), [rule], "{to}");
    }
    let without = "{\"principalId\": \"u1\", \"usageIdentifierKey\": \"k\"}";
    assert_eq!(found("answer.json", without), ["answer::policy-missing@1"]);
    let routes: Vec<String> = (0..200)
        .map(|n| {
            format!("\"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/{n}/*\"")
        })
        .collect();
    let large = ALLOW.replace(
        "\"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*/*\"",
        &format!("[{}]", routes.join(",")),
    );
    assert_eq!(
        found("answer.json", &answer(&large)),
        ["policy::document-too-large@1"]
    );
    let empty = "{\"Version\": \"2012-10-17\", \"Statement\": []}";
    assert_eq!(
        found("answer.json", &answer(empty)),
        ["policy::statement-empty@1"]
    );
    assert_eq!(
        found("answer.json", "{\"isAuthorized\": true,}"),
        ["document::json-syntax@1"]
    );
}

#[test]
fn settings_with_one_fault_are_found_out() {
    let table = [
        (
            "auth0.com/\n",
            "auth0.com\n",
            "config::issuer-without-trailing-slash@2",
        ),
        (
            "TOKEN_ISSUER=https",
            "TOKEN_ISSUER=http",
            "config::issuer-not-https@2",
        ),
        ("JWKS_URI=https", "JWKS_URI=http", "config::http-jwks@3"),
        (
            "jwks.json",
            "openid-configuration",
            "config::jwks-is-discovery@3",
        ),
        (".well-known/jwks.json", "keys", "config::jwks-path@3"),
        (
            "https://orders.example.com/",
            "https://corp.eu.auth0.com/api/v2/",
            "config::audience-is-management-api@4",
        ),
        (
            "REQUIRED_SCOPE=read:orders",
            "REQUIRED_SCOPE=read:orders\t",
            "config::white-space@5",
        ),
        ("example.com/\"", "example.com/ \"", "config::white-space@4"),
        ("TOKEN_ISSUER=", "TOKEN_ISSUER= ", "config::white-space@2"),
        (
            "\"https://orders.example.com/\"",
            "",
            "config::setting-missing@4",
        ),
        (
            "AUDIENCE=\"https://orders.example.com/\"\n",
            "",
            "config::setting-missing@1",
        ),
        ("REQUIRED_SCOPE=", "AUDIENCE=", "config::setting-twice@5"),
    ];
    for (from, to, rule) in table {
        let text = ENV.replacen(from, to, 1);
        assert_eq!(found(".env", &text), [rule], "{to:?}");
    }
    let page = "| Variable | Value |\n| - | - |\n| `TOKEN_ISSUER` | `https://corp.auth0.com` |\n";
    assert_eq!(
        found("guide.md", page),
        ["config::issuer-without-trailing-slash@3"]
    );
}

#[test]
fn the_gateways_settings_are_found_in_every_spelling() {
    let toml = "authorizer_result_ttl = 3601\nidentity_source = \"Authorization\"\nidentity_validation_expression = '^Bearer [0-9a-zA-Z.]+$'\n";
    let all = [
        "config::ttl-out-of-range@1",
        "config::identity-source-malformed@2",
        "config::validation-expression-refuses-base64url@3",
    ];
    assert_eq!(found("gateway.toml", toml), all);
    assert_eq!(found("-", toml), all);
    let template = r#"{"Resources": {
      "A": {"Type": "AWS::ApiGateway::Authorizer", "Properties": {
        "AuthorizerResultTtlInSeconds": 7200,
        "IdentityValidationExpression": "^Bearer [-0-9a-zA-z\\.]+$"}},
      "F": {"Properties": {"Runtime": "nodejs12.x"}},
      "S": {"Properties": {"Cors": "'*'", "Auth": {
        "DefaultAuthorizer": "A"}}},
      "R": {"Properties": {"AssumeRolePolicyDocument": {"Version": "2020-01-01", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}}}"#;
    let expected = [
        "config::ttl-out-of-range@3",
        "config::validation-expression-range@4",
        "document::runtime-retired@5",
        "config::preflight-behind-authorizer@7",
        "trust::policy-version@8",
    ];
    assert_eq!(found("template.json", template), expected);
    let openapi = r#"{"openapi": "3.0.1", "security": [{"jwt": []}], "paths": {"/pets": {"get": {}}},
      "components": {"securitySchemes": {"jwt": {"x-amazon-apigateway-authorizer": {"type": "token"}}}}}"#;
    assert_eq!(
        found("api.json", openapi),
        ["config::root-security-ignored@1"]
    );
    let guarded = openapi.replace("{\"get\": {}}", "{\"get\": {\"security\": []}}");
    assert_eq!(found("api.json", &guarded), [""; 0]);
}

#[test]
fn faults_are_found_anywhere_in_a_document() {
    let page = "# Guide\n\n1. Name the SAML provider that you make `corp`.\n2. Runtime: choose `Node.js 8.10`.\n3. The ARN is\n   `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*/`.\n\n\
        | Result TTL in seconds | `4000` |\n| Token validation | `^Bearer [a-zA-Z0-9\\.]+$` |\n\n\
        Trust `arn:aws:iam::123456789012:saml-provider/corp-saml`.\n\n    ```js\n    module.exports.handler = (event, context, callback) => {\n      \
        console.log(JSON.stringify(event));\n      callback(null, { principalId: sub, policyDocument: { Version: '2012-10-17', Statement: [{\n        \
        Action: 'execute-api:Invoke', Effect: 'Allow', Resource: event.methodArn }] } });\n    };\n    ```\n";
    let expected = [
        "trust::saml-provider-name-mismatch@11",
        "document::runtime-retired@4",
        "policy::arn-matches-root-only@6",
        "config::ttl-out-of-range@8",
        "config::validation-expression-refuses-base64url@9",
        "handler::callback-style@14",
        "handler::logs-the-token@15",
        "policy::single-method-with-cache@17",
    ];
    let all: BTreeSet<String> = found("guide.md", page).into_iter().collect();
    assert_eq!(all, expected.map(str::to_owned).into());
    let cors = "API Gateway, AWS_IAM.\nCORS: OPTIONS, and `Access-Control-Allow-Origin` on 200.\n";
    assert_eq!(found("cors.md", cors), ["document::cors-on-success-only@2"]);
    let code = "exports.handler = async (event) => client({ jwksRequestsPerMinute: 5, arn: event.methodArn });\n";
    assert_eq!(found("index.js", code), ["handler::jwks-rate-limit@1"]);
    let loose = "^Bearer [-0-9a-zA-Z._]*$";
    assert_eq!(
        found("note.md", &format!("Use `{loose}`.\n")),
        ["config::validation-expression-accepts-empty@1"]
    );
    assert_eq!(
        found("note.md", "Use `^Bearer [a-z`.\n"),
        ["config::validation-expression-invalid@1"]
    );
}

#[test]
fn html_is_read_with_the_lines_of_the_file() {
    let page = "<html><body>\n<table><tr><td><code>JWKS_URI</code></td>\n<td><code>http://corp.auth0.com/.well-known/jwks.json</code></td></tr></table>\n\
        <pre><code>{&quot;Version&quot;: &quot;2016-01-01&quot;,\n&quot;Statement&quot;: [{&quot;Effect&quot;: &quot;allow&quot;, <b>&quot;Action&quot;</b>: &quot;execute-api:Invoke&quot;,\n\
        &quot;Resource&quot;: &quot;arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*/*&quot;}]}</code></pre>";
    assert_eq!(
        found("page.html", page),
        [
            "config::http-jwks@3",
            "policy::version@4",
            "policy::effect-unknown@5"
        ]
    );
}

#[test]
fn places_count_lines_and_characters_from_one() {
    let text = "é\r\n  `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*/`\n";
    let finding = &lint("a.md", text, Options::default())[0];
    assert_eq!((finding.line, finding.column), (2, 4));
}

#[test]
fn nothing_makes_it_panic_or_hang() {
    let pieces = [
        "{",
        "}",
        "\"Statement\":",
        "[",
        "]",
        "|",
        "`",
        "é",
        "\n",
        "arn:aws:execute-api:",
        "/*/",
        "AUDIENCE=",
        "\t",
        "\"",
        "<td>",
        "&quot;",
        "```",
        "'",
    ];
    let mut seed = 7_usize;
    for _ in 0..500 {
        let mut text = String::new();
        for _ in 0..60 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(seed >> 33) % pieces.len()]);
        }
        for name in ["a.md", "a.html", "a.json", ".env", "a.js", "-"] {
            lint(name, &text, Options::default());
        }
    }
    lint("a.md", &"{\"a\":".repeat(100_000), Options::default());
    lint("a.md", &"{a:'x',".repeat(50_000), Options::default());
}

#[test]
fn the_documentation_lists_the_rules_of_the_code() {
    let page = include_str!("../../../docs/lint.md");
    let written: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let expected: Vec<String> = rules()
        .map(|rule| {
            format!(
                "| `{}` | {} | {} | {} |",
                rule.id, rule.severity, rule.wrong, rule.source
            )
        })
        .collect();
    assert_eq!(
        written,
        expected,
        "docs/lint.md should have:\n{}\n",
        expected.join("\n")
    );
    let ids: BTreeSet<&str> = rules().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), expected.len(), "an id is there twice");
}

#[test]
fn findings_are_written_for_people_and_for_programs() {
    let file = "trust.json".to_owned();
    let text = TRUST.replace("2012-10-17", "2019-01-01");
    let reports = [Report {
        findings: lint(&file, &text, Options::default()),
        file,
    }];
    let shown = terminal(&reports);
    assert!(
        shown.starts_with(
            "trust.json:2:14 error trust::policy-version: \"2019-01-01\" is no version"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("\n    why: ")
            && shown.contains("\n    write: \"Version\": \"2012-10-17\"\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with("1 file: 1 error, 0 warnings, 0 notes\n"),
        "{shown}"
    );
    let array: serde_json::Value = serde_json::from_str(&json(&reports)).expect("JSON");
    assert_eq!(array[0]["rule"], "trust::policy-version");
    assert_eq!(array[0]["line"], 2);
    assert_eq!(json(&[]), "[]\n");
}
