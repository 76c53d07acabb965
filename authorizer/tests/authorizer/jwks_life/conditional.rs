//! `ETag` and `Last-Modified`: the issuer may say that nothing changed.

use super::wire::{Found, Wire, ask, keys};
use crate::tokens::KID;

const STAMPED: &str = "etag: W/\"a1\"\r\nlast-modified: Sat, 01 Aug 2026 00:00:00 GMT\r\n";

#[tokio::test]
async fn an_unchanged_set_is_renewed_without_its_document() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve_with(&cache, KID, 0, STAMPED, &keys(&[KID]))
        .await;
    let asking = wire.asking(&cache, KID, 600);
    let exchange = wire.next().await;
    assert_eq!(exchange.header("if-none-match"), Some("W/\"a1\""));
    let since = exchange.header("if-modified-since");
    assert_eq!(since, Some("Sat, 01 Aug 2026 00:00:00 GMT"));
    exchange.answer("304 Not Modified", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    // The age starts again, and the keys are the same.
    assert_eq!(ask(&cache, KID, 1_079).await, Found::Key);
    assert_eq!(cache.metrics().fetches, 2);
    assert_eq!(cache.metrics().not_modified, 1);
    assert_eq!(cache.generation(), 1);
}

#[tokio::test]
async fn a_renewal_may_change_age_and_validators() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let first = "etag: \"a1\"\r\ncache-control: max-age=100\r\n";
    wire.serve_with(&cache, KID, 0, first, &keys(&[KID])).await;
    // What the answer does not say stays as it was.
    for (quiet, seconds, sent, headers) in [
        (79, 100, "\"a1\"", ""),
        (
            179,
            200,
            "\"a1\"",
            "cache-control: max-age=300\r\netag: \"a2\"\r\n",
        ),
        (439, 500, "\"a2\"", "cache-control: no-cache\r\n"),
        (547, 560, "\"a2\"", ""),
    ] {
        assert_eq!(ask(&cache, KID, quiet).await, Found::Key);
        let fetches = cache.metrics().fetches;
        let asking = wire.asking(&cache, KID, seconds);
        let exchange = wire.next().await;
        assert_eq!(cache.metrics().fetches, fetches + 1, "none before");
        assert_eq!(exchange.header("if-none-match"), Some(sent), "{seconds}");
        exchange.answer("304 Not Modified", headers, "").await;
        assert_eq!(asking.await.unwrap(), Found::Key);
    }
    assert_eq!(cache.metrics().not_modified, 4);
}

#[tokio::test]
async fn an_unknown_key_id_asks_for_the_document_itself() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve_with(&cache, KID, 0, STAMPED, &keys(&[KID]))
        .await;
    let asking = wire.asking(&cache, "key-2", 10);
    let exchange = wire.next().await;
    assert_eq!(exchange.header("if-none-match"), None);
    assert_eq!(exchange.header("if-modified-since"), None);
    exchange
        .answer("200 OK", STAMPED, &keys(&[KID, "key-2"]))
        .await;
    assert_eq!(asking.await.unwrap(), Found::Key);
    assert_eq!(cache.generation(), 2);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_failure() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let asking = wire.asking(&cache, KID, 0);
    wire.next().await.answer("304 Not Modified", "", "").await;
    assert_eq!(asking.await.unwrap(), Found::NoKeys);
    // Without validators of its own, or with one beyond reason, the next request is no condition either.
    for (seconds, etag) in [
        (10, String::new()),
        (1_000, format!("etag: \"{}\"\r\n", "a".repeat(300))),
    ] {
        wire.serve_with(&cache, KID, seconds, &etag, &keys(&[KID]))
            .await;
        let asking = wire.asking(&cache, KID, seconds + 600);
        let exchange = wire.next().await;
        assert_eq!(exchange.header("if-none-match"), None);
        exchange.answer("304 Not Modified", "", "").await;
        assert_eq!(asking.await.unwrap(), Found::Key, "stale, not renewed");
    }
    assert_eq!(cache.metrics().not_modified, 0);
    assert_eq!(cache.metrics().failures, 3);
}

#[tokio::test]
async fn a_server_that_never_sees_a_change_is_asked_for_the_document_in_the_end() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve_with(&cache, KID, 0, STAMPED, &keys(&[KID]))
        .await;
    for seconds in (600..3_600).step_by(600) {
        let asking = wire.asking(&cache, KID, seconds);
        wire.next().await.answer("304 Not Modified", "", "").await;
        assert_eq!(asking.await.unwrap(), Found::Key);
    }
    let asking = wire.asking(&cache, KID, 3_600);
    let exchange = wire.next().await;
    assert_eq!(exchange.header("if-none-match"), None);
    exchange.answer("200 OK", STAMPED, &keys(&["key-2"])).await;
    assert_ne!(asking.await.unwrap(), Found::Key);
}
