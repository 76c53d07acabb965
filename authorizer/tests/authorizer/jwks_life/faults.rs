//! Answers that are no key set: never a refusal of the token, always bounded in time and size.

use std::time::{Duration, Instant};

use authorizer::{Authorizer, FetchError, KeyError, KeySettings, Settings};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use wiremock::{MockServer, ResponseTemplate};

use super::{
    Issuer, Verdict, current, serving,
    wire::{Exchange, Found, Wire, ask, keys},
};
use crate::{
    events::at,
    tokens::{ISSUER_KEY, KID, NOW, jwks, valid_token, without},
};

#[tokio::test]
async fn an_issuer_that_misbehaves_is_an_error_and_never_a_refusal() {
    let keys = jwks(&[ISSUER_KEY.jwk(KID)]).to_string();
    let padded = format!("{keys}{}", " ".repeat(150_000));
    let large = format!("{}{}", " ".repeat(150_000 - keys.len()), keys);
    let elsewhere = Issuer::serving(current()).await;
    let weak = without(ISSUER_KEY.jwk(KID), "n");
    let body = |text: &str| ResponseTemplate::new(200).set_body_string(text);
    // The right keys under the wrong status: only the status tells.
    let status = |status| ResponseTemplate::new(status).set_body_string(keys.clone());
    let cases = [
        ("500", status(500)),
        ("503", status(503)),
        ("404", status(404)),
        ("201", status(201)),
        ("HTML", body("<!doctype html><title>Sign in</title>")),
        ("empty", body("")),
        ("cut off", body(&keys[..keys.len() - 2])),
        ("no object", body("[]")),
        ("no keys", serving(&[])),
        ("keys no array", body("{\"keys\":{}}")),
        ("keys null", body("{\"keys\":null}")),
        ("no usable key", serving(&[weak])),
        ("oversize", body(&padded)),
        (
            "302",
            status(302).insert_header("location", elsewhere.server.uri()),
        ),
        (
            "301",
            status(301).insert_header("location", "file:///etc/passwd"),
        ),
    ];
    for (what, answer) in cases {
        let issuer = Issuer::serving(answer).await;
        assert_eq!(
            issuer.ask(&valid_token(), 0).await,
            Verdict::NoKeys,
            "{what}"
        );
        assert_eq!(issuer.fetches().await, 1, "{what}");
        // The failure is not kept for long.
        issuer.serve(current()).await;
        assert_eq!(
            issuer.ask(&valid_token(), 2).await,
            Verdict::Allow,
            "{what}"
        );
    }
    assert_eq!(elsewhere.fetches().await, 0);
    let issuer = Issuer::serving(body(&large)).await;
    assert_eq!(
        issuer.ask(&valid_token(), 0).await,
        Verdict::Allow,
        "as large as allowed"
    );
}

#[tokio::test]
async fn a_key_source_that_cannot_be_spoken_with_is_an_error() {
    // The port of a listener that was closed, so that nothing answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let plain = MockServer::start().await;
    let uris = [
        format!("http://{closed}/jwks.json"),
        // No TLS, and no falling back to plain text.
        format!("https://{}/jwks.json", plain.address()),
    ];
    for uri in uris {
        let settings = Settings::from_lookup(|name| {
            let value = match name {
                "JWKS_URI" => &uri,
                "AUDIENCE" | "TOKEN_ISSUER" => "x",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let authorizer = Authorizer::new(settings.unwrap()).unwrap();
        match &authorizer.prefetch_keys().await[..] {
            [("x", KeyError::Fetch(cause))] => {
                assert!(
                    matches!(**cause, FetchError::Exchange(_)),
                    "{uri}: {cause:?}"
                );
            }
            other => panic!("{uri}: expected a failed fetch, not {other:?}"),
        }
    }
}

/// An issuer that hangs must not keep the others from being asked: Lambda grants 10 s for all of the start.
#[tokio::test]
async fn the_keys_of_all_issuers_are_asked_for_at_once() {
    let mut silent = Vec::new();
    let mut file = vec!["[keys]\ndeadline_ms = 4000".to_owned()];
    for name in ["a", "b", "c"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        file.push(format!(
            "[[issuer]]\nissuer = \"{name}\"\naudiences = [\"x\"]\njwks_uri = \"http://{address}/\""
        ));
        silent.push(listener);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, file.join("\n")).unwrap();
    let authorizer = Authorizer::new(Settings::from_toml(path).unwrap()).unwrap();
    let all_asked = async {
        let mut held = Vec::new();
        for listener in &silent {
            held.push(listener.accept().await.unwrap());
        }
        held
    };
    tokio::select! {
        failures = authorizer.prefetch_keys() => panic!("nobody was asked and it ended: {failures:?}"),
        held = all_asked => assert_eq!(held.len(), 3),
    }
}

/// A head that promises a body, and one byte of it every 5 ms: never silent, never done.
async fn drip(exchange: Exchange, head: &'static [u8]) {
    let mut stream = exchange.into_stream();
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    for byte in head.iter().chain(std::iter::repeat(&b' ')) {
        interval.tick().await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_drip_ends_at_the_deadline() {
    let heads: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
        // Not even the head ends.
        b"HTTP/1.1 200 OK\r\nx-padding: ",
    ];
    for head in heads {
        let mut wire = Wire::bind().await;
        let cache = wire.cache_with(KeySettings {
            connect_timeout: Duration::from_millis(300),
            deadline: Duration::from_millis(300),
            ..KeySettings::default()
        });
        let start = Instant::now();
        let fetching = {
            let cache = cache.clone();
            tokio::spawn(async move { cache.prefetch(at(NOW)).await })
        };
        let dripping = tokio::spawn(drip(wire.next().await, head));
        match fetching.await.unwrap() {
            Err(KeyError::Fetch(cause)) => {
                assert!(matches!(*cause, FetchError::Deadline(_)), "{cause:?}");
            }
            other => panic!("{other:?}"),
        }
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(290), "{waited:?}");
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        // The connection was closed, not left to drip on.
        dripping.await.unwrap();
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_bound() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let fetching = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.prefetch(at(NOW)).await })
    };
    let mut stream = wire.next().await.into_stream();
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let mut sent = 0;
    while stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 0x1000;
        assert!(sent < 100_000_000, "nobody stops reading");
    }
    match fetching.await.unwrap() {
        Err(KeyError::Fetch(cause)) => {
            assert!(matches!(*cause, FetchError::TooLarge(150_000)), "{cause:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ten_thousand_keys_are_refused_by_size_or_read_in_time() {
    // Real keys are far beyond the bound, and the length that the answer states is enough to know.
    let key = ISSUER_KEY.jwk(KID).to_string();
    let real = format!("{{\"keys\":[{}]}}", vec![key.as_str(); 10_000].join(","));
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    let asking = wire.asking(&cache, KID, 0);
    wire.next().await.answer("200 OK", "", &real).await;
    assert_eq!(asking.await.unwrap(), Found::NoKeys);
    // As many as fit, each a key of a kind that is skipped, and the right one last.
    let skipped = vec!["{\"kty\":1}"; 10_000].join(",");
    let small = format!("{{\"keys\":[{skipped},{key}]}}");
    assert!(small.len() < 150_000);
    let start = Instant::now();
    wire.serve(&cache, KID, 2, &small).await;
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    assert_eq!(cache.generation(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_within_the_same_host_either() {
    let mut wire = Wire::bind().await;
    let cache = wire.cache();
    for (number, status) in ["301 x", "302 x", "303 x", "307 x", "308 x"]
        .iter()
        .enumerate()
    {
        let seconds = 100 * i64::try_from(number).unwrap();
        let asking = wire.asking(&cache, KID, seconds);
        let exchange = wire.next().await;
        exchange
            .answer(status, "location: /moved\r\n", &keys(&[KID]))
            .await;
        assert_eq!(asking.await.unwrap(), Found::NoKeys, "{status}");
    }
    assert_eq!(ask(&cache, KID, 400).await, Found::NoKeys);
    assert_eq!(cache.metrics().fetches, 5);
    assert!(wire.is_silent());
}
