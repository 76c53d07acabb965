//! Our own authorizer in this process, set up for the testbed's issuer.

use authorizer::{Authorizer, Settings};

use super::TestbedError;
use crate::subject::Placeholders;

/// An authorizer for the testbed's issuer, with a policy for the routes that only read.
pub(super) fn authorizer(placeholders: &Placeholders) -> Result<Authorizer, TestbedError> {
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
    Authorizer::new(settings).map_err(|error| TestbedError::Authorizer(error.to_string()))
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
