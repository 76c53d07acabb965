//! Many at once: one fetch at a time, whole sets, and nobody who waits for ever.
//!
//! `loom` is not used: it explores only code that is built on its own mutexes and atomics, and `arc-swap` and `tokio`'s
//! channels are not. What threads could disagree about is decided in one state machine under one lock, whose steps are
//! tried in every order beside it (`src/jwks/ledger/model.rs`); here real threads try what lies around it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use authorizer::{
    Algorithm, Algorithms, CompactJws, JwksCache, KeyLimits, KeyMetrics, KeySettings,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::RwLock,
};

use super::{Issuer, current, wire::patient};
use crate::{
    events::{at, event},
    tokens::{ISSUER_KEY, NEXT_KEY, NOW, claims, header, jwks, valid_token, with_claims},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_first_verifications_at_once_share_one_fetch() {
    let answer = current().set_delay(Duration::from_millis(100));
    let issuer = Issuer::serving(answer).await;
    let now = at(NOW);
    let tasks: Vec<_> = (0..50)
        .map(|index| {
            let authorizer = issuer.authorizer.clone();
            let token = with_claims(&json!({"jti": index}));
            // The clocks of concurrent requests differ a little, in either direction.
            let now = now + Duration::from_millis((index * 37) % 100);
            tokio::spawn(async move { authorizer.answer(&event(&token), now).await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_fetch_along() {
    let answer = current().set_delay(Duration::from_millis(100));
    let issuer = Issuer::serving(answer).await;
    let (first, second) = (event(&valid_token()), event(&valid_token()));
    {
        let mut gone = Box::pin(issuer.authorizer.answer(&first, at(NOW)));
        // One poll starts the fetch.
        let poll = std::future::poll_fn(|context| {
            std::task::Poll::Ready(gone.as_mut().poll(context).is_pending())
        });
        assert!(poll.await);
    }
    assert!(issuer.authorizer.answer(&second, at(NOW)).await.is_ok());
    assert_eq!(issuer.fetches().await, 1);
}

/// Two key ids with one key between them, which is another with every answer: whoever finds the two with different keys
/// in one generation saw half a set.
fn pair(number: u64) -> String {
    let key = if number.is_multiple_of(2) {
        &*ISSUER_KEY
    } else {
        &*NEXT_KEY
    };
    jwks(&[key.jwk("a"), key.jwk("b")]).to_string()
}

/// An issuer that changes its keys with every answer and counts those who ask at the same time.
#[derive(Default)]
struct Turncoat {
    answers: AtomicU64,
    asking: AtomicUsize,
    most_asking: AtomicUsize,
}

impl Turncoat {
    async fn serve(self: Arc<Turncoat>, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let mut head = [0; 4_096];
                let _ = stream.read(&mut head).await;
                let asking = this.asking.fetch_add(1, Ordering::SeqCst) + 1;
                this.most_asking.fetch_max(asking, Ordering::SeqCst);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                let body = pair(this.answers.fetch_add(1, Ordering::SeqCst));
                // Before the answer goes out: with its last byte the next fetch may begin.
                this.asking.fetch_sub(1, Ordering::SeqCst);
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    }
}

/// Whether `key`, found under either key id, is the issuer's or the next one.
async fn is_issuers(cache: &JwksCache, kid: &str, now: i64, token: &str) -> bool {
    let key = cache.key(Some(kid), Algorithm::Rs256, at(NOW + now)).await;
    let key = key
        .expect("the issuer always answers")
        .expect("both are in every set");
    CompactJws::parse(token).unwrap().is_signed_by(&key)
}

/// A cache whose sets live for ten seconds.
fn short_lived(uri: http::Uri) -> JwksCache {
    JwksCache::with_limits(
        uri,
        &Algorithms::default(),
        KeyLimits::new(KeySettings {
            min_max_age: Duration::from_secs(10),
            default_max_age: Duration::from_secs(10),
            unknown_kid_cooldown: Duration::from_secs(1),
            ..patient()
        })
        .unwrap(),
    )
    .unwrap()
}

/// Time goes on by a second when no fetch is under way, so that none is overdue.
async fn let_time_go_on(cache: JwksCache, clock: Arc<RwLock<i64>>) -> KeyMetrics {
    loop {
        cache.settle().await;
        {
            let mut time = clock.write().await;
            if *time >= 150 {
                break;
            }
            *time += 1;
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    cache.metrics()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_see_whole_sets_and_never_two_fetches() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: http::Uri = format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let issuer = Arc::new(Turncoat::default());
    tokio::spawn(Arc::clone(&issuer).serve(listener));
    let cache = short_lived(uri);
    // Held by each reader while it asks: one that the scheduler leaves behind would ask in the past, and find others overdue.
    let clock = Arc::new(RwLock::new(0_i64));
    let token = Arc::new(ISSUER_KEY.sign(header().to_string(), claims().to_string()));
    let readers: Vec<_> = (0..8)
        .map(|reader| {
            let (cache, clock, token) = (cache.clone(), Arc::clone(&clock), Arc::clone(&token));
            tokio::spawn(async move {
                let mut pairs = 0_u32;
                loop {
                    let time = clock.read().await;
                    let now = *time;
                    if now >= 150 {
                        break;
                    }
                    let before = cache.generation();
                    let first = is_issuers(&cache, "a", now, &token).await;
                    let second = is_issuers(&cache, "b", now, &token).await;
                    if before > 0 && cache.generation() == before {
                        assert_eq!(first, second, "half a set");
                        pairs += 1;
                    }
                    if reader == 0 {
                        let junk = format!("junk-{now}");
                        let unknown = cache
                            .key(Some(&junk), Algorithm::Rs256, at(NOW + now))
                            .await;
                        assert!(unknown.unwrap().is_err());
                    }
                    drop(time);
                    tokio::task::yield_now().await;
                }
                pairs
            })
        })
        .collect();
    let driver = tokio::spawn(let_time_go_on(cache, clock));
    let everybody = async {
        let mut pairs = 0;
        for reader in readers {
            pairs += reader.await.unwrap();
        }
        (pairs, driver.await.unwrap())
    };
    // A waiter that nobody wakes would wait for ever.
    let (pairs, metrics) = tokio::time::timeout(Duration::from_mins(1), everybody)
        .await
        .expect("somebody was not woken");
    assert!(pairs > 100, "{pairs}");
    assert!(metrics.fetches > 50, "{metrics:?}");
    assert_eq!((metrics.abandoned, metrics.failures), (0, 0));
    assert_eq!(issuer.most_asking.load(Ordering::SeqCst), 1);
    assert_eq!(metrics.stale_uses, 0);
}
