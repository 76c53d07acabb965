//! The life of a key set against an issuer that rotates and misbehaves. The clock is an argument, so nothing waits; the
//! few real waits are those for a fetch deadline, which is the subject of its test.
//!
//! [`Issuer`] asks a whole authorizer against an issuer that answers by itself. [`wire`] asks the cache of keys alone
//! against an issuer whose every answer is a line of the test, where the order of events matters.

mod ages;
mod conditional;
mod discovery;
mod faults;
mod freeze;
mod outage;
mod preloaded;
mod rotation;
mod storm;
mod unknown_kids;
mod wire;

use std::time::SystemTime;

use authorizer::{Authorizer, AuthorizerError, Rejection};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::{
    events::{at, authorizer, event},
    tokens::{ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header, jwks},
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
