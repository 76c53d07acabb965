//! Our own authorizer without a process or a socket: an event goes in, its answer comes out.
//!
//! Its clock is ours: it is told the time with each event, so that nobody has to wait for a token or a key to grow old.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use authorizer::{Authorizer, AuthorizerError, Settings};
use gateway::FunctionAnswer;

use crate::subject::Placeholders;
use crate::testbed::TestbedError;

/// The authorizer of this project in this process, with a policy for the routes that only read.
#[derive(Debug)]
pub struct InProcessTarget {
    authorizer: Authorizer,
    /// How far its clock is ahead of the machine's.
    ahead_ms: AtomicU64,
}

impl InProcessTarget {
    /// An authorizer for the testbed's issuer.
    pub fn new(placeholders: &Placeholders) -> Result<Self, TestbedError> {
        let scopes = placeholders.scope.replace(' ', ",");
        let routes = format!("GET /planets all:{scopes}; GET /planets/{{id}} all:{scopes}");
        let settings = Settings::from_lookup(|name| {
            Some(match name {
                "AUDIENCE" => placeholders.audience.clone(),
                "AUTHORIZER_ROUTES" => routes.clone(),
                "JWKS_URI" => placeholders.jwks_uri.clone(),
                "TOKEN_ISSUER" => placeholders.issuer.clone(),
                _ => return None,
            })
        })
        .map_err(|error| TestbedError::Authorizer(error.to_string()))?;
        let authorizer = Authorizer::new(settings)
            .map_err(|error| TestbedError::Authorizer(error.to_string()))?;
        Ok(Self {
            authorizer,
            ahead_ms: AtomicU64::new(0),
        })
    }

    /// Puts its clock forward.
    pub(super) fn put_forward(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) async fn answer(&self, event: &[u8]) -> FunctionAnswer {
        match self.decide(event).await {
            Ok(payload) => FunctionAnswer::Payload(payload.into()),
            Err(error) => FunctionAnswer::Error {
                message: error.to_string(),
                error_type: "Error".to_owned(),
            },
        }
    }

    async fn decide(&self, event: &[u8]) -> Result<Vec<u8>, AuthorizerError> {
        let ahead = Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        let answer = self.authorizer.answer(event, SystemTime::now() + ahead);
        Ok(answer.await?.to_json().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::builtin;
    use crate::conform::ask_genuine;
    use crate::target::{Decision, RequestShape};
    use crate::testbed::Testbed;

    #[tokio::test]
    async fn a_token_grows_old_without_anybody_waiting() {
        let scenario = builtin::scenario("quick").expect("built in");
        let subject = builtin::subject("in-process").expect("built in");
        let testbed = Testbed::start(&scenario, &subject)
            .await
            .expect("a testbed");
        let (target, minter) = (testbed.target(), testbed.minter());
        let token = minter
            .mint(&mock_idp::Recipe::default(), crate::clock::unix_now())
            .expect("a token");
        let request = target
            .prepare(&RequestShape::default(), &token)
            .expect("a request");
        let mut connection = target.connection();
        assert_eq!(connection.call(&request).await.decision, Decision::Allow);

        let lifetime = Duration::from_hours(25);
        let skipped = target.let_pass(lifetime).await;
        assert!(skipped > Duration::from_hours(24), "{skipped:?}");
        assert_eq!(connection.call(&request).await.decision, Decision::Deny);
        let genuine = ask_genuine(target, minter).await.expect("a decision");
        assert_eq!(
            genuine.decision,
            Decision::Deny,
            "a token of today is of the past"
        );
        testbed.shutdown().await;
    }
}
