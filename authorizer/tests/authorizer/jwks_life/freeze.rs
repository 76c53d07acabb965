//! A process that Lambda freezes: its tasks and timers stop, and the wall clock does not.
//!
//! A freeze is a jump of the time that requests pass in, with a fetch under way that the issuer has not answered. The
//! deadline of these fetches is 4 s of real time, which none of the tests waits for.

use std::time::{Duration, Instant};

use authorizer::Rejection;

use super::wire::{Found, Wire, ask, keys};
use crate::tokens::KID;

const UNKNOWN: Found = Found::Refused(Rejection::KidUnknown);

#[tokio::test]
async fn a_refresh_that_was_frozen_is_given_up_at_the_next_use() {
    let start = Instant::now();
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    assert_eq!(ask(&cache, KID, 500).await, Found::Key);
    let frozen = wire.next().await;
    // Thawed two hours later. The old fetch may never end; the new one does not wait for it.
    let asking = wire.asking(&cache, "key-2", 7_700);
    wire.next()
        .await
        .answer("200 OK", "", &keys(&["key-2"]))
        .await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    // What the frozen one brings is nobody's any more.
    frozen.answer("200 OK", "", &keys(&[KID])).await;
    cache.settle().await;
    assert_eq!(ask(&cache, KID, 7_700).await, UNKNOWN);
    let metrics = cache.metrics();
    assert_eq!((metrics.fetches, metrics.abandoned), (3, 1));
    assert_eq!(metrics.failures, 0, "a freeze is no fault of the issuer");
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_fetch_that_is_frozen_briefly_goes_on_and_its_set_is_as_old_as_its_start() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    assert_eq!(ask(&cache, KID, 500).await, Found::Key);
    let refresh = wire.next().await;
    assert_eq!(ask(&cache, KID, 504).await, Found::Key);
    refresh.answer("200 OK", "", &keys(&[KID])).await;
    cache.settle().await;
    assert_eq!(cache.metrics().fetches, 2);
    assert_eq!(ask(&cache, KID, 979).await, Found::Key);
    assert_eq!(cache.metrics().fetches, 2);
    assert_eq!(ask(&cache, KID, 980).await, Found::Key);
    assert_eq!(cache.metrics().fetches, 3, "480 s from 500, not from 504");
}

#[tokio::test]
async fn a_set_that_a_frozen_fetch_brings_after_the_thaw_is_judged_by_its_start() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    assert_eq!(ask(&cache, KID, 500).await, Found::Key);
    // The answer is in the socket when the process is thawed, and is read before anybody asks.
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    cache.settle().await;
    let asking = wire.asking(&cache, KID, 7_700);
    wire.next()
        .await
        .answer("200 OK", "", &keys(&["key-2"]))
        .await;
    assert_eq!(asking.await.unwrap(), UNKNOWN);
}

#[tokio::test]
async fn those_who_waited_on_a_frozen_fetch_share_the_next_one() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let before = wire.asking(&cache, KID, 0);
    let _frozen = wire.next().await;
    let after = wire.asking(&cache, KID, 3_600);
    wire.next().await.answer("200 OK", "", &keys(&[KID])).await;
    assert_eq!(after.await.unwrap(), Found::Key);
    assert_eq!(before.await.unwrap(), Found::Key);
    assert_eq!(cache.metrics().fetches, 2);
}

#[tokio::test]
async fn a_freeze_across_an_expiry_costs_one_fetch_and_no_outage_is_assumed() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    // Beyond the maximum age and the stale bound: nothing is left that may be used without asking.
    let asking = wire.asking(&cache, KID, 86_400);
    wire.next().await.answer("503 x", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::NoKeys);
    wire.serve(&cache, KID, 86_402, &keys(&[KID])).await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_end_a_fetch_that_is_under_way() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let first = wire.asking(&cache, KID, 0);
    let exchange = wire.next().await;
    let second = wire.asking(&cache, KID, -3_600);
    tokio::task::yield_now().await;
    exchange.answer("200 OK", "", &keys(&[KID])).await;
    assert_eq!(first.await.unwrap(), Found::Key);
    assert_eq!(second.await.unwrap(), Found::Key);
    assert_eq!(cache.metrics().fetches, 1);
    // From then on the set counts as too old, because it comes from the future.
    wire.serve(&cache, KID, -3_599, &keys(&[KID])).await;
}
