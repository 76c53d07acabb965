//! The life of a key set against an issuer that rotates and misbehaves. The clock is an argument, so nothing waits; the
//! one real wait is that for the fetch deadline, which is the subject of its test.

use std::{
    collections::HashSet,
    time::{Duration, Instant, SystemTime},
};

use authorizer::{Authorizer, AuthorizerError, FetchError, KeyError, Rejection, Settings};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::{
    events::{at, authorizer, event},
    tokens::{
        ATTACKER_KEY, ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, claims_at, header, jwks,
        valid_token, with_claims, with_header, without,
    },
};

/// An issuer whose answer can be changed.
struct Issuer {
    server: MockServer,
    authorizer: Authorizer,
}

impl Issuer {
    async fn serving(answer: ResponseTemplate) -> Issuer {
        let server = MockServer::start().await;
        let issuer = Issuer {
            authorizer: authorizer(&server, None),
            server,
        };
        issuer.serve(answer).await;
        issuer
    }

    async fn serve(&self, answer: ResponseTemplate) {
        // Unlike `reset`, a mock of a higher priority keeps the count of the requests.
        let served = self.fetches().await;
        let priority = u8::try_from(200 - served).unwrap();
        Mock::given(method("GET"))
            .respond_with(answer)
            .with_priority(priority)
            .mount(&self.server)
            .await;
    }

    async fn fetches(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    /// What the authorizer says about a token, `seconds` after the start.
    async fn ask(&self, token: &str, seconds: i64) -> Verdict {
        self.ask_at(token, at(NOW + seconds)).await
    }

    async fn ask_at(&self, token: &str, now: SystemTime) -> Verdict {
        match self.authorizer.answer(&event(token), now).await {
            Ok(answer) => {
                let answer = serde_json::to_value(&answer).unwrap();
                assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow");
                Verdict::Allow
            }
            Err(AuthorizerError::Unauthorized(rejection)) => Verdict::Refused(rejection),
            Err(error @ AuthorizerError::Keys(_)) => {
                assert_eq!(error.to_string(), "signing keys unavailable");
                Verdict::NoKeys
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Allow,
    NoKeys,
    Refused(Rejection),
}

const KID_UNKNOWN: Verdict = Verdict::Refused(Rejection::KidUnknown);

fn serving(keys: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(jwks(keys))
}

fn current() -> ResponseTemplate {
    serving(&[ISSUER_KEY.jwk(KID)])
}

/// Valid from the start for a day.
fn long_lived(kid: &str) -> String {
    let key = if kid == KID { &*ISSUER_KEY } else { &*NEXT_KEY };
    let claims = changed(claims(), &json!({"exp": NOW + 86_400}));
    key.sign(
        changed(header(), &json!({"kid": kid})).to_string(),
        claims.to_string(),
    )
}

#[tokio::test]
async fn one_fetch_serves_every_token_until_the_maximum_age() {
    let issuer = Issuer::serving(current()).await;
    let token = long_lived(KID);
    for seconds in [0, 1, 300, 599] {
        assert_eq!(issuer.ask(&token, seconds).await, Verdict::Allow);
    }
    assert_eq!(issuer.fetches().await, 1);
    assert_eq!(issuer.ask(&token, 600).await, Verdict::Allow);
    assert_eq!(issuer.fetches().await, 2);
}

#[tokio::test]
async fn the_issuer_may_shorten_the_maximum_age_within_bounds() {
    let answer = current().insert_header("cache-control", "public, max-age=1");
    let issuer = Issuer::serving(answer).await;
    let token = long_lived(KID);
    for (seconds, fetches) in [(0, 1), (59, 1), (60, 2), (119, 2), (120, 3)] {
        assert_eq!(issuer.ask(&token, seconds).await, Verdict::Allow);
        assert_eq!(issuer.fetches().await, fetches, "after {seconds} s");
    }
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
            issuer.ask(&valid_token(), 1).await,
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
            let value = if name == "JWKS_URI" { &uri } else { "x" };
            Some(value.to_owned())
        });
        let authorizer = Authorizer::new(settings.unwrap()).unwrap();
        match authorizer.prefetch_keys().await {
            Err(KeyError::Fetch(cause)) => {
                assert!(
                    matches!(*cause, FetchError::Exchange(_)),
                    "{uri}: {cause:?}"
                );
            }
            other => panic!("{uri}: expected a failed fetch, not {other:?}"),
        }
    }
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
    let issuer = Issuer::serving(ResponseTemplate::new(500)).await;
    let mut at_fetch = Vec::new();
    for seconds in 0..=100 {
        let before = issuer.fetches().await;
        assert_eq!(issuer.ask(&valid_token(), seconds).await, Verdict::NoKeys);
        if issuer.fetches().await > before {
            at_fetch.push(seconds);
        }
    }
    assert_eq!(at_fetch, [0, 1, 3, 7, 15, 31, 61, 91]);
}

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
    assert_eq!(issuer.ask(&old, 609).await, Verdict::Allow);
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
    assert_eq!(issuer.ask(&new, 599).await, invalid);
    assert_eq!(issuer.ask(&new, 600).await, Verdict::Allow);
    assert_eq!(
        issuer.ask(&old, 601).await,
        Verdict::Refused(Rejection::SignatureInvalid)
    );
}

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

#[tokio::test]
async fn prefetched_keys_save_the_first_event_a_fetch() {
    let issuer = Issuer::serving(current()).await;
    issuer.authorizer.prefetch_keys().await.unwrap();
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
