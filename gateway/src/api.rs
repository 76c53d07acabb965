//! The REST API in front: its name, its routes, its authorizer.
//!
//! Owns what an API is and how a request finds its route, its identity and its method ARN. All of it is parsed before the
//! server starts and read-only then.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::decision::GatewayResponses;
use crate::switches::{ArnPath, Switches};

mod authorizer;
mod limits;
mod route;

pub use authorizer::{DEFAULT_TTL, MAX_TTL, TokenAuthorizer};
pub use limits::ServerLimits;
pub use route::{Integration, RouteAuth, RouteMatch};

pub(crate) use authorizer::{Identity, as_text};
use route::Routes;

/// The region of everything: where AWS's own examples are.
pub const REGION: &str = "us-east-1";
/// The account of everything: the one of AWS's own examples.
pub const ACCOUNT: &str = "123456789012";
/// The id of [`RestApi::planets`].
pub const API_ID: &str = "abcdef123";
/// The stage of [`RestApi::planets`], the first segment of each path.
pub const STAGE: &str = "test";
/// The method ARN of `GET /planets` of [`RestApi::planets`].
pub const PLANETS_ARN: &str =
    "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/planets";

/// The longest method ARN: 1,600 bytes (API Gateway quotas).
pub(crate) const METHOD_ARN_BYTES_MAX: usize = 1_600;

/// An API that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The identity source is no header name.
    #[error("identity source `{0}` is no header name; give a name such as `Authorization`")]
    IdentitySource(String),
    /// A resource path that is no path.
    #[error("resource `{0}` must start with `/`, and `{{name+}}` may only be its last segment")]
    Resource(String),
    /// The time to live is beyond what API Gateway takes.
    #[error("the authorizer's ttl is {0:?}; API Gateway takes 0s to 3600s")]
    Ttl(Duration),
    /// The validation expression does not compile.
    #[error(
        "validation expression `{expression}` is no regular expression that this program knows: {source}"
    )]
    ValidationExpression {
        /// The expression as given.
        expression: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
}

/// A deployed REST API: one stage with its routes and one TOKEN authorizer.
#[derive(Debug, Clone)]
pub struct RestApi {
    id: String,
    stage: String,
    arn_prefix: String,
    routes: Routes,
    authorizer: TokenAuthorizer,
    responses: GatewayResponses,
    switches: Switches,
    limits: ServerLimits,
}

impl RestApi {
    /// An API without routes.
    pub fn new(id: &str, stage: &str) -> Self {
        Self {
            id: id.to_owned(),
            stage: stage.to_owned(),
            arn_prefix: format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{id}/{stage}/"),
            routes: Routes::default(),
            authorizer: TokenAuthorizer::default(),
            responses: GatewayResponses::default(),
            switches: Switches::default(),
            limits: ServerLimits::default(),
        }
    }

    /// The built-in API: `/planets` behind the authorizer, and `GET /health` open to everybody.
    pub fn planets() -> Self {
        let routes = [
            ("GET", "/health", RouteAuth::None, Integration::Health),
            (
                "GET",
                "/planets",
                RouteAuth::Token,
                Integration::ListPlanets,
            ),
            (
                "POST",
                "/planets",
                RouteAuth::Token,
                Integration::CreatePlanet,
            ),
            (
                "GET",
                "/planets/{id}",
                RouteAuth::Token,
                Integration::ReadPlanet,
            ),
            (
                "DELETE",
                "/planets/{id}",
                RouteAuth::Token,
                Integration::DeletePlanet,
            ),
        ];
        routes.into_iter().fold(
            Self::new(API_ID, STAGE),
            |api, (method, resource, auth, integration)| {
                api.with_route(method, resource, auth, integration)
                    .expect("the resources above are paths")
            },
        )
    }

    /// Adds a route: a verb or `ANY`, and a resource such as `/planets/{id}` or `/{proxy+}`.
    pub fn with_route(
        mut self,
        method: &str,
        resource: &str,
        auth: RouteAuth,
        integration: Integration,
    ) -> Result<Self, ApiError> {
        self.routes.add(method, resource, auth, integration)?;
        Ok(self)
    }

    /// Sets how long a policy is cached: 0 (off) to [`MAX_TTL`], checked when the gateway starts.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.authorizer.set_ttl(ttl);
        self
    }

    /// Sets the header that holds the token; `Authorization` unless set.
    pub fn with_identity_source(mut self, header: &str) -> Result<Self, ApiError> {
        self.authorizer.set_identity_source(header)?;
        Ok(self)
    }

    /// Sets the expression that a token must match as a whole before the authorizer is asked.
    pub fn with_validation_expression(mut self, expression: &str) -> Result<Self, ApiError> {
        self.authorizer.set_validation_expression(expression)?;
        Ok(self)
    }

    /// Sets the customised gateway responses.
    #[must_use]
    pub fn with_responses(mut self, responses: GatewayResponses) -> Self {
        self.responses = responses;
        self
    }

    /// Sets the unsettled points of behaviour.
    #[must_use]
    pub fn with_switches(mut self, switches: Switches) -> Self {
        self.switches = switches;
        self
    }

    /// Sets how much a client may send, and how slowly.
    #[must_use]
    pub fn with_limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The API's id, the first part of a method ARN's resource.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stage, the first segment of each URL's path.
    pub fn stage(&self) -> &str {
        &self.stage
    }

    /// The authorizer of the protected routes.
    pub fn authorizer(&self) -> &TokenAuthorizer {
        &self.authorizer
    }

    /// The unsettled points of behaviour.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    pub(crate) fn responses(&self) -> &GatewayResponses {
        &self.responses
    }

    pub(crate) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let ttl = self.authorizer.ttl();
        if ttl > MAX_TTL {
            Err(ApiError::Ttl(ttl))
        } else {
            Ok(())
        }
    }

    /// The path inside the stage, with its leading slash; `None` when the URL is of another stage.
    pub(crate) fn path_in_stage<'a>(&self, url_path: &'a str) -> Option<&'a str> {
        let path = url_path
            .strip_prefix('/')?
            .strip_prefix(self.stage.as_str())?;
        match path {
            "" => Some("/"),
            path if path.starts_with('/') => Some(path),
            _ => None,
        }
    }

    /// The route of a method and a path inside the stage.
    pub fn find_route<'a>(&'a self, method: &str, path: &'a str) -> Option<RouteMatch<'a>> {
        self.routes.find(method, path)
    }

    /// The ARN that the policy is evaluated for. It has the path that was sent, not the resource's pattern, and no
    /// doubled slash: the root's ends in `/GET/`. Whether escapes are decoded is unsettled, see [`ArnPath`].
    pub fn method_arn(&self, method: &str, path: &str) -> String {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut arn = String::with_capacity(self.arn_prefix.len() + method.len() + 1 + path.len());
        arn.push_str(&self.arn_prefix);
        arn.push_str(method);
        arn.push('/');
        match self.switches.arn_path {
            ArnPath::Decoded => arn.push_str(&percent_decoded(path)),
            ArnPath::Encoded => arn.push_str(path),
        }
        arn
    }
}

/// A path with its escapes resolved; one that is no text then stays as it is.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escape = (*byte == b'%')
            .then(|| after.get(..2).and_then(hex_pair))
            .flatten();
        bytes.push(escape.unwrap_or(*byte));
        rest = if escape.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?;
    u8::try_from(value).ok()
}

/// The event of a TOKEN authorizer: exactly three members ("Input to a Lambda authorizer", developer guide).
pub fn token_event(authorization_token: &str, method_arn: &str) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct TokenEvent<'a> {
        r#type: &'static str,
        authorization_token: &'a str,
        method_arn: &'a str,
    }
    let event = TokenEvent {
        r#type: "TOKEN",
        authorization_token,
        method_arn,
    };
    Bytes::from(serde_json::to_vec(&event).expect("three strings are JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_arn_has_the_path_that_was_sent() {
        let api = RestApi::planets();
        let decoded = Switches {
            arn_path: ArnPath::Decoded,
            ..Switches::default()
        };
        let decoding = RestApi::planets().with_switches(decoded);
        assert_eq!(api.method_arn("GET", "/planets"), PLANETS_ARN);
        let prefix = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/";
        for (path, encoded, decoded) in [
            ("/", "GET/", "GET/"),
            ("/planets/", "GET/planets/", "GET/planets/"),
            ("/planets/a%20b", "GET/planets/a%20b", "GET/planets/a b"),
            ("/planets/%zz%f", "GET/planets/%zz%f", "GET/planets/%zz%f"),
            ("/planets/%ff", "GET/planets/%ff", "GET/planets/%ff"),
            ("/a:b//c", "GET/a:b//c", "GET/a:b//c"),
        ] {
            assert_eq!(api.method_arn("GET", path), format!("{prefix}{encoded}"));
            assert_eq!(
                decoding.method_arn("GET", path),
                format!("{prefix}{decoded}")
            );
        }
    }

    #[test]
    fn the_event_has_exactly_the_three_members() {
        let event = token_event("Bearer \"x\"", PLANETS_ARN);
        let want = format!(
            r#"{{"type":"TOKEN","authorizationToken":"Bearer \"x\"","methodArn":"{PLANETS_ARN}"}}"#
        );
        assert_eq!(event, want.as_bytes());
    }

    #[test]
    fn a_path_of_another_stage_is_no_path_of_this_one() {
        let api = RestApi::planets();
        for (url, want) in [
            ("/test/planets", Some("/planets")),
            ("/test", Some("/")),
            ("/test/", Some("/")),
            ("/testing/planets", None),
            ("/prod/planets", None),
            ("/", None),
            ("*", None),
        ] {
            assert_eq!(api.path_in_stage(url), want, "{url}");
        }
    }
}
