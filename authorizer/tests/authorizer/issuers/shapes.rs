//! The kinds of access token: what each issuer's tokens always have, and where audience and scopes are.

use authorizer::Rejection;
use serde_json::{Value, json};

use super::{answer, of_first, signed, verdict};
use crate::tokens::{AUDIENCE, ISSUER_KEY, changed, claims, header, without};

async fn check(shape: &str, rows: Vec<(Value, Result<(), Rejection>)>) {
    let authorizer = of_first(&format!("shape = \"{shape}\""));
    for (claims, expected) in rows {
        let found = verdict(&authorizer, &signed(&claims)).await;
        assert_eq!(found, expected, "{shape}: {claims}");
    }
}

fn with(changes: &Value) -> Value {
    changed(claims(), changes)
}

#[tokio::test]
async fn a_cognito_token_has_its_audience_in_client_id_and_is_for_access() {
    let cognito = without(
        with(&json!({"client_id": AUDIENCE, "token_use": "access"})),
        "aud",
    );
    let but = |changes: &Value| changed(cognito.clone(), changes);
    check(
        "cognito",
        vec![
            (cognito.clone(), Ok(())),
            (
                but(&json!({"client_id": [AUDIENCE]})),
                Err(Rejection::AudienceMalformed),
            ),
            (but(&json!({"token_use": "id"})), Err(Rejection::IdToken)),
            (
                but(&json!({"token_use": "refresh"})),
                Err(Rejection::TypeNotAccessToken),
            ),
            (
                but(&json!({"token_use": ["access"]})),
                Err(Rejection::TypeNotAccessToken),
            ),
            (
                without(cognito.clone(), "token_use"),
                Err(Rejection::TypeNotAccessToken),
            ),
            (
                but(&json!({"client_id": "another"})),
                Err(Rejection::AudienceMismatch),
            ),
            (
                // `aud` says nothing here: it must not stand in for the client.
                but(&json!({"client_id": "another", "aud": AUDIENCE})),
                Err(Rejection::AudienceMismatch),
            ),
            (
                without(cognito.clone(), "client_id"),
                Err(Rejection::AudienceMissing),
            ),
        ],
    )
    .await;
    // Without the shape the same token names no audience.
    let refused = verdict(&of_first(""), &signed(&cognito)).await;
    assert_eq!(refused, Err(Rejection::AudienceMissing));
}

#[tokio::test]
async fn a_keycloak_token_says_that_it_is_a_bearer_token() {
    let not_access = Err(Rejection::TypeNotAccessToken);
    check(
        "keycloak",
        vec![
            (with(&json!({"typ": "Bearer"})), Ok(())),
            (with(&json!({"typ": "ID"})), Err(Rejection::IdToken)),
            (with(&json!({"typ": "Refresh"})), not_access),
            (with(&json!({"typ": "Offline"})), not_access),
            (with(&json!({"typ": "bearer"})), not_access),
            (with(&json!({"typ": ["Bearer"]})), not_access),
            (claims(), not_access),
        ],
    )
    .await;
    let taking = of_first("shape = \"keycloak\"\nrefuse_id_tokens = false");
    let id_token = signed(&with(&json!({"typ": "ID"})));
    assert_eq!(verdict(&taking, &id_token).await, not_access);
}

#[tokio::test]
async fn an_okta_token_has_a_client_id_of_its_own_name() {
    let missing = Err(Rejection::ClaimMissing);
    check(
        "okta",
        vec![
            (with(&json!({"cid": "app", "scp": ["a"]})), Ok(())),
            (claims(), missing),
            (with(&json!({"cid": ""})), missing),
            (with(&json!({"cid": null})), missing),
            (with(&json!({"cid": 7})), missing),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_rfc_9068_token_has_all_its_claims_and_its_type() {
    let authorizer = of_first("shape = \"rfc9068\"");
    let typed = |typ: &Value, claims: &Value| {
        let header = changed(header(), &json!({"typ": typ}));
        ISSUER_KEY.sign(header.to_string(), claims.to_string())
    };
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        let token = typed(&json!(typ), &claims());
        assert_eq!(verdict(&authorizer, &token).await, Ok(()), "{typ}");
    }
    for typ in ["JWT", "application/jwt", "id_token+jwt", "logout+jwt", ""] {
        let refused = verdict(&authorizer, &typed(&json!(typ), &claims())).await;
        assert_eq!(refused, Err(Rejection::TypeNotAccessToken), "{typ}");
    }
    let untyped = ISSUER_KEY.sign(without(header(), "typ").to_string(), claims().to_string());
    let refused = verdict(&authorizer, &untyped).await;
    assert_eq!(refused, Err(Rejection::TypeNotAccessToken));
    let rows = [
        ("iss", Rejection::IssuerMissing),
        ("exp", Rejection::ExpiryMissing),
        ("aud", Rejection::AudienceMissing),
        ("sub", Rejection::ClaimMissing),
        ("client_id", Rejection::ClaimMissing),
        ("iat", Rejection::ClaimMissing),
        ("jti", Rejection::ClaimMissing),
    ];
    for (name, rejection) in rows {
        let token = typed(&json!("at+jwt"), &without(claims(), name));
        assert_eq!(verdict(&authorizer, &token).await, Err(rejection), "{name}");
    }
    for name in ["sub", "client_id", "jti"] {
        for value in [json!(""), json!(1), json!(["x"]), json!(null)] {
            let token = typed(&json!("at+jwt"), &with(&json!({name: value})));
            let refused = verdict(&authorizer, &token).await;
            assert_eq!(refused, Err(Rejection::ClaimMissing), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn an_entra_application_has_its_scopes_in_its_roles() {
    let scopes = |shape: &'static str, changes: Value| async move {
        let authorizer = of_first(&format!("shape = \"{shape}\""));
        let claims = changed(without(claims(), "scope"), &changes);
        let answer = answer(&authorizer, &signed(&claims)).await;
        answer.map(|answer| answer["context"]["scope"].clone())
    };
    let rows = [
        ("entra", json!({"roles": ["A.Read", "B"]}), "A.Read B"),
        ("entra", json!({"scp": "a b", "roles": ["A.Read"]}), "a b"),
        ("entra", json!({"scp": "", "roles": ["A.Read"]}), ""),
        ("entra", json!({}), ""),
        // Elsewhere roles are the application's own affair.
        ("plain", json!({"roles": ["A.Read"]}), ""),
        ("auth0", json!({"roles": ["A.Read"]}), ""),
    ];
    for (shape, changes, expected) in rows {
        let found = scopes(shape, changes.clone()).await;
        assert_eq!(found, Ok(json!(expected)), "{shape}: {changes}");
    }
    for roles in [
        json!("a"),
        json!(["a b"]),
        json!([1]),
        json!({}),
        json!(null),
    ] {
        let found = scopes("entra", json!({"roles": roles})).await;
        let expected = if roles.is_string() {
            Ok(json!("a"))
        } else {
            Err(Rejection::ScopeMalformed)
        };
        assert_eq!(found, expected, "{roles}");
        let found = scopes("plain", json!({"roles": roles})).await;
        assert_eq!(found, Ok(json!("")), "{roles}");
    }
}

#[tokio::test]
async fn the_rule_for_the_type_is_the_settings() {
    let rows = [
        ("either", [true, true, true]),
        ("at+jwt", [true, false, false]),
        ("JWT", [false, true, true]),
    ];
    for (word, taken) in rows {
        let authorizer = of_first(&format!("token_type = \"{word}\""));
        let headers = [
            changed(header(), &json!({"typ": "at+jwt"})),
            header(),
            without(header(), "typ"),
        ];
        for (header, taken) in headers.into_iter().zip(taken) {
            let token = ISSUER_KEY.sign(header.to_string(), claims().to_string());
            let expected = if taken {
                Ok(())
            } else {
                Err(Rejection::TypeNotAccessToken)
            };
            assert_eq!(
                verdict(&authorizer, &token).await,
                expected,
                "{word}, {header}"
            );
        }
    }
}
