//! Keys that come with the function.

use authorizer::{Algorithms, JwkSet, JwksCache, KeyLimits, KeySource, PreloadedKeys, Rejection};

use super::wire::{Found, Wire, ask, keys, patient};
use crate::{
    events::at,
    tokens::{KID, NOW},
};

fn preloaded(wire: &Wire, got: i64) -> JwksCache {
    let document = keys(&[KID]);
    let source = KeySource::Preloaded {
        uri: wire.uri(),
        keys: PreloadedKeys::parse(document.as_bytes(), &Algorithms::default(), at(NOW + got))
            .unwrap(),
    };
    JwksCache::with_limits(
        source,
        &Algorithms::default(),
        KeyLimits::new(patient()).unwrap(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_preloaded_set_saves_the_first_fetch_and_ages_like_any_other() {
    let mut wire = Wire::bind().await;
    let cache = preloaded(&wire, 0);
    cache.prefetch(at(NOW)).await.unwrap();
    assert_eq!(ask(&cache, KID, 479).await, Found::Key);
    assert_eq!(cache.metrics().fetches, 0);
    assert_eq!(ask(&cache, KID, 480).await, Found::Key);
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    cache.settle().await;
    assert_eq!(cache.generation(), 1, "the same keys");
    // A key that it lacks is fetched at once: no fetch of ours was ever made that a cooldown could count from.
    let cache = preloaded(&wire, 0);
    wire.serve(&cache, "key-2", 0, &keys(&[KID, "key-2"])).await;
    assert_eq!(cache.generation(), 2);
}

#[tokio::test]
async fn a_preloaded_set_that_is_too_old_is_replaced_first() {
    let mut wire = Wire::bind().await;
    let cache = preloaded(&wire, -600);
    let asking = wire.asking(&cache, KID, 0);
    wire.next()
        .await
        .answer("200 OK", "", &keys(&["key-2"]))
        .await;
    assert_eq!(asking.await.unwrap(), Found::Refused(Rejection::KidUnknown));
}

#[tokio::test]
async fn in_an_outage_a_preloaded_set_obeys_the_stale_bound() {
    for (got, expected) in [
        (-600, Found::Key),
        (-4_199, Found::Key),
        (-4_200, Found::NoKeys),
    ] {
        let mut wire = Wire::bind().await;
        let cache = preloaded(&wire, got);
        let asking = wire.asking(&cache, KID, 0);
        wire.next().await.answer("503 x", "", "").await;
        assert_eq!(asking.await.unwrap(), expected, "{got}");
    }
    // A file from the future was packed by a clock that is wrong.
    let mut wire = Wire::bind().await;
    let cache = preloaded(&wire, 86_400);
    let asking = wire.asking(&cache, KID, 0);
    wire.next().await.answer("503 x", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::NoKeys);
}

#[tokio::test]
async fn a_static_set_is_never_fetched_and_never_old() {
    let set = JwkSet::parse(keys(&[KID]).as_bytes()).unwrap();
    let cache = JwksCache::new(set).unwrap();
    cache.prefetch(at(NOW)).await.unwrap();
    for seconds in [-1_000_000, 0, 1_000_000_000] {
        assert_eq!(ask(&cache, KID, seconds).await, Found::Key);
        let unknown = ask(&cache, "key-2", seconds).await;
        assert_eq!(unknown, Found::Refused(Rejection::KidUnknown));
        assert_eq!(cache.fresh_generation(at(NOW + seconds)), Some(1));
    }
    assert_eq!(cache.metrics().fetches, 0);
}
