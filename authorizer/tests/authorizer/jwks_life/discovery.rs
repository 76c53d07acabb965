//! The key URI from the issuer's metadata.

use std::time::Duration;

use authorizer::{Algorithms, FetchError, Issuer, JwksCache, KeyError, KeyLimits, KeySettings};
use serde_json::json;
use tokio::task::JoinHandle;

use super::wire::{Found, Wire, ask, keys, patient};
use crate::{
    events::at,
    tokens::{KID, NOW},
};

const OPENID: &str = "/tenant/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server/tenant";

fn issuer(wire: &Wire) -> String {
    format!("{}/tenant/", wire.origin())
}

fn discovering(wire: &Wire, settings: KeySettings) -> JwksCache {
    let issuer = Issuer::parse(&issuer(wire)).unwrap();
    JwksCache::with_limits(
        issuer,
        &Algorithms::default(),
        KeyLimits::new(settings).unwrap(),
    )
    .unwrap()
}

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    json!({"issuer": issuer, "jwks_uri": jwks_uri, "response_types_supported": ["code"]})
        .to_string()
}

fn prefetching(cache: &JwksCache, seconds: i64) -> JoinHandle<Result<(), KeyError>> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.prefetch(at(NOW + seconds)).await })
}

#[tokio::test]
async fn the_keys_are_where_the_metadata_say_and_the_place_is_remembered() {
    let mut wire = Wire::bind().await;
    let settings = KeySettings {
        rediscover_after: Duration::from_mins(10),
        ..patient()
    };
    let cache = discovering(&wire, settings);
    let stamped = "etag: \"a\"\r\ncache-control: max-age=300\r\n";
    let asking = wire.asking(&cache, KID, 0);
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), OPENID);
    let found = metadata(&issuer(&wire), &format!("{}/keys/a", wire.origin()));
    exchange.answer("200 OK", "", &found).await;
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), "/keys/a");
    exchange.answer("200 OK", stamped, &keys(&[KID])).await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    // Within the time only the keys are asked for, after it the metadata come first.
    let asking = wire.asking(&cache, KID, 300);
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), "/keys/a");
    assert_eq!(exchange.header("if-none-match"), Some("\"a\""));
    exchange.answer("304 Not Modified", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    let asking = wire.asking(&cache, KID, 600);
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), OPENID);
    let moved = metadata(&issuer(&wire), &format!("{}/keys/b", wire.origin()));
    exchange.answer("200 OK", "", &moved).await;
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), "/keys/b");
    assert_eq!(exchange.header("if-none-match"), None, "another document");
    exchange.answer("200 OK", "", &keys(&[KID])).await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    assert_eq!(cache.metrics().fetches, 3);
    assert_eq!(cache.generation(), 1);
}

#[tokio::test]
async fn a_place_without_keys_is_looked_up_again() {
    let mut wire = Wire::bind().await;
    let cache = discovering(&wire, patient());
    let asking = wire.asking(&cache, KID, 0);
    let old = metadata(&issuer(&wire), &format!("{}/keys/a", wire.origin()));
    wire.next().await.answer("200 OK", "", &old).await;
    wire.next().await.answer("404 x", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::NoKeys);
    let asking = wire.asking(&cache, KID, 2);
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), OPENID);
    let new = metadata(&issuer(&wire), &format!("{}/keys/b", wire.origin()));
    exchange.answer("200 OK", "", &new).await;
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    assert_eq!(asking.await.unwrap(), Found::Key);
}

#[tokio::test]
async fn the_other_standards_address_is_asked_where_the_first_has_nothing() {
    let mut wire = Wire::bind().await;
    let cache = discovering(&wire, patient());
    let asking = wire.asking(&cache, KID, 0);
    wire.next().await.answer("404 x", "", "").await;
    let exchange = wire.next().await;
    assert_eq!(exchange.path(), OAUTH);
    let found = metadata(&issuer(&wire), &format!("{}/keys", wire.origin()));
    exchange.answer("200 OK", "", &found).await;
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    assert_eq!(asking.await.unwrap(), Found::Key);
}

#[tokio::test]
async fn metadata_of_another_issuer_or_with_a_key_uri_off_https_are_refused() {
    let mut wire = Wire::bind().await;
    let own = issuer(&wire);
    let place = format!("{}/keys", wire.origin());
    let near_misses = [
        own.trim_end_matches('/').to_owned(),
        format!("{own}/"),
        own.to_uppercase(),
        own.replace("127.0.0.1", "localhost"),
        "https://evil.example/".to_owned(),
        String::new(),
    ];
    for other in near_misses {
        let cache = discovering(&wire, patient());
        let fetching = prefetching(&cache, 0);
        let document = metadata(&other, &place);
        wire.next().await.answer("200 OK", "", &document).await;
        let fault = discovery_fault(fetching.await.unwrap());
        assert!(
            matches!(fault.as_str(), "IssuerMismatch"),
            "{other}: {fault}"
        );
    }
    for refused in ["http://keys.example/a", "file:///etc/passwd", "/keys", ""] {
        let cache = discovering(&wire, patient());
        let fetching = prefetching(&cache, 0);
        let document = metadata(&own, refused);
        wire.next().await.answer("200 OK", "", &document).await;
        let fault = discovery_fault(fetching.await.unwrap());
        assert!(
            matches!(fault.as_str(), "KeyUriRefused"),
            "{refused}: {fault}"
        );
    }
    let twice = format!("{{\"issuer\":{own:?},\"jwks_uri\":{place:?},\"jwks_uri\":{place:?}}}");
    for document in [
        "",
        "<html>",
        "[]",
        "{}",
        &twice,
        &json!({"issuer": own}).to_string(),
    ] {
        let cache = discovering(&wire, patient());
        let fetching = prefetching(&cache, 0);
        wire.next().await.answer("200 OK", "", document).await;
        let fault = discovery_fault(fetching.await.unwrap());
        assert!(fault.starts_with("NotMetadata"), "{document}: {fault}");
    }
    assert!(wire.is_silent(), "no key was ever asked for");
}

#[tokio::test]
async fn metadata_obey_the_same_bounds_as_keys() {
    let mut wire = Wire::bind().await;
    let large = " ".repeat(150_001);
    let away = format!("location: {}/moved\r\n", wire.origin());
    for (status, headers, body, expected) in [
        ("302 x", away.as_str(), "", "Status(302)"),
        ("500 x", "", "", "Status(500)"),
        ("200 OK", "", large.as_str(), "Fetch(TooLarge(150000))"),
    ] {
        let cache = discovering(&wire, patient());
        let fetching = prefetching(&cache, 0);
        wire.next().await.answer(status, headers, body).await;
        assert_eq!(discovery_fault(fetching.await.unwrap()), expected);
        assert_eq!(ask(&cache, KID, 0).await, Found::NoKeys, "in the back-off");
    }
    assert!(wire.is_silent());
}

fn discovery_fault(outcome: Result<(), KeyError>) -> String {
    match outcome {
        Err(KeyError::Fetch(cause)) => match &*cause {
            FetchError::Discovery(fault) => format!("{fault:?}"),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
