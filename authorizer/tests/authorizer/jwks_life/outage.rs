//! An issuer that is down for a while, or for good.

use std::time::{Duration, Instant};

use authorizer::{KeySettings, Rejection};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{
    Issuer, Verdict, current, long_lived,
    wire::{Found, Wire, ask, ask_at, keys},
};
use crate::{
    events::at,
    tokens::{ATTACKER_KEY, KID, NOW, changed, claims, header, valid_token},
};

#[tokio::test]
async fn known_keys_outlive_an_outage_for_a_bounded_time() {
    let issuer = Issuer::serving(current()).await;
    let token = long_lived(KID);
    let forged = ATTACKER_KEY.sign(
        header().to_string(),
        changed(claims(), &json!({"exp": NOW + 86_400})).to_string(),
    );
    assert_eq!(issuer.ask(&token, 0).await, Verdict::Allow);
    issuer.serve(ResponseTemplate::new(503)).await;
    assert_eq!(
        issuer.ask(&long_lived("key-2"), 100).await,
        Verdict::NoKeys,
        "nothing proves it bad"
    );
    for seconds in [600, 601, 2_000, 4_199] {
        assert_eq!(issuer.ask(&token, seconds).await, Verdict::Allow);
        assert_eq!(
            issuer.ask(&forged, seconds).await,
            Verdict::Refused(Rejection::SignatureInvalid)
        );
        assert_eq!(
            issuer.ask(&long_lived("key-2"), seconds).await,
            Verdict::NoKeys
        );
    }
    assert_eq!(
        issuer.ask(&token, 4_200).await,
        Verdict::NoKeys,
        "an hour past 10 minutes"
    );
    issuer.serve(current()).await;
    assert_eq!(issuer.ask(&token, 4_300).await, Verdict::Allow);
}

#[tokio::test]
async fn a_silent_issuer_is_given_up_at_the_deadline() {
    let silent = current().set_delay(Duration::from_mins(1));
    let issuer = Issuer::serving(silent).await;
    let start = Instant::now();
    assert_eq!(issuer.ask(&valid_token(), 0).await, Verdict::NoKeys);
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(1_400), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    // Within the back-off the failure is known without waiting again.
    assert_eq!(issuer.ask(&valid_token(), 0).await, Verdict::NoKeys);
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn failures_in_a_row_space_the_fetches_out() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache_with(KeySettings {
        jitter_seed: Some(7),
        ..KeySettings::default()
    });
    let mut fetches_ms = Vec::new();
    for millis in (0..100_000).step_by(50) {
        let before = cache.metrics().fetches;
        let now = at(NOW) + Duration::from_millis(millis);
        let asking = {
            let cache = cache.clone();
            tokio::spawn(async move { ask_at(&cache, KID, now).await })
        };
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if cache.metrics().fetches > before {
            fetches_ms.push(millis);
            wire.next().await.answer("500 x", "", "").await;
        }
        assert_eq!(asking.await.unwrap(), Found::NoKeys);
    }
    let waits: Vec<_> = fetches_ms
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    let bases = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
    assert!(waits.len() >= bases.len(), "{waits:?}");
    for (wait, base) in waits.iter().zip(bases.into_iter().chain([30_000; 9])) {
        let jittered = base..=base + base / 4 + 50;
        assert!(jittered.contains(wait), "{waits:?}");
    }
}

#[tokio::test]
async fn in_an_outage_known_keys_do_not_wait_for_the_next_failure() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    let asking = wire.asking(&cache, KID, 600);
    wire.next().await.answer("503 x", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    assert_eq!(cache.metrics().stale_uses, 1);
    // The next attempt is due, and the issuer hangs.
    assert_eq!(ask(&cache, KID, 602).await, Found::Key);
    let attempt = wire.next().await;
    assert_eq!(ask(&cache, KID, 602).await, Found::Key);
    assert_eq!(cache.metrics().stale_uses, 3);
    // It recovers, and the key was withdrawn in the meantime.
    attempt.answer("200 OK", "", &keys(&["key-2"])).await;
    cache.settle().await;
    assert_eq!(
        ask(&cache, KID, 603).await,
        Found::Refused(Rejection::KidUnknown)
    );
}

#[tokio::test]
async fn without_a_stale_bound_an_outage_ends_every_key_at_its_maximum_age() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache_with(KeySettings {
        stale_bound: Duration::ZERO,
        ..KeySettings::default()
    });
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    let asking = wire.asking(&cache, KID, 600);
    wire.next().await.answer("503 x", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::NoKeys);
    assert_eq!(cache.metrics().stale_uses, 0);
}
