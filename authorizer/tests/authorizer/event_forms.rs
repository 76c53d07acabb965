//! Each form of event, from its bytes to the answer's.

use authorizer::{Authorizer, AuthorizerError, Rejection};
use serde_json::{Value, json};

use crate::{
    events::at,
    issuers::{FIRST, authorizer},
    tokens::{NOW, changed, valid_token, with_claims},
};

const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/planets";
const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*/*";

/// Every form, by what it is called here.
const FORMS: [&str; 4] = ["TOKEN", "REQUEST", "1.0", "2.0"];

/// The forms with the request's header fields.
const WITH_HEADERS: [&str; 3] = ["REQUEST", "1.0", "2.0"];

/// An authorizer for the first issuer, with these settings above its table.
fn with(top: &str) -> Authorizer {
    authorizer(&format!("{top}\n{FIRST}"))
}

/// An event as API Gateway sends it, with `headers` in place of its own.
fn event_with(form: &str, headers: &Value) -> Value {
    match form {
        "TOKEN" => json!({
            "type": "TOKEN", "methodArn": ARN, "authorizationToken": headers["Authorization"],
        }),
        "REQUEST" => json!({
            "type": "REQUEST", "methodArn": ARN, "resource": "/planets", "path": "/planets", "httpMethod": "GET",
            "headers": headers, "multiValueHeaders": multi_value(headers), "queryStringParameters": {},
            "pathParameters": {}, "stageVariables": {}, "requestContext": {"stage": "test", "authorizer": null},
        }),
        "1.0" => json!({
            "version": "1.0", "type": "REQUEST", "methodArn": ARN, "identitySource": "user1,123",
            "authorizationToken": "user1,123", "resource": "/planets", "path": "/planets", "httpMethod": "GET",
            "headers": headers, "queryStringParameters": {}, "pathParameters": {}, "stageVariables": {},
            "requestContext": {"stage": "test"},
        }),
        _ => json!({
            "version": "2.0", "type": "REQUEST", "routeArn": ARN, "identitySource": ["user1", "123"],
            "routeKey": "GET /planets", "rawPath": "/planets", "rawQueryString": "a=1", "cookies": ["c=1"],
            "headers": headers, "queryStringParameters": {"a": "1"},
            "requestContext": {"http": {"method": "GET", "path": "/planets"}, "stage": "test"},
        }),
    }
}

fn multi_value(headers: &Value) -> Value {
    let members = headers.as_object().unwrap().iter();
    members
        .map(|(name, value)| (name.clone(), json!([value])))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn event(form: &str, credential: &str) -> Value {
    let headers = json!({
        "X-Amzn-Trace-Id": "Root=1", "Authorization": credential, "Accept": "*/*",
    });
    // HTTP APIs write names in lower case.
    if form == "2.0" {
        let mut headers = headers;
        let members = headers.as_object_mut().unwrap();
        let credential = members.remove("Authorization").unwrap();
        members.insert("authorization".to_owned(), credential);
        return event_with(form, &headers);
    }
    event_with(form, &headers)
}

async fn answer(authorizer: &Authorizer, event: &Value) -> Result<Value, AuthorizerError> {
    let answer = authorizer
        .answer(event.to_string().as_bytes(), at(NOW))
        .await?;
    Ok(serde_json::to_value(&answer).unwrap())
}

async fn refusal(authorizer: &Authorizer, event: &Value) -> Rejection {
    match answer(authorizer, event).await {
        Err(error @ AuthorizerError::Unauthorized(rejection)) => {
            assert_eq!(error.to_string(), "Unauthorized");
            rejection
        }
        other => panic!("{other:?} for {event}"),
    }
}

#[tokio::test]
async fn every_form_is_answered_by_the_same_policy() {
    let authorizer = with("required_scopes = [\"read:planets\"]");
    let credential = format!("Bearer {}", valid_token());
    for form in FORMS {
        let answer = answer(&authorizer, &event(form, &credential))
            .await
            .unwrap();
        let expected = json!({
            "principalId": "user|1",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": STAGE}],
            },
            "context": {"scope": "openid read:planets"},
        });
        assert_eq!(answer, expected, "{form}");
    }
}

#[tokio::test]
async fn only_payload_2_0_is_answered_simply() {
    let authorizer = with("answer = \"simple\"");
    let credential = format!("Bearer {}", valid_token());
    for form in FORMS {
        let answer = answer(&authorizer, &event(form, &credential))
            .await
            .unwrap();
        if form == "2.0" {
            let expected =
                json!({"isAuthorized": true, "context": {"scope": "openid read:planets"}});
            assert_eq!(answer, expected);
        } else {
            assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow");
            assert!(answer.get("isAuthorized").is_none(), "{form}");
        }
    }
}

#[tokio::test]
async fn a_token_without_a_required_scope_is_not_authorized() {
    let credential = format!("Bearer {}", valid_token());
    for style in ["policy", "simple"] {
        let top = format!("answer = \"{style}\"\nrequired_scopes = [\"write:planets\"]");
        let authorizer = with(&top);
        for form in FORMS {
            let answer = answer(&authorizer, &event(form, &credential))
                .await
                .unwrap();
            if style == "simple" && form == "2.0" {
                assert_eq!(answer["isAuthorized"], false);
                assert!(answer.get("policyDocument").is_none());
            } else {
                let statements = &answer["policyDocument"]["Statement"];
                assert_eq!(statements[0]["Effect"], "Deny", "{style}, {form}");
                assert_eq!(statements.as_array().unwrap().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_credential_that_is_refused_is_unauthorized_in_every_form_and_style() {
    let token = valid_token();
    let rows = [
        (
            format!("Bearer {}", with_claims(&json!({"exp": NOW}))),
            Rejection::Expired,
        ),
        (format!("Bearer {token}A"), Rejection::SignatureInvalid),
        (format!("Bearer {token}="), Rejection::SignatureEncoding),
        (format!("Basic {token}"), Rejection::SchemeNotBearer),
        (token.clone(), Rejection::SchemeNotBearer),
        // As an HTTP API joins two fields of one name.
        (
            format!("Bearer {token},Bearer {token}"),
            Rejection::CredentialsMalformed,
        ),
        (
            format!("Bearer {token}, Bearer {token}"),
            Rejection::CredentialsMalformed,
        ),
        (format!("Bearer {token},{token}"), Rejection::NotThreeParts),
        ("Bearer ".to_owned(), Rejection::CredentialsMissing),
        (String::new(), Rejection::CredentialsMissing),
    ];
    for style in ["policy", "simple"] {
        let authorizer = with(&format!("answer = \"{style}\""));
        for form in FORMS {
            for (credential, expected) in &rows {
                let found = refusal(&authorizer, &event(form, credential)).await;
                assert_eq!(found, *expected, "{style}, {form}: {credential:.20}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_without_the_header_has_no_credential() {
    let authorizer = with("");
    let token = valid_token();
    let fields = [
        json!({}),
        json!({"accept": "*/*"}),
        json!({"proxy-authorization": format!("Bearer {token}")}),
        json!({"authorization ": format!("Bearer {token}")}),
        json!({"author\u{131}zation": format!("Bearer {token}")}),
    ];
    for form in WITH_HEADERS {
        for fields in &fields {
            let found = refusal(&authorizer, &event_with(form, fields)).await;
            assert_eq!(found, Rejection::CredentialsMissing, "{form}: {fields}");
        }
        for nothing in [json!(null), json!([]), json!("authorization")] {
            let members = json!({"headers": nothing, "multiValueHeaders": nothing});
            let event = changed(event_with(form, &json!({})), &members);
            let found = refusal(&authorizer, &event).await;
            assert_eq!(found, Rejection::CredentialsMissing, "{form}: {nothing}");
        }
    }
}

#[tokio::test]
async fn two_credentials_in_one_request_are_refused_even_if_both_are_good() {
    let authorizer = with("");
    let credential = format!("Bearer {}", valid_token());
    let twice = json!({"Authorization": credential, "authorization": credential});
    for form in WITH_HEADERS {
        let found = refusal(&authorizer, &event_with(form, &twice)).await;
        assert_eq!(found, Rejection::CredentialsRepeated, "{form}");
    }
    for values in [
        json!({"Authorization": [credential, credential]}),
        json!({"Authorization": [credential], "AUTHORIZATION": [credential]}),
        json!({"Authorization": [credential, ""]}),
    ] {
        let members = json!({"multiValueHeaders": values});
        let event = changed(event("REQUEST", &credential), &members);
        let found = refusal(&authorizer, &event).await;
        assert_eq!(found, Rejection::CredentialsRepeated, "{values}");
    }
    for values in [json!([1]), json!(1), json!({}), json!(null), json!([null])] {
        let members = json!({"multiValueHeaders": {"Authorization": values}});
        let event = changed(event("REQUEST", &credential), &members);
        let found = refusal(&authorizer, &event).await;
        assert_eq!(found, Rejection::CredentialsMalformed, "{values}");
    }
}

#[tokio::test]
async fn what_api_gateway_says_beside_the_header_is_no_credential() {
    let authorizer = with("");
    let credential = format!("Bearer {}", valid_token());
    // Members that hold a good credential in another form of event, or as an identity source.
    let members = json!({
        "authorizationToken": credential, "identitySource": [credential],
        "queryStringParameters": {"Authorization": credential}, "cookies": [credential],
    });
    for form in WITH_HEADERS {
        let event = changed(event_with(form, &json!({})), &members);
        let found = refusal(&authorizer, &event).await;
        assert_eq!(found, Rejection::CredentialsMissing, "{form}");
    }
    let headers = json!({"headers": {"Authorization": credential}});
    let event = changed(event("TOKEN", "Bearer x"), &headers);
    assert_eq!(refusal(&authorizer, &event).await, Rejection::NotThreeParts);
}

#[tokio::test]
async fn the_settings_say_which_header_holds_the_credential_and_how() {
    let authorizer = with("token_header = \"X-Token\"\ntoken_form = \"raw\"");
    let token = valid_token();
    for form in WITH_HEADERS {
        for name in ["X-Token", "x-token", "X-TOKEN"] {
            let headers = json!({"Authorization": "Bearer x", name: token});
            let answer = answer(&authorizer, &event_with(form, &headers))
                .await
                .unwrap();
            assert_eq!(answer["principalId"], "user|1", "{form}, {name}");
        }
        let bearer = json!({"x-token": format!("Bearer {token}")});
        let found = refusal(&authorizer, &event_with(form, &bearer)).await;
        assert_eq!(found, Rejection::CredentialsMalformed, "{form}");
        let elsewhere = json!({"Authorization": format!("Bearer {token}")});
        let found = refusal(&authorizer, &event_with(form, &elsewhere)).await;
        assert_eq!(found, Rejection::CredentialsMissing, "{form}");
    }
    // A TOKEN event has the header's value under a name of its own.
    let answer = answer(&authorizer, &event("TOKEN", &token)).await.unwrap();
    assert_eq!(answer["principalId"], "user|1");
}

#[tokio::test]
async fn an_event_of_no_known_form_is_the_platforms_fault() {
    let authorizer = with("");
    let credential = format!("Bearer {}", valid_token());
    let changes = [
        ("TOKEN", json!({"version": "1.0"})),
        ("TOKEN", json!({"type": "Token"})),
        ("TOKEN", json!({"authorizationToken": [credential]})),
        ("REQUEST", json!({"version": "3.0"})),
        ("REQUEST", json!({"version": "2.0"})),
        ("REQUEST", json!({"version": null})),
        ("REQUEST", json!({"version": 1.0})),
        ("REQUEST", json!({"type": "WEBSOCKET"})),
        ("1.0", json!({"methodArn": null, "routeArn": ARN})),
        ("2.0", json!({"routeArn": null, "methodArn": ARN})),
        (
            "2.0",
            json!({"routeArn": "arn:aws:execute-api:us-east-1:1:a/*/GET/"}),
        ),
    ];
    for (form, change) in changes {
        let event = changed(event(form, &credential), &change);
        let error = answer(&authorizer, &event).await.unwrap_err();
        assert!(
            matches!(error, AuthorizerError::Event(_)),
            "{form}: {change}"
        );
        assert_eq!(error.to_string(), "malformed authorizer event");
    }
}

#[tokio::test]
async fn the_stage_of_an_http_api_without_a_name_is_answered_for() {
    let authorizer = with("");
    let arn = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/$default/GET/planets";
    let credential = format!("Bearer {}", valid_token());
    let event = changed(event("2.0", &credential), &json!({"routeArn": arn}));
    let answer = answer(&authorizer, &event).await.unwrap();
    assert_eq!(
        answer["policyDocument"]["Statement"][0]["Resource"],
        "arn:aws:execute-api:us-east-1:123456789012:abcdef123/$default/*/*"
    );
}

#[tokio::test]
async fn the_connect_route_of_a_websocket_api_is_answered_for() {
    let credential = format!("Bearer {}", valid_token());
    let arn = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/default/$connect";
    let event = changed(event("REQUEST", &credential), &json!({"methodArn": arn}));
    for (top, effect) in [
        ("", "Allow"),
        ("required_scopes = [\"write:planets\"]", "Deny"),
    ] {
        let answer = answer(&with(top), &event).await.unwrap();
        let statement = &answer["policyDocument"]["Statement"][0];
        assert_eq!(statement["Effect"], effect);
        // A resource with a slash behind the stage would not cover a route.
        let resource = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/default/*";
        assert_eq!(statement["Resource"], resource);
    }
}
