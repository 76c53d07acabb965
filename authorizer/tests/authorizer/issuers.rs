//! Authorizers that are set up by a TOML file: whose tokens they take, and what they answer.

mod answers;
mod faults;
mod shapes;

use std::fs;

use authorizer::{Authorizer, AuthorizerError, Rejection, Settings, SettingsError};
use serde_json::{Value, json};

use crate::{
    events::{at, event},
    tokens::{
        AUDIENCE, ISSUER, ISSUER_KEY, KID, NEXT_KEY, NOW, TestKey, changed, claims, header, jwks,
        without,
    },
};

/// The second issuer of these tests. Its key has the same kid as the first one's.
const OTHER_ISSUER: &str = "https://other.example/realms/a";

/// What a file says about the first issuer, without its table's end.
pub(crate) const FIRST: &str = r#"
    [[issuer]]
    issuer = "https://issuer.example/"
    audiences = ["https://api.example/"]
    jwks_file = "keys.json"
"#;

/// The same for the second.
const SECOND: &str = r#"
    [[issuer]]
    issuer = "https://other.example/realms/a"
    audiences = ["other-api", "third-api"]
    jwks_file = "other.json"
"#;

/// Settings of a file with this text, beside which there are `keys.json` and `other.json`.
pub(crate) fn settings(text: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("keys.json", &jwks(&[ISSUER_KEY.jwk(KID)]).to_string());
    write("other.json", &jwks(&[NEXT_KEY.jwk(KID)]).to_string());
    write("settings.toml", text);
    Settings::from_toml(folder.path().join("settings.toml"))
}

pub(crate) fn authorizer(text: &str) -> Authorizer {
    Authorizer::new(settings(text).unwrap()).unwrap()
}

/// An authorizer for the first issuer, with further lines in its table.
pub(crate) fn of_first(lines: &str) -> Authorizer {
    authorizer(&format!("{FIRST}{lines}"))
}

/// The answer to a TOKEN event, as JSON.
pub(crate) async fn answer(authorizer: &Authorizer, token: &str) -> Result<Value, Rejection> {
    answer_at(authorizer, token, NOW).await
}

async fn answer_at(authorizer: &Authorizer, token: &str, now: i64) -> Result<Value, Rejection> {
    match authorizer.answer(&event(token), at(now)).await {
        Ok(answer) => Ok(serde_json::to_value(&answer).unwrap()),
        Err(AuthorizerError::Unauthorized(rejection)) => Err(rejection),
        Err(other) => panic!("{other:?}"),
    }
}

async fn verdict(authorizer: &Authorizer, token: &str) -> Result<(), Rejection> {
    answer(authorizer, token).await.map(|_| ())
}

/// A token by the first issuer's key.
fn signed(claims: &Value) -> String {
    ISSUER_KEY.sign(header().to_string(), claims.to_string())
}

fn other_claims() -> Value {
    changed(claims(), &json!({"iss": OTHER_ISSUER, "aud": "other-api"}))
}

#[tokio::test]
async fn each_issuers_tokens_are_verified_with_its_own_keys_only() {
    let authorizer = authorizer(&format!("{FIRST}{SECOND}"));
    let sign = |key: &TestKey, claims: &Value| key.sign(header().to_string(), claims.to_string());
    let (first, second) = (claims(), other_claims());
    let rows = [
        (sign(&ISSUER_KEY, &first), Ok(())),
        (sign(&NEXT_KEY, &second), Ok(())),
        // The kid is the same, so only `iss` keeps the keys apart.
        (sign(&NEXT_KEY, &first), Err(Rejection::SignatureInvalid)),
        (sign(&ISSUER_KEY, &second), Err(Rejection::SignatureInvalid)),
        // Nor do the audiences of one count for the other.
        (
            sign(
                &NEXT_KEY,
                &changed(second.clone(), &json!({"aud": AUDIENCE})),
            ),
            Err(Rejection::AudienceMismatch),
        ),
        (
            sign(&ISSUER_KEY, &changed(first, &json!({"aud": "other-api"}))),
            Err(Rejection::AudienceMismatch),
        ),
    ];
    for (number, (token, expected)) in rows.into_iter().enumerate() {
        assert_eq!(verdict(&authorizer, &token).await, expected, "{number}");
    }
}

#[tokio::test]
async fn a_token_of_an_unknown_issuer_is_refused() {
    let authorizer = authorizer(&format!("{FIRST}{SECOND}"));
    let names = [
        json!("https://issuer.example"),
        json!("https://issuer.example//"),
        json!("HTTPS://issuer.example/"),
        json!("https://issuer.example/ "),
        json!("https://issuer.example/\u{0}"),
        json!("https://other.example/realms/b"),
        json!("https://other.example/realms/a/"),
        json!(""),
    ];
    for name in names {
        let token = signed(&changed(claims(), &json!({"iss": name})));
        let refused = verdict(&authorizer, &token).await;
        assert_eq!(refused, Err(Rejection::IssuerMismatch), "{name}");
    }
    for name in [
        json!([ISSUER]),
        json!([ISSUER, OTHER_ISSUER]),
        json!(null),
        json!(1),
    ] {
        let token = signed(&changed(claims(), &json!({"iss": name})));
        let refused = verdict(&authorizer, &token).await;
        assert_eq!(refused, Err(Rejection::IssuerMalformed), "{name}");
    }
    let refused = verdict(&authorizer, &signed(&without(claims(), "iss"))).await;
    assert_eq!(refused, Err(Rejection::IssuerMissing));
}

#[tokio::test]
async fn one_of_several_audiences_is_enough() {
    let authorizer = authorizer(SECOND);
    let rows = [
        (json!("other-api"), Ok(())),
        (json!("third-api"), Ok(())),
        (json!(["x", "third-api"]), Ok(())),
        (json!(["other-api", "third-api"]), Ok(())),
        (
            json!("other-api third-api"),
            Err(Rejection::AudienceMismatch),
        ),
        (json!("x"), Err(Rejection::AudienceMismatch)),
        (json!([]), Err(Rejection::AudienceMismatch)),
        (json!(["other-api", 1]), Err(Rejection::AudienceMalformed)),
        (json!({"other-api": 1}), Err(Rejection::AudienceMalformed)),
    ];
    for (aud, expected) in rows {
        let claims = changed(other_claims(), &json!({"aud": aud}));
        let token = NEXT_KEY.sign(header().to_string(), claims.to_string());
        assert_eq!(verdict(&authorizer, &token).await, expected, "{aud}");
    }
}

#[tokio::test]
async fn the_leeway_moves_each_bound_by_so_many_seconds_and_no_further() {
    let (strict, lenient) = (of_first(""), of_first("leeway_s = 90"));
    let rows = [
        ("exp", 0, Rejection::Expired),
        ("nbf", 1, Rejection::NotYetValid),
        ("iat", 61, Rejection::IssuedInFuture),
    ];
    for (name, first_refused, rejection) in rows {
        let token = |offset: i64| signed(&changed(claims(), &json!({name: NOW + offset})));
        let direction = if name == "exp" { -1 } else { 1 };
        let last = first_refused - direction;
        assert_eq!(verdict(&strict, &token(last)).await, Ok(()), "{name}");
        assert_eq!(
            verdict(&strict, &token(first_refused)).await,
            Err(rejection),
            "{name}"
        );
        // `iat` has a minute at any rate.
        let moved = direction * if name == "iat" { 30 } else { 90 };
        assert_eq!(
            verdict(&lenient, &token(last + moved)).await,
            Ok(()),
            "{name}"
        );
        assert_eq!(
            verdict(&lenient, &token(first_refused + moved)).await,
            Err(rejection),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_id_token_is_refused_unless_the_settings_say_otherwise() {
    let (refusing, taking) = (of_first(""), of_first("refuse_id_tokens = false"));
    let marks = [
        json!({"at_hash": "x"}),
        json!({"c_hash": "x"}),
        json!({"at_hash": null}),
        json!({"token_use": "id"}),
        json!({"typ": "ID"}),
    ];
    for mark in marks {
        let token = signed(&changed(claims(), &mark));
        let refused = verdict(&refusing, &token).await;
        assert_eq!(refused, Err(Rejection::IdToken), "{mark}");
        assert_eq!(verdict(&taking, &token).await, Ok(()), "{mark}");
    }
    for no_mark in [
        json!({"nonce": "x"}),
        json!({"token_use": "access"}),
        json!({"typ": "Bearer"}),
        json!({"auth_time": 1}),
    ] {
        let token = signed(&changed(claims(), &no_mark));
        assert_eq!(verdict(&refusing, &token).await, Ok(()), "{no_mark}");
    }
}

#[tokio::test]
async fn the_algorithms_of_one_issuer_do_not_count_for_another() {
    let unpinned = |key: &TestKey| without(key.jwk(KID), "alg");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("keys.json", &jwks(&[unpinned(&ISSUER_KEY)]).to_string());
    write("other.json", &jwks(&[unpinned(&NEXT_KEY)]).to_string());
    let text = format!("{FIRST}{SECOND}algorithms = [\"PS256\"]\n");
    write("settings.toml", &text);
    let settings = Settings::from_toml(folder.path().join("settings.toml")).unwrap();
    let authorizer = Authorizer::new(settings).unwrap();
    let pss = |key: &TestKey, claims: &Value| {
        let header = changed(header(), &json!({"alg": "PS256"}));
        key.sign_pss(&header.to_string(), &claims.to_string())
    };
    let not_allowed = Err(Rejection::AlgorithmNotAllowed);
    let rows = [
        (signed(&claims()), Ok(())),
        (pss(&ISSUER_KEY, &claims()), not_allowed),
        (pss(&NEXT_KEY, &other_claims()), Ok(())),
        (
            NEXT_KEY.sign(header().to_string(), other_claims().to_string()),
            not_allowed,
        ),
    ];
    for (number, (token, expected)) in rows.into_iter().enumerate() {
        assert_eq!(verdict(&authorizer, &token).await, expected, "{number}");
    }
}

#[test]
fn a_key_file_without_a_usable_key_stops_the_start() {
    // Its key is pinned to RS256.
    let settings = settings(&format!("{FIRST}algorithms = [\"PS256\"]")).unwrap();
    let error = Authorizer::new(settings).unwrap_err();
    assert!(error.to_string().contains("keys.json"), "{error}");
}
