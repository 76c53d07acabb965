//! Keys that come and keys that go.

use authorizer::Rejection;
use serde_json::json;

use super::{
    Issuer, KID_UNKNOWN, Verdict, current, long_lived, serving,
    wire::{Found, Wire, ask, keys},
};
use crate::tokens::{ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header};

#[tokio::test]
async fn a_new_key_works_at_once_and_a_withdrawn_one_until_the_set_is_replaced() {
    let issuer = Issuer::serving(current()).await;
    let (old, new) = (long_lived(KID), long_lived("key-2"));
    assert_eq!(issuer.ask(&old, 0).await, Verdict::Allow);
    issuer
        .serve(serving(&[ISSUER_KEY.jwk(KID), NEXT_KEY.jwk("key-2")]))
        .await;
    assert_eq!(issuer.ask(&new, 10).await, Verdict::Allow);
    assert_eq!(issuer.ask(&old, 10).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 2);
    issuer.serve(serving(&[NEXT_KEY.jwk("key-2")])).await;
    assert_eq!(issuer.ask(&old, 489).await, Verdict::Allow);
    assert_eq!(issuer.ask(&old, 610).await, KID_UNKNOWN);
    assert_eq!(issuer.ask(&new, 611).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 3);
}

#[tokio::test]
async fn new_key_material_under_the_same_kid_replaces_the_old() {
    let issuer = Issuer::serving(current()).await;
    let old = long_lived(KID);
    let claims = changed(claims(), &json!({"exp": NOW + 86_400}));
    let new = NEXT_KEY.sign(header().to_string(), claims.to_string());
    assert_eq!(issuer.ask(&old, 0).await, Verdict::Allow);
    issuer.serve(serving(&[NEXT_KEY.jwk(KID)])).await;
    let invalid = Verdict::Refused(Rejection::SignatureInvalid);
    assert_eq!(issuer.ask(&new, 479).await, invalid);
    assert_eq!(issuer.ask(&new, 600).await, Verdict::Allow);
    assert_eq!(
        issuer.ask(&old, 601).await,
        Verdict::Refused(Rejection::SignatureInvalid)
    );
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_within_the_maximum_age_whatever_the_issuer_says() {
    for (cache_control, bound) in [
        ("", 600),
        (
            "cache-control: max-age=15, stale-while-revalidate=86400\r\n",
            60,
        ),
        ("cache-control: no-cache\r\n", 60),
        ("cache-control: max-age=3832304, must-revalidate\r\n", 3_600),
    ] {
        let mut wire = Wire::bind().await;
        let cache = wire.cache();
        wire.serve_with(&cache, KID, 0, cache_control, &keys(&[KID, "key-2"]))
            .await;
        // Withdrawn now. Nobody asks before the last moment, so that nothing is refreshed ahead.
        let last = ask(&cache, KID, bound * 4 / 5 - 1).await;
        assert_eq!(last, Found::Key, "{cache_control}");
        let asking = wire.asking(&cache, KID, bound);
        wire.next()
            .await
            .answer("200 OK", "", &keys(&["key-2"]))
            .await;
        let found = asking.await.unwrap();
        assert_eq!(
            found,
            Found::Refused(Rejection::KidUnknown),
            "{cache_control}"
        );
    }
}

#[tokio::test]
async fn a_sandbox_that_was_idle_asks_before_it_trusts_an_old_key() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    wire.serve(&cache, KID, 0, &keys(&[KID])).await;
    // Within the stale bound, but nothing says that there is an outage: both wait, and neither is let in.
    let first = wire.asking(&cache, KID, 3_000);
    let exchange = wire.next().await;
    let second = wire.asking(&cache, KID, 3_000);
    exchange.answer("200 OK", "", &keys(&["key-2"])).await;
    let refused = Found::Refused(Rejection::KidUnknown);
    assert_eq!(first.await.unwrap(), refused);
    assert_eq!(second.await.unwrap(), refused);
    assert_eq!(cache.metrics().stale_uses, 0);
}
