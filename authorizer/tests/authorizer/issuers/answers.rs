//! What of a token and of the settings goes into the answer.

use authorizer::{AnswerTooLong, AuthorizerAnswer, AuthorizerError};
use serde_json::{Value, json};

use super::{FIRST, SECOND, answer, authorizer, other_claims, signed};
use crate::{
    events::{at, event},
    tokens::{NEXT_KEY, NOW, changed, claims, header},
};

const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test";

async fn answer_to(top: &str, claims: &Value) -> Value {
    let authorizer = authorizer(&format!("{top}\n{FIRST}"));
    answer(&authorizer, &signed(claims)).await.unwrap()
}

#[tokio::test]
async fn carried_claims_are_in_the_context_as_far_as_an_answer_can_hold_them() {
    let top = r#"
        [context]
        a_text = "text"
        b_whole = "whole"
        c_part = "part"
        d_bool = "https://example.com/bool"
        e_array = "array"
        f_object = "object"
        g_null = "null"
        h_absent = "absent"
        i_huge = "huge"
        l_beyond = "beyond"
        m_double = "double"
        j_sub = "sub"
        k_twice = "text"
    "#;
    let carried = json!({
        "text": "ä\"\u{1f680}\u{0}", "whole": -7, "part": 1.5, "https://example.com/bool": false,
        "array": ["x"], "object": {"x": 1}, "null": null, "huge": 18_446_744_073_709_551_615_u64,
        // Integers that no type holds: passed on, they would be others.
        "beyond": serde_json::from_str::<Value>("100000000000000000001").unwrap(), "double": 1e20,
    });
    let answer = answer_to(top, &changed(claims(), &carried)).await;
    assert_eq!(
        answer["context"],
        json!({
            "scope": "openid read:planets", "a_text": "ä\"\u{1f680}\u{0}", "b_whole": -7, "c_part": 1.5,
            "d_bool": false, "i_huge": 18_446_744_073_709_551_615_u64, "j_sub": "user|1", "k_twice": "ä\"\u{1f680}\u{0}",
        })
    );
    let answer = answer_to("", &changed(claims(), &carried)).await;
    assert_eq!(answer["context"], json!({"scope": "openid read:planets"}));
}

/// API Gateway would turn it into a 500 that nobody explains.
#[tokio::test]
async fn an_answer_that_api_gateway_would_not_take_is_an_error_of_its_own() {
    let authorizer = authorizer(&format!("context = {{ note = \"note\" }}\n{FIRST}"));
    let length = |bytes: usize| {
        let token = signed(&changed(claims(), &json!({"note": "n".repeat(bytes)})));
        let authorizer = authorizer.clone();
        async move {
            let answer = authorizer.answer(&event(&token), at(NOW)).await;
            answer.map(|answer| answer.to_json().len())
        }
    };
    let frame = length(0).await.unwrap();
    let room = AuthorizerAnswer::BYTES_MAX - frame;
    assert_eq!(length(room).await.unwrap(), AuthorizerAnswer::BYTES_MAX);
    let error = length(room + 1).await.unwrap_err();
    assert!(
        matches!(error, AuthorizerError::Answer(AnswerTooLong(bytes)) if bytes == AuthorizerAnswer::BYTES_MAX + 1)
    );
    assert_eq!(error.to_string(), "the answer is too long");
}

#[tokio::test]
async fn the_claims_of_every_issuer_are_carried() {
    let text = format!("context = {{ tenant = \"org\" }}\n{FIRST}{SECOND}");
    let authorizer = authorizer(&text);
    let org = json!({"org": "o-1"});
    let first = signed(&changed(claims(), &org));
    let second = changed(other_claims(), &org).to_string();
    let second = NEXT_KEY.sign(header().to_string(), second);
    for token in [first, second] {
        let answer = answer(&authorizer, &token).await.unwrap();
        assert_eq!(answer["context"]["tenant"], "o-1");
    }
}

#[tokio::test]
async fn the_api_key_is_passed_on_if_it_can_be_one() {
    let key = |value: Value| async move {
        let claims = changed(claims(), &json!({"api_key": value}));
        let answer = answer_to("api_key_claim = \"api_key\"", &claims).await;
        assert!(answer["context"]["api_key"].is_null());
        answer["usageIdentifierKey"].clone()
    };
    let right = "k".repeat(20);
    assert_eq!(key(json!(right)).await, json!(right));
    for wrong in [
        json!("k".repeat(19)),
        json!("k".repeat(129)),
        json!(""),
        json!(12_345_678_901_234_567_890_u64),
        json!([right]),
        json!(null),
    ] {
        assert_eq!(key(wrong.clone()).await, Value::Null, "{wrong}");
    }
    let claims = changed(claims(), &json!({"api_key": right}));
    let answer = answer_to("", &claims).await;
    assert!(answer.get("usageIdentifierKey").is_none());
}

#[tokio::test]
async fn a_policy_ends_with_its_token_if_the_settings_say_so() {
    let claims = changed(claims(), &json!({"exp": NOW + 45}));
    let answer = answer_to("policy_ends_with_token = true", &claims).await;
    assert_eq!(
        answer["policyDocument"]["Statement"],
        json!([{
            "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": format!("{STAGE}/*/*"),
            "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-09-21T14:14:05Z"}},
        }])
    );
    // Whoever is let in by the leeway is let in until it ends.
    let late = signed(&changed(claims.clone(), &json!({"exp": NOW - 5})));
    let lenient = authorizer(&format!(
        "policy_ends_with_token = true\n{FIRST}leeway_s = 30\n"
    ));
    let ending = self::answer(&lenient, &late).await.unwrap();
    assert_eq!(
        ending["policyDocument"]["Statement"][0]["Condition"],
        json!({"DateLessThan": {"aws:CurrentTime": "2026-09-21T14:13:45Z"}})
    );
    let top = "policy_ends_with_token = true\nrequired_scopes = [\"absent\"]";
    let answer = answer_to(top, &claims).await;
    let statement = &answer["policyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    assert!(statement.get("Condition").is_none());
    let answer = answer_to("", &claims).await;
    let statement = &answer["policyDocument"]["Statement"][0];
    assert!(statement.get("Condition").is_none());
}

#[tokio::test]
async fn a_token_may_call_the_routes_whose_scopes_it_has() {
    let routes = r#"
        [[route]]
        methods = ["GET"]
        path = "/planets"
        any_of = ["read:planets", "admin"]
        [[route]]
        methods = ["POST"]
        path = "/planets"
        all_of = ["write:planets", "openid"]
        [[route]]
        methods = ["GET"]
        path = "/health"
        no_scope = true
    "#;
    let rows = [
        ("read:planets", vec!["GET/planets", "GET/health"]),
        ("admin", vec!["GET/planets", "GET/health"]),
        ("write:planets", vec!["GET/health"]),
        ("openid write:planets", vec!["POST/planets", "GET/health"]),
        ("", vec!["GET/health"]),
        ("READ:PLANETS read:planets2", vec!["GET/health"]),
    ];
    let authorizer = authorizer(&format!("{FIRST}{routes}"));
    for (scope, expected) in rows {
        let token = signed(&changed(claims(), &json!({"scope": scope})));
        let answer = answer(&authorizer, &token).await.unwrap();
        let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1, "{answer}");
        assert_eq!(statements[0]["Effect"], "Allow");
        let mut found = match &statements[0]["Resource"] {
            Value::Array(resources) => resources.clone(),
            one => vec![one.clone()],
        };
        let mut expected: Vec<_> = expected
            .into_iter()
            .map(|route| json!(format!("{STAGE}/{route}")))
            .collect();
        for list in [&mut found, &mut expected] {
            list.sort_by_key(ToString::to_string);
        }
        assert_eq!(found, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_token_without_any_route_is_denied_the_stage() {
    let route = "[[route]]\nmethods = [\"*\"]\npath = \"/{proxy+}\"\nany_of = [\"admin\"]";
    let authorizer = authorizer(&format!("policy_ends_with_token = true\n{FIRST}{route}"));
    let answer = answer(&authorizer, &signed(&claims())).await.unwrap();
    assert_eq!(
        answer["policyDocument"]["Statement"],
        json!([{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": format!("{STAGE}/*/*")}])
    );
}
