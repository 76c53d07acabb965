use std::time::Instant;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mock_idp::{MockIdp, MockIdpConfig, Recipe, StartError, jwks_document};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::fixture::{AUTH0, OKTA, defaults, keys, profile, start};
use crate::http::{exchange, get};

fn now() -> i64 {
    i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap()
}

/// The subject that `jsonwebtoken` finds in a token under the served keys, if it accepts the token.
fn subject_of(idp: &MockIdp, set: &JwkSet, token: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key = DecodingKey::from_jwk(set.find(&header.kid?)?).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[idp.issuer()]);
    validation.set_audience(&["https://api.example/"]);
    let data = jsonwebtoken::decode::<Value>(token, &key, &validation).ok()?;
    Some(data.claims["sub"].as_str()?.to_owned())
}

#[tokio::test]
async fn minted_tokens_decode_under_the_served_keys() {
    for (text, cache_control, members) in [
        (
            AUTH0,
            "public, max-age=15, stale-while-revalidate=15, stale-if-error=15",
            vec!["kty", "use", "n", "e", "kid", "alg"],
        ),
        (
            OKTA,
            "max-age=3832304, must-revalidate",
            vec!["kty", "alg", "kid", "use", "e", "n"],
        ),
    ] {
        let idp = start(text).await;
        let path = profile(text).jwks_path();
        assert_eq!(idp.jwks_uri(), format!("{}{path}", idp.base_url()));
        let answer = get(&idp, &path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some(cache_control));
        let served = answer.json();
        assert_eq!(served, jwks_document(&profile(text), &keys()));
        let names: Vec<_> = served["keys"][0].as_object().unwrap().keys().collect();
        assert_eq!(names, members);

        let set: JwkSet = serde_json::from_value(served).unwrap();
        let minter = idp.minter();
        let token = minter.mint(&Recipe::default(), now()).unwrap();
        assert!(
            subject_of(&idp, &set, &token)
                .unwrap()
                .starts_with("client-1")
        );
        let expired = minter.mint(&Recipe::default(), now() - 100_000).unwrap();
        assert_eq!(subject_of(&idp, &set, &expired), None);
        let attacker = toml::from_str("sign = \"attacker\"").unwrap();
        assert_eq!(
            subject_of(&idp, &set, &minter.mint(&attacker, now()).unwrap()),
            None
        );
        idp.shutdown().await;
    }
}

#[tokio::test]
async fn discovery_is_served_at_every_path_of_the_profile() {
    for text in [AUTH0, OKTA] {
        let idp = start(text).await;
        for path in profile(text).discovery_paths() {
            let answer = get(&idp, &path).await;
            assert_eq!(answer.status, 200, "{path}");
            let document = answer.json();
            assert_eq!(document["issuer"], idp.issuer());
            assert_eq!(document["jwks_uri"], idp.jwks_uri());
            assert_eq!(document["token_endpoint"], idp.token_endpoint());
            assert_eq!(
                document["grant_types_supported"],
                json!(["client_credentials"])
            );
        }
        assert_eq!(idp.fetch_count(), 0, "discovery is no fetch of keys");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let idp = start(AUTH0).await;
    for (head, status, allow) in [
        ("GET /healthz", 200, None),
        ("GET /other-issuer/jwks.json", 200, None),
        ("GET /open-redirect?to=http://127.0.0.1:1/", 302, None),
        ("GET /", 404, None),
        ("GET /.well-known/jwks.json/", 404, None),
        ("GET /.well-known/jwks.json?cache=no", 200, None),
        ("HEAD /.well-known/jwks.json", 200, None),
        ("POST /.well-known/jwks.json", 405, Some("GET, HEAD")),
        ("GET /oauth/token", 405, Some("POST")),
        ("DELETE /oauth/token", 405, Some("POST")),
    ] {
        let answer = exchange(&idp, &format!("{head} HTTP/1.1"), "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (status, allow),
            "{head}"
        );
    }
    assert_eq!(idp.fetch_count(), 2);
}

#[tokio::test]
async fn every_fetch_of_the_keys_is_logged_with_its_times() {
    let idp = start(OKTA).await;
    let before = Instant::now();
    for _ in 0..3 {
        get(&idp, "/oauth2/default/v1/keys").await;
    }
    let after = Instant::now();
    let fetches = idp.fetches();
    assert_eq!(fetches.len(), 3);
    assert_eq!(idp.fetch_count(), 3);
    let mut last = before;
    for fetch in fetches {
        assert!(last <= fetch.received && fetch.received <= fetch.answered);
        assert_eq!(fetch.status, Some(200));
        last = fetch.answered;
    }
    assert!(last <= after);
}

#[tokio::test]
async fn port_in_use_is_named() {
    let idp = start(AUTH0).await;
    let config = |clients| MockIdpConfig {
        profile: profile(AUTH0),
        listen: idp.address(),
        issuer: None,
        keys: keys(),
        defaults: defaults(),
        clients,
    };
    let error = MockIdp::start(config(Vec::new())).await.unwrap_err();
    assert!(matches!(error, StartError::Bind { address, .. } if address == idp.address()));
    assert!(
        error.to_string().contains(&idp.address().to_string()),
        "{error}"
    );

    let client = mock_idp::Client {
        id: "twice".to_owned(),
        secret: "hidden-secret".to_owned(),
        audiences: vec!["a".to_owned()],
        scopes: Vec::new(),
        client_credentials: true,
    };
    assert!(!format!("{client:?}").contains("hidden-secret"));
    let error = MockIdp::start(config(vec![client.clone(), client.clone()]))
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::DuplicateClient(id) if id == "twice"));
    let mut nowhere = client;
    nowhere.audiences.clear();
    let error = MockIdp::start(config(vec![nowhere])).await.unwrap_err();
    assert!(matches!(error, StartError::NoAudience(id) if id == "twice"));
}

#[tokio::test]
async fn shutdown_frees_the_port_even_with_an_idle_connection() {
    let idp = start(AUTH0).await;
    let address = idp.address();
    let idle = TcpStream::connect(address).await.unwrap();
    idp.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn issuer_can_be_any_text() {
    let idp = MockIdp::start(MockIdpConfig {
        profile: profile(AUTH0),
        listen: "127.0.0.1:0".parse().unwrap(),
        issuer: Some("https://tenant.auth0.com/".to_owned()),
        keys: keys(),
        defaults: defaults(),
        clients: Vec::new(),
    })
    .await
    .unwrap();
    assert_eq!(idp.issuer(), "https://tenant.auth0.com/");
    let document = get(&idp, "/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], "https://tenant.auth0.com/");
    let token = idp.minter().mint(&Recipe::default(), 0).unwrap();
    assert_eq!(
        crate::fixture::claims(&token)["iss"],
        "https://tenant.auth0.com/"
    );
}
