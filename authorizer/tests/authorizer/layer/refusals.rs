//! Who is let in, and what the others are told.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use wiremock::ResponseTemplate;

use super::{Api, bearer, token, token_with};
use crate::tokens::{ATTACKER_KEY, ISSUER_KEY, KID, claims, header, jwks};

const NO_CREDENTIAL: (u16, &str) = (401, r#"Bearer realm="api""#);
const INVALID_REQUEST: (u16, &str) = (400, r#"Bearer realm="api", error="invalid_request""#);
const INVALID_TOKEN: (u16, &str) = (401, r#"Bearer realm="api", error="invalid_token""#);
const UNAVAILABLE: (u16, &str) = (503, "");
const LET_IN: (u16, &str) = (200, "");

#[tokio::test]
async fn a_verified_token_is_in_the_extensions_of_the_request() {
    let api = Api::with(&[]).await;
    let token = token();
    for scheme in ["Bearer ", "bearer ", "BEARER   "] {
        let reply = api.get(format!("Authorization: {scheme}{token}\r\n")).await;
        assert_eq!(reply.told(), LET_IN, "{scheme}");
        assert_eq!(reply.body, "user|1: openid read:planets");
    }
}

#[tokio::test]
async fn a_client_without_a_token_is_told_no_error_and_one_with_a_bad_one_is() {
    let api = Api::with(&[]).await;
    let token = token();
    let (input, _) = token.rsplit_once('.').unwrap();
    let forged = ATTACKER_KEY.sign(header().to_string(), claims().to_string());
    let expired = token_with(&json!({"exp": 1_000_000_000}));
    for (value, expected) in [
        (String::new(), NO_CREDENTIAL),
        ("Bearer".to_owned(), NO_CREDENTIAL),
        (format!("Basic {token}"), NO_CREDENTIAL),
        (token.clone(), NO_CREDENTIAL),
        ("Bearer none".to_owned(), INVALID_TOKEN),
        (format!("Bearer {input}."), INVALID_TOKEN),
        (format!("Bearer {forged}"), INVALID_TOKEN),
        (format!("Bearer {expired}"), INVALID_TOKEN),
        (format!("Bearer {token} {token}"), INVALID_REQUEST),
        (format!("Bearer {token}, Bearer {token}"), INVALID_REQUEST),
        (format!("Bearer {token}é"), INVALID_REQUEST),
        (format!("Bearer \t{token}"), INVALID_REQUEST),
    ] {
        let reply = api.get(format!("authorization: {value}\r\n")).await;
        assert_eq!(reply.told(), expected, "{value}");
    }
    assert_eq!(api.get("").await.told(), NO_CREDENTIAL);
}

#[tokio::test]
async fn a_repeated_header_is_refused_whatever_its_values_are() {
    let api = Api::with(&[]).await;
    let good = format!("authorization: Bearer {}\r\n", token());
    for other in [
        good.as_str(),
        "Authorization: Bearer none\r\n",
        "AUTHORIZATION:\r\n",
    ] {
        for fields in [format!("{good}{other}"), format!("{other}{good}")] {
            assert_eq!(api.get(&fields).await.told(), INVALID_REQUEST, "{fields}");
        }
    }
    assert_eq!(api.get(&good).await.told(), LET_IN);
}

#[tokio::test]
async fn a_token_without_the_required_scopes_is_told_all_of_them() {
    let api = Api::with(&[("REQUIRED_SCOPE", "read:planets admin")]).await;
    let refused = (
        403,
        r#"Bearer realm="api", error="insufficient_scope", scope="read:planets admin""#,
    );
    for (scope, expected) in [
        ("", refused),
        ("read:planets", refused),
        ("READ:PLANETS ADMIN", refused),
        ("openid admin read:planets", LET_IN),
    ] {
        assert_eq!(api.get(bearer(scope)).await.told(), expected, "{scope}");
    }
    // Without routes the path plays no part.
    for line in ["OPTIONS *", "PROPFIND //a/../b%", "GET /a/"] {
        let reply = api.send(line, bearer("admin read:planets")).await;
        assert_eq!(reply.told(), LET_IN, "{line}");
    }
}

#[tokio::test]
async fn the_header_and_the_form_are_those_of_the_settings() {
    let api = Api::with(&[
        ("AUTHORIZER_TOKEN_HEADER", "X-Api-Token"),
        ("AUTHORIZER_TOKEN_FORM", "raw"),
    ])
    .await;
    let token = token();
    for (fields, expected) in [
        (format!("x-api-token: {token}\r\n"), LET_IN),
        (
            format!("X-API-TOKEN: {token}\r\nauthorization: Basic x\r\n"),
            LET_IN,
        ),
        (format!("authorization: Bearer {token}\r\n"), NO_CREDENTIAL),
        ("x-api-token:\r\n".to_owned(), NO_CREDENTIAL),
        (format!("x-api-token: Bearer {token}\r\n"), INVALID_REQUEST),
        ("x-api-token: none\r\n".to_owned(), INVALID_TOKEN),
    ] {
        assert_eq!(api.get(&fields).await.told(), expected, "{fields}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_no_refusal_and_the_api_recovers() {
    let api = Api::with(&[]).await;
    api.serve_keys(ResponseTemplate::new(500)).await;
    let good = format!("authorization: Bearer {}\r\n", token());
    assert_eq!(api.get(&good).await.told(), UNAVAILABLE);
    // What needs no key is still refused as what it is.
    assert_eq!(api.get("").await.told(), NO_CREDENTIAL);
    let bad = "authorization: Bearer none\r\n";
    assert_eq!(api.get(bad).await.told(), INVALID_TOKEN);

    let keys = jwks(&[ISSUER_KEY.jwk(KID)]);
    api.serve_keys(ResponseTemplate::new(200).set_body_json(keys))
        .await;
    // The next fetch waits for the back-off, of one second at first, by the clock of the machine.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = api.get(&good).await;
        if reply.status == 200 {
            break;
        }
        assert_eq!(reply.told(), UNAVAILABLE);
        assert!(Instant::now() < deadline, "the keys are there again");
        sleep(Duration::from_millis(50)).await;
    }
}
