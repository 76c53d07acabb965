//! Verified tokens that are remembered: never longer than they hold, and never for another text.
//!
//! Whether a token was remembered or verified again is told by the pointer: only a remembered one is the same.

use std::sync::{Arc, Mutex};

use authorizer::{Authorizer, AuthorizerError, Rejection, Settings, VerifiedToken};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

use crate::{
    events::{at, event},
    tokens::{
        AUDIENCE, ISSUER, ISSUER_KEY, KID, NEXT_KEY, NOW, TestKey, changed, claims, header, jwks,
    },
};

/// An issuer whose keys can be changed, and an authorizer with a cache of one entry: every token shares its place.
struct Issuer {
    _server: MockServer,
    keys: Arc<Mutex<Value>>,
    authorizer: Authorizer,
}

impl Issuer {
    async fn with(settings: &[(&str, &str)]) -> Issuer {
        let server = MockServer::start().await;
        let keys = Arc::new(Mutex::new(jwks(&[
            ISSUER_KEY.jwk(KID),
            NEXT_KEY.jwk("key-2"),
        ])));
        let answered_keys = Arc::clone(&keys);
        Mock::given(method("GET"))
            .respond_with(move |_: &Request| {
                ResponseTemplate::new(200).set_body_json(&*answered_keys.lock().unwrap())
            })
            .mount(&server)
            .await;
        let uri = format!("{}/jwks.json", server.uri());
        let settings = Settings::from_lookup(|name| {
            let of_test = settings.iter().find(|(known, _)| *known == name);
            let value = match name {
                "TOKEN_ISSUER" => ISSUER,
                "JWKS_URI" => &uri,
                "AUDIENCE" => AUDIENCE,
                _ => of_test?.1,
            };
            Some(value.to_owned())
        });
        let authorizer = Authorizer::new(settings.unwrap()).unwrap();
        Issuer {
            _server: server,
            keys,
            authorizer,
        }
    }

    async fn caching() -> Issuer {
        Issuer::with(&[("AUTHORIZER_TOKEN_CACHE", "1")]).await
    }

    fn serve(&self, keys: &[Value]) {
        *self.keys.lock().unwrap() = jwks(keys);
    }

    /// What is said about a token, `seconds` after the start.
    async fn verify(&self, token: &str, seconds: i64) -> Result<VerifiedToken, Rejection> {
        match self.authorizer.verify(token, at(NOW + seconds)).await {
            Ok(token) => Ok(token),
            Err(AuthorizerError::Unauthorized(rejection)) => Err(rejection),
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn refusal(&self, token: &str, seconds: i64) -> Option<Rejection> {
        self.verify(token, seconds).await.err()
    }

    /// The token as it is remembered from the start on. Whose keys were fetched for it is not, so it is asked for twice.
    async fn remembered(&self, token: &str) -> VerifiedToken {
        assert!(self.authorizer.prefetch_keys().await.is_empty());
        self.verify(token, 0).await.unwrap();
        let kept = self.verify(token, 0).await.unwrap();
        let again = self.verify(token, 0).await.unwrap();
        assert!(is_same(&kept, &again), "it has to be remembered");
        kept
    }
}

/// Whether one of the two is a clone of the other, and not the same token verified twice.
fn is_same(one: &VerifiedToken, other: &VerifiedToken) -> bool {
    std::ptr::eq(one.principal(), other.principal())
}

fn token(key: &TestKey, kid: &str, changes: &Value) -> String {
    let header = changed(header(), &json!({"kid": kid}));
    let claims = changed(changed(claims(), &json!({"exp": NOW + 86_400})), changes);
    key.sign(header.to_string(), claims.to_string())
}

fn first(changes: &Value) -> String {
    token(&ISSUER_KEY, KID, changes)
}

#[tokio::test]
async fn nothing_is_remembered_unless_the_settings_say_so() {
    let issuer = Issuer::with(&[]).await;
    let token = first(&json!({}));
    let once = issuer.verify(&token, 0).await.unwrap();
    let twice = issuer.verify(&token, 0).await.unwrap();
    assert!(!is_same(&once, &twice));
}

#[tokio::test]
async fn a_remembered_token_is_answered_like_a_fresh_one() {
    let issuer = Issuer::with(&[
        ("AUTHORIZER_TOKEN_CACHE", "1"),
        ("AUTHORIZER_CONTEXT", "org=org"),
        ("AUTHORIZER_POLICY_ENDS_WITH_TOKEN", "on"),
    ])
    .await;
    let token = first(&json!({"org": "o-1"}));
    let answer = || async {
        let answer = issuer.authorizer.answer(&event(&token), at(NOW)).await;
        serde_json::to_value(answer.unwrap()).unwrap()
    };
    let fresh = answer().await;
    issuer.remembered(&token).await;
    assert_eq!(answer().await, fresh);
    assert_eq!(fresh["context"]["org"], "o-1");
}

#[tokio::test]
async fn a_remembered_token_is_refused_from_its_expiry_on() {
    let issuer = Issuer::caching().await;
    let token = first(&json!({"exp": NOW + 30}));
    let kept = issuer.remembered(&token).await;
    let last = issuer.verify(&token, 29).await.unwrap();
    assert!(is_same(&kept, &last));
    assert_eq!(issuer.refusal(&token, 30).await, Some(Rejection::Expired));
    assert_eq!(issuer.refusal(&token, 31).await, Some(Rejection::Expired));
}

#[tokio::test]
async fn within_the_leeway_a_token_is_verified_each_time() {
    let issuer = Issuer::with(&[
        ("AUTHORIZER_TOKEN_CACHE", "1"),
        ("AUTHORIZER_LEEWAY_S", "60"),
    ])
    .await;
    let token = first(&json!({"exp": NOW + 30}));
    issuer.remembered(&token).await;
    let once = issuer.verify(&token, 30).await.unwrap();
    let twice = issuer.verify(&token, 30).await.unwrap();
    assert!(!is_same(&once, &twice));
    assert!(issuer.verify(&token, 89).await.is_ok());
    assert_eq!(issuer.refusal(&token, 90).await, Some(Rejection::Expired));
}

#[tokio::test]
async fn a_token_is_verified_again_after_the_time_of_the_settings() {
    let issuer = Issuer::with(&[
        ("AUTHORIZER_TOKEN_CACHE", "1"),
        ("AUTHORIZER_TOKEN_CACHE_TTL_S", "10"),
    ])
    .await;
    let token = first(&json!({}));
    let kept = issuer.remembered(&token).await;
    let last = issuer.verify(&token, 9).await.unwrap();
    assert!(is_same(&kept, &last));
    let renewed = issuer.verify(&token, 10).await.unwrap();
    assert!(!is_same(&kept, &renewed));
    let again = issuer.verify(&token, 19).await.unwrap();
    assert!(is_same(&renewed, &again));
}

#[tokio::test]
async fn a_token_of_a_withdrawn_key_is_refused_as_soon_as_the_set_is_refreshed() {
    let issuer = Issuer::caching().await;
    let old = first(&json!({}));
    issuer.remembered(&old).await;
    // A key that nobody knows yet makes the authorizer ask the issuer.
    issuer.serve(&[NEXT_KEY.jwk("key-3")]);
    let new = token(&NEXT_KEY, "key-3", &json!({}));
    let elsewhere = issuer.verify(&new, 10).await;
    assert!(elsewhere.is_ok());
    assert_eq!(issuer.refusal(&old, 10).await, Some(Rejection::KidUnknown));
}

#[tokio::test]
async fn a_token_whose_key_was_replaced_under_its_kid_is_refused() {
    let issuer = Issuer::caching().await;
    let old = first(&json!({}));
    issuer.remembered(&old).await;
    issuer.serve(&[NEXT_KEY.jwk(KID), NEXT_KEY.jwk("key-3")]);
    let new = token(&NEXT_KEY, "key-3", &json!({}));
    assert!(issuer.verify(&new, 10).await.is_ok());
    let refused = issuer.refusal(&old, 10).await;
    assert_eq!(refused, Some(Rejection::SignatureInvalid));
}

#[tokio::test]
async fn a_token_that_is_asked_for_all_the_time_does_not_keep_its_key_alive() {
    let issuer = Issuer::with(&[
        ("AUTHORIZER_TOKEN_CACHE", "1"),
        ("AUTHORIZER_TOKEN_CACHE_TTL_S", "3600"),
    ])
    .await;
    let token = first(&json!({}));
    issuer.remembered(&token).await;
    issuer.serve(&[NEXT_KEY.jwk("key-2")]);
    // The set is fresh for ten minutes, and is refreshed ahead in the last fifth of them.
    for seconds in (0..480).step_by(10) {
        assert!(issuer.verify(&token, seconds).await.is_ok(), "{seconds}");
    }
    for seconds in (480..600).step_by(10) {
        let _ = issuer.verify(&token, seconds).await;
    }
    assert_eq!(
        issuer.refusal(&token, 600).await,
        Some(Rejection::KidUnknown)
    );
}

#[tokio::test]
async fn a_changed_token_never_hits() {
    let issuer = Issuer::caching().await;
    let token = first(&json!({}));
    issuer.remembered(&token).await;
    for place in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(issuer.verify(&changed, 0).await.is_err(), "{place}");
    }
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (_, other) = first(&json!({"sub": "another"}))
        .rsplit_once('.')
        .map(|(input, signature)| (input.to_owned(), signature.to_owned()))
        .unwrap();
    for changed in [
        format!("{input}."),
        format!("{input}.{other}"),
        format!("{input}.{signature}="),
        format!("{input}.{signature} "),
        format!("{input}.{signature}.{signature}"),
        format!("{input}.{}", &signature[..signature.len() - 1]),
        format!(" {token}"),
        input.to_owned(),
    ] {
        assert!(issuer.verify(&changed, 0).await.is_err(), "{changed}");
    }
    // None of them took the place of the good one.
    let (once, twice) = (
        issuer.verify(&token, 0).await.unwrap(),
        issuer.verify(&token, 0).await.unwrap(),
    );
    assert!(is_same(&once, &twice));
}

#[tokio::test]
async fn tokens_that_share_a_place_are_never_taken_for_each_other() {
    let issuer = Issuer::caching().await;
    let subjects = ["a", "b", "c"];
    let tokens = subjects.map(|sub| first(&json!({"sub": sub})));
    issuer.remembered(&tokens[0]).await;
    for turn in [0, 1, 0, 0, 2, 1, 2, 2, 1, 0] {
        let verified = issuer.verify(&tokens[turn], 0).await.unwrap();
        assert_eq!(verified.principal(), subjects[turn]);
    }
}

#[tokio::test]
async fn a_refused_token_is_not_remembered_as_anything() {
    let issuer = Issuer::caching().await;
    let early = first(&json!({"nbf": NOW + 20}));
    assert!(issuer.authorizer.prefetch_keys().await.is_empty());
    let refused = issuer.refusal(&early, 19).await;
    assert_eq!(refused, Some(Rejection::NotYetValid));
    assert!(issuer.verify(&early, 20).await.is_ok());
}
