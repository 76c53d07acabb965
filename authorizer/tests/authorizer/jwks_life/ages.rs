//! How old a set may grow, and when the next one is fetched.

use std::{collections::HashSet, time::SystemTime};

use authorizer::Rejection;

use super::{
    Issuer, Verdict, current, long_lived,
    wire::{Found, Wire, ask, keys},
};
use crate::{
    events::{at, event},
    tokens::{ISSUER_KEY, KID, NOW, claims_at, header, valid_token},
};

#[tokio::test]
async fn the_issuer_may_shorten_the_maximum_age_within_bounds() {
    let answer = current().insert_header("cache-control", "public, max-age=1");
    let issuer = Issuer::serving(answer).await;
    let token = long_lived(KID);
    for (seconds, fetches) in [(0, 1), (47, 1), (60, 2), (107, 2), (120, 3)] {
        assert_eq!(issuer.ask(&token, seconds).await, Verdict::Allow);
        assert_eq!(issuer.fetches().await, fetches, "after {seconds} s");
    }
}

#[tokio::test]
async fn one_fetch_serves_every_token_and_the_maximum_age_ends_it() {
    let issuer = Issuer::serving(current()).await;
    let token = long_lived(KID);
    for seconds in [0, 1, 300, 479] {
        assert_eq!(issuer.ask(&token, seconds).await, Verdict::Allow);
    }
    assert_eq!(issuer.fetches().await, 1);
    assert_eq!(issuer.ask(&token, 600).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_the_set_too_old() {
    let issuer = Issuer::serving(current()).await;
    let token = ISSUER_KEY.sign(header().to_string(), claims_at(NOW - 100).to_string());
    assert_eq!(issuer.ask(&token, 0).await, Verdict::Allow);
    assert_eq!(issuer.ask(&token, -3).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 1, "a few seconds are concurrency");
    assert_eq!(issuer.ask(&token, -60).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 2);
    // The clock is set right again.
    assert_eq!(issuer.ask(&token, 0).await, Verdict::Allow);
}

#[tokio::test]
async fn prefetched_keys_save_the_first_event_a_fetch() {
    let issuer = Issuer::serving(current()).await;
    assert!(issuer.authorizer.prefetch_keys().await.is_empty());
    assert_eq!(issuer.fetches().await, 1);
    let now = SystemTime::now();
    let seconds = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = claims_at(i64::try_from(seconds).unwrap()).to_string();
    let token = ISSUER_KEY.sign(header().to_string(), claims);
    assert_eq!(issuer.ask_at(&token, now).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn the_same_token_gets_the_same_answer_every_time() {
    let issuer = Issuer::serving(current()).await;
    let mut answers = HashSet::new();
    for seconds in 0..10 {
        let answer = issuer
            .authorizer
            .answer(&event(&valid_token()), at(NOW + seconds))
            .await;
        answers.insert(serde_json::to_string(&answer.unwrap()).unwrap());
    }
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_refresh_ahead_of_time_lets_nobody_wait() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    assert_eq!(ask(&cache, KID, 479).await, Found::Key);
    assert_eq!(cache.metrics().fetches, 1);
    // The last fifth of ten minutes. The issuer has not answered, and the requests have.
    for seconds in [480, 481, 482] {
        assert_eq!(ask(&cache, KID, seconds).await, Found::Key);
    }
    let refresh = wire.next().await;
    assert_eq!(cache.metrics().fetches, 2);
    refresh.answer("200 OK", "", &keys(&["key-2"])).await;
    cache.settle().await;
    // What the refresh brought counts from then on, for the old key, too.
    assert_eq!(ask(&cache, "key-2", 482).await, Found::Key);
    assert_eq!(
        ask(&cache, KID, 482).await,
        Found::Refused(Rejection::KidUnknown)
    );
    assert_eq!(cache.metrics().fetches, 2);
}

#[tokio::test]
async fn a_refresh_ahead_that_fails_leaves_the_set_and_is_spaced_out() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    let mut at_fetch = Vec::new();
    for seconds in 470..600 {
        let before = cache.metrics().fetches;
        assert_eq!(ask(&cache, KID, seconds).await, Found::Key);
        if cache.metrics().fetches > before {
            at_fetch.push(seconds);
            wire.next().await.answer("503 x", "", "").await;
            cache.settle().await;
        }
    }
    assert_eq!(at_fetch[0], 480);
    assert!((6..=8).contains(&at_fetch.len()), "{at_fetch:?}");
    assert_eq!(cache.metrics().stale_uses, 0, "the set is fresh all along");
}

#[tokio::test]
async fn the_generation_names_the_keys_and_ends_with_their_freshness() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let now = |seconds| at(NOW + seconds);
    assert_eq!(cache.generation(), 0);
    assert_eq!(cache.fresh_generation(now(0)), None);
    wire.serve(&cache, KID, 0, &keys(&[KID, "key-2"])).await;
    assert_eq!(cache.fresh_generation(now(479)), Some(1));
    // A memory of verified tokens must come back to the cache, or nothing would ever refresh the set.
    assert_eq!(cache.fresh_generation(now(480)), None);
    // The same keys in another order, and later one of them less.
    wire.serve(&cache, KID, 600, &keys(&["key-2", KID])).await;
    assert_eq!(cache.fresh_generation(now(600)), Some(1));
    wire.serve(&cache, KID, 1_200, &keys(&[KID])).await;
    assert_eq!(cache.fresh_generation(now(1_200)), Some(2));
    // The same kid with other key material is another key.
    let other = crate::tokens::jwks(&[crate::tokens::NEXT_KEY.jwk(KID)]).to_string();
    wire.serve(&cache, KID, 1_800, &other).await;
    assert_eq!(cache.generation(), 3);
    assert_eq!(
        cache.fresh_generation(now(0)),
        None,
        "the clock was set back"
    );
}
