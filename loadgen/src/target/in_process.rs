//! Our own authorizer without a process or a socket: an event goes in, its answer is judged by the gateway's rules.

use std::time::Instant;

use authorizer::{Authorizer, Settings};
use gateway::{FunctionAnswer, PLANETS_ARN, decision, token_event};

use super::{CacheVerdict, Decision, Observation, PreparedRequest};
use crate::clock::unix_now;
use crate::subject::Placeholders;
use crate::testbed::TestbedError;

/// The authorizer of this project in this process.
#[derive(Debug)]
pub struct InProcessTarget {
    authorizer: Authorizer,
}

impl InProcessTarget {
    /// An authorizer for the testbed's issuer.
    pub fn new(placeholders: &Placeholders) -> Result<Self, TestbedError> {
        let settings = Settings::from_lookup(|name| {
            Some(match name {
                "AUDIENCE" => placeholders.audience.clone(),
                "JWKS_URI" => placeholders.jwks_uri.clone(),
                "REQUIRED_SCOPE" => placeholders.scope.clone(),
                "TOKEN_ISSUER" => placeholders.issuer.clone(),
                _ => return None,
            })
        })
        .map_err(|error| TestbedError::Authorizer(error.to_string()))?;
        let authorizer = Authorizer::new(settings)
            .map_err(|error| TestbedError::Authorizer(error.to_string()))?;
        Ok(Self { authorizer })
    }

    pub(super) async fn call(&self, request: &PreparedRequest) -> Observation {
        // Without an identity source the gateway answers by itself.
        let Some(authorization) = request.authorization().filter(|value| !value.is_empty()) else {
            return refused(&decision::Refusal::identity_missing());
        };
        let event = token_event(authorization, PLANETS_ARN);
        let sent = Instant::now();
        let answer = match self.authorizer.authorize(&event).await {
            Ok(payload) => FunctionAnswer::Payload(payload.into()),
            Err(error) => FunctionAnswer::Error {
                message: error.to_string(),
                error_type: String::new(),
            },
        };
        let decided = decision::decide(&answer, PLANETS_ARN, unix_now());
        // What the back end behind an Allow answers.
        let status = decided.refusal().map_or(200, decision::Refusal::status);
        observation(status, decided.rule(), sent)
    }
}

fn refused(refusal: &decision::Refusal) -> Observation {
    observation(refusal.status(), refusal.rule().id(), Instant::now())
}

fn observation(status: u16, rule: &str, sent: Instant) -> Observation {
    let finished = Instant::now();
    Observation {
        decision: Decision::from_status(status),
        status: Some(status),
        rule: Some(rule.to_owned()),
        cache: CacheVerdict::None,
        cold: false,
        fault: None,
        sent,
        finished,
        answer: None,
    }
}
