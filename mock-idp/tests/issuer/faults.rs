//! An issuer that is out of order, and the listener for those who follow a URL from a token.

use std::time::{Duration, Instant};

use mock_idp::{JwksAnswer, JwksFault, MockIdp, UrlListener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{AUTH0, keys, start};
use crate::http::get;

const PATH: &str = "/.well-known/jwks.json";

/// What comes within `patience`, and whether the connection was closed in that time.
async fn raw(address: std::net::SocketAddr, path: &str, patience: Duration) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(patience, async {
        let mut chunk = [0; 4_096];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            bytes.extend_from_slice(&chunk[..count]);
        }
    })
    .await;
    (String::from_utf8_lossy(&bytes).into_owned(), ended.is_ok())
}

async fn failing(fault: &str) -> MockIdp {
    let idp = start(AUTH0).await;
    let fault: JwksFault = serde_json::from_str(fault).unwrap();
    idp.fail_jwks(Some(fault));
    idp
}

#[tokio::test]
async fn a_fault_with_an_answer_gives_it_and_is_logged() {
    for (fault, name, status, part) in [
        (
            r#"{"status":503}"#,
            "status",
            503,
            "temporarily_unavailable",
        ),
        (r#"{"status":7}"#, "status", 500, "temporarily_unavailable"),
        (r#"{"body":"[]"}"#, "body", 200, "\r\n\r\n[]"),
        (r#""html""#, "html", 200, "text/html"),
        (r#""rubbish""#, "rubbish", 200, "application/json"),
        (
            r#"{"redirect":"http://127.0.0.1:1/k"}"#,
            "redirect",
            302,
            "location: http://127.0.0.1:1/k",
        ),
    ] {
        let idp = failing(fault).await;
        let (text, _) = raw(idp.address(), PATH, Duration::from_secs(5)).await;
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{fault}: {text}"
        );
        assert!(text.contains(part), "{fault}: {text}");
        let logged = idp.fetches()[0];
        assert_eq!(
            (logged.answer, logged.status),
            (JwksAnswer::Fault(name), Some(status)),
            "{fault}"
        );
        // The rest of the issuer goes on, and so do the keys afterwards.
        assert_eq!(get(&idp, "/healthz").await.status, 200);
        idp.fail_jwks(None);
        assert_eq!(get(&idp, PATH).await.status, 200);
    }
}

#[tokio::test]
async fn a_closed_connection_says_nothing_and_a_truncated_one_half() {
    let idp = failing(r#""close""#).await;
    let (text, closed) = raw(idp.address(), PATH, Duration::from_secs(5)).await;
    assert_eq!((text.as_str(), closed), ("", true));
    assert_eq!(idp.fetches()[0].status, None);

    let idp = failing(r#""truncated""#).await;
    let (text, closed) = raw(idp.address(), PATH, Duration::from_secs(5)).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let promised: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        closed && body.len() == promised / 2,
        "{} of {promised}",
        body.len()
    );
}

#[tokio::test]
async fn silence_and_a_drip_outlast_whoever_waits() {
    let idp = failing(r#""silent""#).await;
    let patience = Duration::from_millis(300);
    assert_eq!(
        raw(idp.address(), PATH, patience).await,
        (String::new(), false)
    );
    assert_eq!(idp.fetch_count(), 1, "it was asked");

    let idp = failing(r#""slow""#).await;
    let (text, closed) = raw(idp.address(), PATH, Duration::from_millis(450)).await;
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert!(!closed && (1..=5).contains(&body.len()), "{text}");
    let started = Instant::now();
    idp.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn the_listener_plays_an_issuer_and_remembers_every_visitor() {
    let listener = UrlListener::start(&keys()).await.unwrap();
    assert!(listener.hits().is_empty());
    let ask = async |path: &str| {
        raw(listener.address(), path, Duration::from_secs(5))
            .await
            .0
    };
    let set = ask("/7/jwks.json?x=1").await;
    for kid in [keys().attacker.kid(), keys().signing.kid()] {
        assert!(set.contains(kid), "{set}");
    }
    assert!(!set.contains(keys().signing.public_jwk()["n"].as_str().unwrap()));
    let metadata = ask("/8/.well-known/openid-configuration").await;
    let jwks_uri = format!("\"jwks_uri\":\"{}/8/jwks.json\"", listener.base_url());
    assert!(metadata.contains(&jwks_uri), "{metadata}");
    assert!(ask("/9/chain.pem").await.contains("BEGIN CERTIFICATE"));
    let paths: Vec<_> = listener.hits().into_iter().map(|hit| hit.path).collect();
    assert_eq!(
        paths,
        [
            "/7/jwks.json?x=1",
            "/8/.well-known/openid-configuration",
            "/9/chain.pem"
        ]
    );
    assert_eq!(listener.hits_below("8").len(), 1);
    ask(&format!("/10/{}", "a".repeat(4_000))).await;
    assert_eq!(listener.hits_below("10")[0].path.len(), 512);
    let mut addresses = vec![listener.address()];
    if let Some(host) = listener.lookalike_host() {
        let lookalike = (host, listener.address().port()).into();
        assert!(
            raw(lookalike, "/11/k", Duration::from_secs(5))
                .await
                .0
                .contains("keys")
        );
        assert_eq!(listener.hits_below("11").len(), 1);
        addresses.push(lookalike);
    }
    let expected = cfg!(not(target_os = "macos"));
    assert_eq!(listener.lookalike_host().is_some(), expected);
    listener.shutdown().await;
    for address in addresses {
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn an_open_redirect_leads_wherever_its_query_says() {
    let idp = failing(r#""close""#).await;
    let answer = get(&idp, "/open-redirect?to=http://127.0.0.1:1/k?a=b").await;
    assert_eq!(answer.header("location"), Some("http://127.0.0.1:1/k?a=b"));
}

#[tokio::test]
async fn keys_are_cached_as_the_issuer_is_told_to_say() {
    let idp = failing(r#""close""#).await;
    idp.fail_jwks(None);
    idp.cache_keys("max-age=31536000");
    let answer = get(&idp, PATH).await;
    assert_eq!(answer.header("cache-control"), Some("max-age=31536000"));
}
