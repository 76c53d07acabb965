use std::collections::BTreeMap;

use regex::Regex;

use super::terraform::TRUST;
use super::*;
use crate::lint::{self, Kind, Options};

fn settings(variables: &[(&str, &str)]) -> Settings {
    let required = [
        ("TOKEN_ISSUER", "https://i.example/"),
        ("AUDIENCE", "https://api.example/"),
        ("JWKS_URI", "https://i.example/jwks.json"),
    ];
    let find = |name: &str| {
        let mut all = variables.iter().chain(&required);
        all.find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Settings::from_lookup(find).expect("good settings")
}

fn deployment(variables: &[(&str, &str)]) -> Deployment {
    Deployment::new(&settings(variables), Source::Environment).expect("they fit the environment")
}

/// Every kind of template: by settings, by API, with and without a cache.
fn all() -> Vec<Deployment> {
    let settings: [&[(&str, &str)]; 4] = [
        &[],
        &[("AUTHORIZER_ANSWER", "simple")],
        &[
            ("AUTHORIZER_TOKEN_HEADER", "x-token"),
            ("AUTHORIZER_TOKEN_FORM", "raw"),
        ],
        &[("AUTHORIZER_POLICY_ENDS_WITH_TOKEN", "on")],
    ];
    let mut all = Vec::new();
    for variables in settings {
        for api in [Api::Http, Api::RestRequest, Api::RestToken] {
            for ttl_s in [0, 300, u16::MAX] {
                all.push(deployment(variables).api(api).ttl_s(ttl_s));
            }
        }
    }
    all
}

/// The keys of a template with what stands behind them; a key's path is all keys above it, joined by dots.
fn yaml(text: &str) -> BTreeMap<String, String> {
    let mut path: Vec<&str> = Vec::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (key, value) = content.split_once(':').expect("a map and nothing else");
        let depth = (line.len() - content.len()) / 2;
        assert!(depth <= path.len(), "{line}");
        path.truncate(depth);
        path.push(key);
        let before = found.insert(path.join("."), value.trim().to_owned());
        assert_eq!(before, None, "twice: {line}");
    }
    found
}

/// The same of a configuration: the labels of its blocks and the arguments in them, without the role's trust policy.
fn hcl(text: &str) -> BTreeMap<String, String> {
    let mut path: Vec<String> = Vec::new();
    let mut found = BTreeMap::new();
    let text = text.replace(&format!("jsonencode({TRUST})"), "trust");
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') || line.ends_with("{}") {
            continue;
        }
        if line == "}" {
            path.pop().expect("something to close");
        } else if let Some(label) = line.strip_suffix('{') {
            path.push(label.replace(['"', '='], "").trim().replace(' ', "."));
        } else {
            let (key, value) = line.split_once('=').expect("an argument");
            let key = format!("{}.{}", path.join("."), key.trim());
            found.insert(key, value.trim().to_owned());
        }
    }
    assert_eq!(path, [""; 0], "everything is closed");
    found
}

/// Checks what the authorizer is in both templates.
fn check_api(
    variables: &[(&str, &str)],
    resource: &str,
    in_sam: &[(&str, &str)],
    in_terraform: &[(&str, &str)],
) {
    let deployment = deployment(variables);
    let sam = yaml(&deployment.sam().expect("a template"));
    let terraform = hcl(&deployment.terraform());
    for (key, value) in in_sam {
        let key = format!("Resources.Api.Properties.Auth.Authorizers.JwtAuthorizer.{key}");
        assert_eq!(sam.get(&key).map(String::as_str), Some(*value), "{key}");
    }
    for (key, value) in in_terraform {
        let key = format!("resource.{resource}.jwt.{key}");
        assert_eq!(
            terraform.get(&key).map(String::as_str),
            Some(*value),
            "{key}"
        );
    }
    let validates =
        |found: &BTreeMap<String, String>, name: &str| found.keys().any(|key| key.ends_with(name));
    let token = deployment.api == Api::RestToken;
    assert_eq!(validates(&sam, "ValidationExpression"), token);
    assert_eq!(validates(&terraform, "validation_expression"), token);
}

#[test]
fn the_api_and_its_authorizer_follow_from_the_settings() {
    let header = ("AUTHORIZER_TOKEN_HEADER", "x-token");
    check_api(
        &[],
        "aws_api_gateway_authorizer",
        &[
            ("FunctionPayloadType", "TOKEN"),
            ("Identity.Header", "\"Authorization\""),
            ("Identity.ReauthorizeEvery", "300"),
        ],
        &[
            ("type", "\"TOKEN\""),
            ("identity_source", "\"method.request.header.Authorization\""),
            ("authorizer_result_ttl_in_seconds", "300"),
        ],
    );
    check_api(
        &[header],
        "aws_api_gateway_authorizer",
        &[
            ("FunctionPayloadType", "REQUEST"),
            ("Identity.Headers", "[\"x-token\"]"),
            ("Identity.ReauthorizeEvery", "300"),
        ],
        &[
            ("type", "\"REQUEST\""),
            ("identity_source", "\"method.request.header.x-token\""),
            ("authorizer_result_ttl_in_seconds", "300"),
        ],
    );
    check_api(
        &[("AUTHORIZER_ANSWER", "simple"), header],
        "aws_apigatewayv2_authorizer",
        &[
            ("AuthorizerPayloadFormatVersion", "\"2.0\""),
            ("EnableSimpleResponses", "true"),
            ("Identity.Headers", "[\"x-token\"]"),
            ("Identity.ReauthorizeEvery", "300"),
        ],
        &[
            ("authorizer_type", "\"REQUEST\""),
            ("authorizer_payload_format_version", "\"2.0\""),
            ("enable_simple_responses", "true"),
            ("identity_sources", "[\"$request.header.x-token\"]"),
            ("authorizer_result_ttl_in_seconds", "300"),
        ],
    );
}

#[test]
fn the_function_is_what_the_bundle_is_for_and_has_the_settings_that_are_no_defaults() {
    let deployment = deployment(&[("AUTHORIZER_LEEWAY_S", "5"), ("AUTHORIZER_METRICS", "off")])
        .architecture(Architecture::Arm64)
        .zip("b.zip");
    let sam = yaml(&deployment.sam().expect("a template"));
    let terraform = hcl(&deployment.terraform());
    let sam = |key: &str| sam.get(&format!("Resources.AuthorizerFunction.Properties.{key}"));
    let terraform =
        |key: &str| terraform.get(&format!("resource.aws_lambda_function.authorizer.{key}"));
    let both = [
        ("CodeUri", "\"b.zip\"", "filename", "\"b.zip\""),
        ("Handler", "bootstrap", "handler", "\"bootstrap\""),
        (
            "Runtime",
            "provided.al2023",
            "runtime",
            "\"provided.al2023\"",
        ),
        ("Architectures", "[arm64]", "architectures", "[\"arm64\"]"),
        ("MemorySize", "256", "memory_size", "256"),
        ("Timeout", "4", "timeout", "4"),
    ];
    for (in_sam, sam_value, in_terraform, terraform_value) in both {
        assert_eq!(sam(in_sam).map(String::as_str), Some(sam_value), "{in_sam}");
        assert_eq!(
            terraform(in_terraform).map(String::as_str),
            Some(terraform_value)
        );
    }
    for (name, value) in [
        ("AUTHORIZER_LEEWAY_S", Some("\"5\"")),
        ("AUTHORIZER_METRICS", None),
    ] {
        let found = sam(&format!("Environment.Variables.{name}"));
        assert_eq!(found.map(String::as_str), value);
        let found = terraform(&format!("environment.variables.{name}"));
        assert_eq!(found.map(String::as_str), value);
    }
}

#[test]
fn the_timeout_leaves_room_for_two_fetches_of_keys_and_ends_before_api_gateway_does() {
    for (deadline_ms, timeout_s) in [
        ("50", "2"),
        ("1500", "4"),
        ("1501", "5"),
        ("3999", "9"),
        ("4000", "9"),
    ] {
        let deployment = deployment(&[("AUTHORIZER_KEYS_DEADLINE_MS", deadline_ms)]);
        let sam = yaml(&deployment.sam().expect("a template"));
        let found = &sam["Resources.AuthorizerFunction.Properties.Timeout"];
        assert_eq!(found, timeout_s, "{deadline_ms} ms");
        let terraform = hcl(&deployment.terraform());
        let found = &terraform["resource.aws_lambda_function.authorizer.timeout"];
        assert_eq!(found, timeout_s, "{deadline_ms} ms");
    }
}

#[test]
fn a_bundle_with_a_file_needs_one_variable() {
    let settings = settings(&[("AUTHORIZER_LEEWAY_S", "5")]);
    let deployment = Deployment::new(&settings, Source::Bundle).expect("always");
    let file = "\"/var/task/authorizer.toml\"";
    let sam = yaml(&deployment.sam().expect("a template"));
    let variables: Vec<_> = sam
        .iter()
        .filter(|(key, _)| key.contains(".Variables."))
        .collect();
    let [(key, value)] = variables[..] else {
        panic!("{variables:?}");
    };
    assert!(
        key.ends_with(".AUTHORIZER_CONFIG") && value == file,
        "{key}: {value}"
    );
    let text = deployment.terraform();
    assert!(
        text.contains(&format!("AUTHORIZER_CONFIG = {file}")),
        "{text}"
    );
}

#[test]
fn nothing_may_more_than_it_has_to() {
    for deployment in all() {
        let (sam, terraform) = (
            deployment.sam().expect("a template"),
            deployment.terraform(),
        );
        let found = yaml(&sam);
        let permission =
            |key: &str| found[&format!("Resources.AuthorizerPermission.Properties.{key}")].as_str();
        assert_eq!(permission("Principal"), "apigateway.amazonaws.com");
        assert_eq!(permission("Action"), "lambda:InvokeFunction");
        assert!(permission("SourceArn").ends_with(":${Api}/authorizers/*\""));
        let permissions = found
            .values()
            .filter(|value| *value == "AWS::Lambda::Permission");
        assert_eq!(permissions.count(), 1);
        let found = hcl(&terraform);
        let permission =
            |key: &str| found[&format!("resource.aws_lambda_permission.authorizer.{key}")].as_str();
        assert_eq!(permission("principal"), "\"apigateway.amazonaws.com\"");
        assert_eq!(permission("action"), "\"lambda:InvokeFunction\"");
        let arn = permission("source_arn");
        assert!(
            arn.starts_with("\"${var.api_execution_arn}/authorizers/${aws_api"),
            "{arn}"
        );
        let policies: Vec<_> = found
            .iter()
            .filter(|(key, _)| key.ends_with("policy") || key.ends_with("policy_arn"))
            .collect();
        let [(_, trust), (_, managed)] = policies[..] else {
            panic!("{policies:?}");
        };
        assert!(managed.ends_with(":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole\""));
        assert_eq!(trust, "trust");
        for text in [sam, terraform] {
            assert!(!text.contains("\"*\""), "no wildcard stands alone: {text}");
        }
    }
    let trust: serde_json::Value = serde_json::from_str(TRUST).expect("JSON");
    assert_eq!(trust["Version"], "2012-10-17");
    assert_eq!(
        trust["Statement"][0]["Principal"],
        serde_json::json!({ "Service": "lambda.amazonaws.com" })
    );
}

#[test]
fn our_own_lint_finds_nothing() {
    let none = |name: &str, text: &str, kind| {
        let options = Options {
            kind,
            ..Options::default()
        };
        let findings = lint::lint(name, text, options);
        assert!(findings.is_empty(), "{name}: {findings:?}\n{text}");
    };
    none("trust.json", TRUST, Some(Kind::Trust));
    for deployment in all() {
        none(
            "template.yaml",
            &deployment.sam().expect("a template"),
            None,
        );
        let text = deployment.terraform();
        none("main.tf", &text, None);
        // In a form that it reads to the last value.
        let found = hcl(&text);
        let of_authorizer = found
            .iter()
            .filter(|(key, _)| key.contains("_authorizer.jwt."));
        let members: Vec<_> = of_authorizer
            .filter(|(_, value)| value.starts_with(['"', '[']) || value.parse::<u16>().is_ok())
            .map(|(key, value)| {
                let key = key.rsplit('.').next().unwrap_or_default();
                format!("{key:?}: {value}").replace("identity_sources", "identity_source")
            })
            .collect();
        assert!(members.len() >= 4, "{members:?}");
        let object = format!("{{{}}}", members.join(", "));
        none("authorizer.json", &object, Some(Kind::Config));
    }
}

#[test]
fn the_expression_lets_through_what_the_authorizer_takes() {
    let table = [
        ("bearer", "Bearer eyJ-.e_30.s-_g", true),
        ("bearer", "bearer a.b.c", true),
        ("bearer", "BEARER   a.b.c", true),
        ("bearer", "a.b.c", false),
        ("bearer", "Bearer ", false),
        ("bearer", "Bearer a.b", false),
        ("bearer", "Bearer a.b.c d", false),
        ("raw", "a-.b_.c", true),
        ("raw", "Bearer a.b.c", false),
    ];
    for (form, value, expected) in table {
        let deployment = deployment(&[("AUTHORIZER_TOKEN_FORM", form)]);
        let expression = Regex::new(deployment.validation_expression()).expect("an expression");
        assert_eq!(expression.is_match(value), expected, "{value}");
    }
}

#[test]
fn whatever_stands_in_a_value_comes_back_and_does_nothing() {
    let nasty = [
        "a\"b\\c",
        "${aws_iam_role.x.arn} $${x} $$${x} %{if true} %%{x}",
        "# no comment: {a: [b]} - !Sub 'x' & *y | > % @ `",
        "line\nbreak\r\n\ttab \u{0} \u{7f} \u{85} \u{2028} \u{feff} end",
        "é 😀 \\u0041 {{x}}",
    ];
    let evaluated = Regex::new(r"[^$]\$\{|[^%]%\{").expect("an expression");
    for value in nasty {
        let yaml = quote::yaml(value);
        let hcl = quote::hcl(value);
        // Both are JSON but for what HCL doubles; nothing that could end or change the line is left as it is.
        let read = |text: &str| serde_json::from_str::<String>(text).expect("a JSON string");
        assert_eq!(read(&yaml), value);
        assert!(!evaluated.is_match(&hcl), "{hcl}");
        assert_eq!(read(&hcl.replace("$${", "${").replace("%%{", "%{")), value);
        for text in [&yaml, &hcl] {
            let is_plain = |c: char| !c.is_control() && !['\u{2028}', '\u{feff}'].contains(&c);
            assert!(text.chars().all(is_plain), "{text:?}");
        }
        // Through the whole: a claim's name may hold nearly anything.
        let claim = value.trim();
        let deployment = deployment(&[("AUTHORIZER_API_KEY_CLAIM", claim)]);
        let sam = deployment.sam().expect("a template");
        let line = format!(
            "          AUTHORIZER_API_KEY_CLAIM: {}\n",
            quote::yaml(claim)
        );
        assert!(sam.contains(&line), "{sam}");
        let terraform = deployment.terraform();
        let line = format!("      AUTHORIZER_API_KEY_CLAIM = {}\n", quote::hcl(claim));
        assert!(terraform.contains(&line), "{terraform}");
    }
    let secret = deployment(&[("AUTHORIZER_API_KEY_CLAIM", "{{resolve:ssm:/x}}")]);
    let error = secret.sam().expect_err("CloudFormation would resolve it");
    assert!(
        error
            .to_string()
            .contains("AUTHORIZER_API_KEY_CLAIM holds {{resolve:"),
        "{error}"
    );
}
