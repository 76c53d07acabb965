//! Key ids that are in no set: made up by an attacker, or ahead of their publication.

use authorizer::Rejection;
use serde_json::{Value, json};

use super::{
    Issuer, KID_UNKNOWN, Verdict, current, long_lived, serving,
    wire::{Found, Wire, ask, keys},
};
use crate::tokens::{
    ATTACKER_KEY, ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header, valid_token,
    with_claims, with_header,
};

const UNKNOWN: Found = Found::Refused(Rejection::KidUnknown);

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_one_fetch_in_the_cooldown() {
    let issuer = Issuer::serving(current()).await;
    assert_eq!(issuer.ask(&valid_token(), 0).await, Verdict::Allow);
    for second in 0..5 {
        for kid in 0..20 {
            let junk = with_header(&json!({"kid": format!("junk-{second}-{kid}")}));
            assert_eq!(issuer.ask(&junk, second).await, KID_UNKNOWN);
        }
    }
    assert_eq!(
        issuer.fetches().await,
        1,
        "counted from the start of the first fetch"
    );
    // A rotation under the flood: later misses did not extend the cooldown.
    issuer
        .serve(serving(&[ISSUER_KEY.jwk(KID), NEXT_KEY.jwk("key-2")]))
        .await;
    assert_eq!(issuer.ask(&long_lived("key-2"), 4).await, KID_UNKNOWN);
    assert_eq!(issuer.ask(&long_lived("key-2"), 5).await, Verdict::Allow);
    assert_eq!(issuer.ask(&valid_token(), 5).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_accepted_causes_no_fetch() {
    let issuer = Issuer::serving(current()).await;
    let junk = |changes: &Value| {
        let claims = changed(claims(), changes).to_string();
        ATTACKER_KEY.sign(
            changed(header(), &json!({"kid": "junk"})).to_string(),
            claims,
        )
    };
    let cases = [
        (
            junk(&json!({"iss": "https://evil.example"})),
            Rejection::IssuerMismatch,
        ),
        (junk(&json!({"exp": NOW - 1})), Rejection::Expired),
        (junk(&json!({"aud": "x"})), Rejection::AudienceMismatch),
        (
            with_header(&json!({"alg": "none"})),
            Rejection::AlgorithmNotAllowed,
        ),
        (with_claims(&json!({"exp": NOW - 1})), Rejection::Expired),
    ];
    for (token, expected) in &cases {
        assert_eq!(issuer.ask(token, 0).await, Verdict::Refused(*expected));
    }
    assert_eq!(issuer.fetches().await, 0, "not even the first");
    assert_eq!(issuer.ask(&valid_token(), 0).await, Verdict::Allow);
    for (token, expected) in &cases {
        assert_eq!(issuer.ask(token, 100).await, Verdict::Refused(*expected));
    }
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn one_made_up_key_id_that_is_repeated_causes_ever_fewer_fetches() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    let mut at_fetch = Vec::new();
    for seconds in 1..=200 {
        let before = cache.metrics().unknown_kid_fetches;
        let asking = wire.asking(&cache, "junk", seconds);
        if asking_begins_a_fetch(&cache, before).await {
            at_fetch.push(seconds);
            wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
        }
        assert_eq!(asking.await.unwrap(), UNKNOWN);
    }
    // Five seconds from the set's own fetch, and then 5, 10, 20, 40 and 60 seconds from one to the next.
    assert_eq!(at_fetch, [5, 10, 20, 40, 80, 140, 200]);
    assert_eq!(cache.generation(), 1);
}

/// Whether the request that was just spawned starts a fetch; it is run until it waits or has its answer.
async fn asking_begins_a_fetch(cache: &authorizer::JwksCache, before: u64) -> bool {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    cache.metrics().unknown_kid_fetches > before
}

#[tokio::test]
async fn a_flood_of_made_up_key_ids_keeps_a_new_key_waiting_for_the_cooldown_at_most() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    // The flood has the first word in every second, and the new key is published in the first.
    let mut junk = 0;
    for seconds in 1..5 {
        for _ in 0..500 {
            junk += 1;
            assert_eq!(ask(&cache, &format!("junk-{junk}"), seconds).await, UNKNOWN);
        }
        assert_eq!(ask(&cache, "key-2", seconds).await, UNKNOWN);
    }
    let flood = wire.asking(&cache, "junk", 5);
    let exchange = wire.next().await;
    let new = wire.asking(&cache, "key-2", 5);
    exchange.answer("200 OK", "", &keys(&[KID, "key-2"])).await;
    assert_eq!(flood.await.unwrap(), UNKNOWN);
    assert_eq!(new.await.unwrap(), Found::Key, "cooldown and one fetch");
    assert_eq!(cache.metrics().unknown_kid_fetches, 1);
}

#[tokio::test]
async fn a_key_that_signs_before_it_is_published_works_soon_after() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    let asking = wire.asking(&cache, "key-2", 10);
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    assert_eq!(asking.await.unwrap(), UNKNOWN);
    // Published now. What was proved absent is asked for again after the cooldown, as if it had never been asked for.
    assert_eq!(ask(&cache, "key-2", 14).await, UNKNOWN);
    wire.serve(&cache, "key-2", 15, &keys(&[KID, "key-2"]))
        .await;
}

#[tokio::test]
async fn what_was_proved_absent_is_found_as_soon_as_any_fetch_brings_it() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    for seconds in [10, 15, 25, 45] {
        let asking = wire.asking(&cache, "key-2", seconds);
        wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
        assert_eq!(asking.await.unwrap(), UNKNOWN);
    }
    // By itself it would cause no fetch before 85 s. Another key id does, and the present set has the last word.
    let asking = wire.asking(&cache, "other", 51);
    wire.next()
        .await
        .answer("200 OK", "", &keys(&[KID, "key-2"]))
        .await;
    assert_eq!(asking.await.unwrap(), UNKNOWN);
    assert_eq!(ask(&cache, "key-2", 51).await, Found::Key);
}

#[tokio::test]
async fn fetches_for_unknown_key_ids_do_not_use_up_the_scheduled_ones() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    // A flood up to the maximum age, and the issuer fails each time, so that its back-off is at its longest.
    for seconds in (300..600).step_by(40) {
        let before = cache.metrics().unknown_kid_fetches;
        let asking = wire.asking(&cache, &format!("junk-{seconds}"), seconds);
        assert!(asking_begins_a_fetch(&cache, before).await);
        wire.next().await.answer("503 x", "", "").await;
        assert_eq!(asking.await.unwrap(), Found::NoKeys);
    }
    assert_eq!(cache.metrics().failures, 8);
    let asking = wire.asking(&cache, "junk", 599);
    assert_eq!(asking.await.unwrap(), Found::NoKeys, "in the back-off");
    assert_eq!(ask(&cache, KID, 599).await, Found::Key);
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    cache.settle().await;
    assert_eq!(cache.metrics().fetches, 10, "the refresh did not wait");
    assert_eq!(cache.metrics().unknown_kid_fetches, 8);
}
