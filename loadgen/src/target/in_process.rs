//! Our own authorizer without a process or a socket: an event goes in, its answer comes out.

use authorizer::{Authorizer, Settings};
use gateway::FunctionAnswer;

use crate::subject::Placeholders;
use crate::testbed::TestbedError;

/// The authorizer of this project in this process, with a policy for the routes that only read.
#[derive(Debug)]
pub struct InProcessTarget {
    authorizer: Authorizer,
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
        Ok(Self { authorizer })
    }

    pub(super) async fn answer(&self, event: &[u8]) -> FunctionAnswer {
        match self.authorizer.authorize(event).await {
            Ok(payload) => FunctionAnswer::Payload(payload.into()),
            Err(error) => FunctionAnswer::Error {
                message: error.to_string(),
                error_type: "Error".to_owned(),
            },
        }
    }
}
