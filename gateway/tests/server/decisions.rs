//! The decision table, seen by a client.

use gateway::decision::{CustomResponse, GatewayResponseType, GatewayResponses};
use gateway::{Integration, RestApi, RouteAuth};
use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::bed::{get, send, start};

#[tokio::test]
async fn each_answer_of_the_authorizer_gets_the_response_of_the_table() {
    let gateway = start(RestApi::planets()).await;
    let refused = r#"{"Message":"User is not authorized to access this resource"}"#;
    let denied =
        r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#;
    for (token, rule, status, error_type, body) in [
        (
            "unauthorized",
            "R-FN-401",
            401,
            "UnauthorizedException",
            r#"{"message":"Unauthorized"}"#,
        ),
        (
            "error",
            "R-FN-500",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        ),
        (
            "malformed",
            "R-OUT-500",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        ),
        (
            "oversize",
            "R-FN-500",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        ),
        ("deny", "R-DENY", 403, "AccessDeniedException", denied),
        (
            "no-match",
            "R-NOMATCH",
            403,
            "AccessDeniedException",
            refused,
        ),
        (
            "crash",
            "R-FN-500",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        ),
    ] {
        let answer = get(&gateway, "/test/planets", token).await;
        let got = (
            answer.rule(),
            answer.status,
            answer.header("x-amzn-errortype"),
            answer.body.as_str(),
        );
        assert_eq!(got, (rule, status, error_type, body), "{token}");
        assert_eq!(answer.header("x-amzn-requestid").len(), 36);
        assert_eq!(answer.header("x-amz-apigw-id").len(), 16);
        assert_eq!(answer.header("x-standin-cache"), "miss");
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_back_end_sees_who_was_let_in() {
    let gateway = start(RestApi::planets()).await;
    let answer = get(&gateway, "/test/planets", "allow").await;
    assert_eq!((answer.status, answer.rule()), (200, "R-ALLOW"));
    assert_eq!(answer.header("x-standin-environment"), "cold");
    answer
        .header("x-standin-authorizer-us")
        .parse::<u64>()
        .unwrap();
    let authorizer = answer.authorizer();
    assert_eq!(
        (&authorizer["principalId"], &authorizer["admin"]),
        (&json!("scripted"), &json!("true"))
    );
    assert!(authorizer["integrationLatency"].is_u64());
    assert_eq!(answer.json()["planets"].as_array().unwrap().len(), 8);
    assert_eq!(
        get(&gateway, "/test/planets/3", "allow").await.json()["planet"]["name"],
        "Earth"
    );
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_planet_can_be_made_read_and_removed() {
    let gateway = start(RestApi::planets()).await;
    let request = |method: &str, path: &str, body: &str| {
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer allow\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    for (method, path, body, status, member) in [
        (
            "POST",
            "/test/planets",
            r#"{"name":"Pluto"}"#,
            201,
            "planet",
        ),
        ("GET", "/test/planets/9", "", 200, "planet"),
        ("DELETE", "/test/planets/9", "", 200, "deleted"),
        ("GET", "/test/planets/9", "", 404, "message"),
        ("DELETE", "/test/planets/9", "", 404, "message"),
        ("GET", "/test/planets/nine", "", 404, "message"),
        (
            "POST",
            "/test/planets",
            r#"{"name":"Pluto","moons":5}"#,
            400,
            "message",
        ),
        ("POST", "/test/planets", r#"{"name":""}"#, 400, "message"),
        ("POST", "/test/planets", "", 400, "message"),
    ] {
        let answer = send(&gateway, &request(method, path, body)).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (status, "R-ALLOW"),
            "{method} {path} {body}"
        );
        assert!(answer.json().get(member).is_some(), "{}", answer.body);
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_is_decided_before_the_authorizer_never_invokes_it() {
    let api = RestApi::planets()
        .with_validation_expression("Bearer [a-z-]+")
        .unwrap();
    let gateway = start(api).await;
    let long = format!(
        "GET /test/planets/{} HTTP/1.1\r\nhost: t\r\n\r\n",
        "x".repeat(1600)
    );
    for (request, rule, status, cache) in [
        (
            "GET /test/health HTTP/1.1\r\nhost: t\r\n\r\n",
            "R-NONE",
            200,
            "none",
        ),
        (
            "GET /test/planets HTTP/1.1\r\nhost: t\r\n\r\n",
            "R-ID-MISSING",
            401,
            "none",
        ),
        (
            "GET /test/planets HTTP/1.1\r\nhost: t\r\nauthorization:  \r\n\r\n",
            "R-ID-MISSING",
            401,
            "none",
        ),
        (
            "GET /test/planets HTTP/1.1\r\nhost: t\r\nauthorization: Bearer A\r\n\r\n",
            "R-ID-REGEX",
            401,
            "none",
        ),
        (
            "GET /test/planets HTTP/1.1\r\nhost: t\r\nauthorization: Bearer a b\r\n\r\n",
            "R-ID-REGEX",
            401,
            "none",
        ),
        (
            "PUT /test/planets HTTP/1.1\r\nhost: t\r\n\r\n",
            "R-ROUTE",
            403,
            "none",
        ),
        (&long, "R-414", 414, "none"),
    ] {
        let answer = send(&gateway, request).await;
        let got = (
            answer.rule(),
            answer.status,
            answer.header("x-standin-cache"),
        );
        assert_eq!(got, (rule, status, cache), "{request}");
    }
    let counters = gateway.counters();
    assert_eq!(
        (
            counters.requests,
            counters.invocations,
            counters.environments_spawned
        ),
        (7, 0, 0)
    );
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_customised_gateway_response_replaces_the_built_in_one() {
    let custom = CustomResponse {
        headers: vec![(
            HeaderName::from_static("access-control-allow-origin"),
            HeaderValue::from_static("*"),
        )],
        template: Some(
            r#"{"error":$context.error.messageString,"id":"$context.requestId"}"#.to_owned(),
        ),
        ..CustomResponse::default()
    };
    let responses = GatewayResponses::default().with(GatewayResponseType::Unauthorized, custom);
    let gateway = start(RestApi::planets().with_responses(responses)).await;
    let answer = get(&gateway, "/test/planets", "unauthorized").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (401, "*")
    );
    assert_eq!(
        answer.json(),
        json!({"error": "Unauthorized", "id": answer.header("x-amzn-requestid")})
    );
    gateway.shutdown().await;
}

#[tokio::test]
async fn another_header_can_be_the_identity_source() {
    let api = RestApi::new("abcdef123", "test")
        .with_identity_source("X-Token")
        .unwrap();
    let api = api
        .with_route("ANY", "/{proxy+}", RouteAuth::Token, Integration::Echo)
        .unwrap();
    let gateway = start(api).await;
    let request = "PATCH /test/a/b HTTP/1.1\r\nhost: t\r\nx-token: allow\r\n\r\n";
    let answer = send(&gateway, request).await;
    assert_eq!(
        (answer.status, answer.json()["resource"].as_str()),
        (200, Some("/{proxy+}"))
    );
    assert_eq!(
        get(&gateway, "/test/a/b", "allow").await.rule(),
        "R-ID-MISSING"
    );
    gateway.shutdown().await;
}
