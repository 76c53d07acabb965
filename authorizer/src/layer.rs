//! The authorizer as a layer of a server that runs no Lambda.
//!
//! Owns the way of a request: its credential, the verdict, the call of the inner service. What a refusal looks like on the
//! wire is next door.

mod permission;
mod refusal;

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use http::{HeaderMap, Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Authorizer, AuthorizerError, CredentialSource, Rejection, VerifiedToken};
use permission::permit;
use refusal::Refusal;

/// A `tower` layer that lets a request through if its access token grants it.
///
/// The inner service finds the [`VerifiedToken`] in the extensions of the request. Every other request is answered here,
/// with an empty body, and the inner service is not called:
///
/// | what is wrong | status | `WWW-Authenticate` (RFC 6750 §3) |
/// |---|---|---|
/// | no credential, or another scheme than `Bearer` | 401 | `Bearer realm="api"`, no error code |
/// | the header is repeated, or holds a space or a byte that no token has | 400 | `error="invalid_request"` |
/// | the token: malformed, forged, expired, of somebody else, unknown key | 401 | `error="invalid_token"` |
/// | the scope, or no route is for the request | 403 | `error="insufficient_scope"`, with the `scope` if there is just one |
/// | the keys cannot be had | 503 | none |
///
/// Why a token was not verified is in the extensions of the response as an [`AuthorizerError`], for a log or for metrics.
/// It holds nothing of the token.
///
/// ```
/// use authorizer::{Authorizer, AuthorizerLayer, Settings, SetupError, VerifiedToken};
/// use axum::{Extension, Router, routing::get};
///
/// async fn planets(Extension(token): Extension<VerifiedToken>) -> String {
///     format!("the planets of {}", token.principal())
/// }
///
/// fn app(settings: Settings) -> Result<Router, SetupError> {
///     let layer = AuthorizerLayer::new(Authorizer::new(settings)?);
///     Ok(Router::new().route("/planets", get(planets)).layer(layer))
/// }
///
/// let settings = Settings::from_lookup(|name| match name {
///     "TOKEN_ISSUER" => Some("https://issuer.example/".to_owned()),
///     "JWKS_URI" => Some("https://issuer.example/jwks.json".to_owned()),
///     "AUDIENCE" => Some("https://planets.example/".to_owned()),
///     "AUTHORIZER_ROUTES" => Some("GET /planets any:read:planets,admin".to_owned()),
///     _ => None,
/// });
/// app(settings?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Settings
///
/// Issuers, caches, the credential's header and form, and the required scopes or the routes apply as they do on Lambda; the
/// claims of the context are at hand by [`VerifiedToken::carried`]. What else shapes an answer to API Gateway does not
/// apply: its form, its API key, the end of its Allow. The keys are fetched on a Tokio runtime with I/O and time.
///
/// # Routes
///
/// A table of routes is held against the verb and the path of the request's URI, and grants what the policy that is
/// compiled from it grants to a request for one of its routes. A request for none of them is refused whatever the token
/// has, so that the table has to have all routes behind the layer, `HEAD` and `OPTIONS` among them; `OPTIONS *` is for no
/// route.
///
/// The path is compared as it was sent, percent-escapes and case included, as the ARN of an API method has it. A server
/// may read a path in another way, so a path is refused which
///
/// - has an empty segment (`//`), a slash at the end (but for `/` itself), or a segment `.` or `..`;
/// - holds `\`, `;` or a control character, or is longer than 8,000 bytes;
/// - has one of these when its percent-escapes are decoded, or escapes still, leads to another route then or to none, or has
///   a broken escape.
///
/// So `/secre%74` is no way around the scopes of `/secret`, and `/users/a%40b` is still `/users/{id}`. Without a table the
/// path plays no part. Whatever rewrites a URI or takes the method from a header belongs outside of the layer; so does what
/// answers requests without a credential, as CORS does with `OPTIONS`. A layer inside of a nested router sees paths without
/// the prefix that led there; one around the outer router sees them whole.
#[derive(Debug, Clone)]
pub struct AuthorizerLayer {
    authorizer: Arc<Authorizer>,
}

impl AuthorizerLayer {
    /// A layer of this authorizer. Layers that share one share its keys and its cache of verified tokens.
    pub fn new(authorizer: impl Into<Arc<Authorizer>>) -> AuthorizerLayer {
        AuthorizerLayer {
            authorizer: authorizer.into(),
        }
    }
}

impl<S> Layer<S> for AuthorizerLayer {
    type Service = AuthorizerService<S>;

    fn layer(&self, inner: S) -> AuthorizerService<S> {
        AuthorizerService {
            authorizer: Arc::clone(&self.authorizer),
            inner,
        }
    }
}

/// A service behind an [`AuthorizerLayer`].
#[derive(Debug, Clone)]
pub struct AuthorizerService<S> {
    authorizer: Arc<Authorizer>,
    inner: S,
}

impl<S, B, ResBody> Service<Request<B>> for AuthorizerService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ResBody>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let authorizer = Arc::clone(&self.authorizer);
        // The service that was polled is the one that is ready; its clone need not be.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match admit(&authorizer, &parts, SystemTime::now()).await {
                Ok(token) => {
                    parts.extensions.insert(token);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refusal) => Ok(refusal.into_response()),
            }
        })
    }
}

/// The token of a request that may pass.
async fn admit(
    authorizer: &Authorizer,
    parts: &Parts,
    now: SystemTime,
) -> Result<VerifiedToken, Refusal> {
    let refused = |rejection| Refusal::Unverified(AuthorizerError::Unauthorized(rejection));
    let source = authorizer.credential_source();
    let credential = credential(&parts.headers, source).map_err(refused)?;
    let token = source.token(credential).map_err(refused)?;
    let token = authorizer.verify(token, now).await;
    let token = token.map_err(Refusal::Unverified)?;
    permit(
        authorizer.grants(),
        &token,
        parts.method.as_str(),
        parts.uri.path(),
    )?;
    Ok(token)
}

/// The value of the one header field that holds the credential.
fn credential<'a>(
    headers: &'a HeaderMap,
    source: &CredentialSource,
) -> Result<Option<&'a str>, Rejection> {
    let mut values = headers.get_all(&source.header).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Which of two a proxy in front has looked at is anybody's guess.
    if values.next().is_some() {
        return Err(Rejection::CredentialsRepeated);
    }
    let value = value.to_str();
    value.map(Some).map_err(|_| Rejection::CredentialsMalformed)
}
