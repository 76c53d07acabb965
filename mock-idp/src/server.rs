//! The issuer's HTTP side: JWKS, discovery, token endpoint and `/healthz` at the profile's own paths.
//!
//! Owns the routes, which key set is published, and the log of JWKS fetches. The socket is [`listener`]'s business, what a
//! document says is in [`documents`], what a token request gets is in [`token_endpoint`], and how an issuer fails in
//! [`fault`].

mod documents;
mod fault;
mod fetch_log;
mod listener;
mod parameters;
pub(crate) mod tls_key_server;
mod token_endpoint;
mod url_listener;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use documents::jwk_as_served;
pub use documents::jwks_document;
pub use fault::JwksFault;
pub use fetch_log::{JwksAnswer, JwksFetch};
pub use tls_key_server::{ServerCertificate, TlsKeyServer};
pub(crate) use url_listener::LOOKALIKE_HOST;
pub use url_listener::{ListenerHit, UrlListener};

use crate::jwks_document::JwksDocument;
use crate::key_length::KeyLength;
use crate::minter::{IssuerKeys, MintDefaults, Minter};
use crate::profile::IssuerProfile;
use fetch_log::FetchLog;
use listener::{Hangup, Limits};
use token_endpoint::TokenEndpoint;

/// A connection that is still busy after a shutdown was asked for gets this long, then the listener's task is ended.
/// Every answer here takes milliseconds, except a request body, which is what would hold a shutdown up.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How an issuer is started.
#[derive(Clone, Debug)]
pub struct MockIdpConfig {
    /// What it looks like.
    pub profile: IssuerProfile,
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The exact text of `iss`, for an issuer that is reached under another name. Without it the profile's template
    /// with the listening address.
    pub issuer: Option<String>,
    /// The keys.
    pub keys: IssuerKeys,
    /// What [`MockIdp::minter`] mints by default. Its `jwks_uri` is filled in if empty.
    pub defaults: MintDefaults,
    /// Who may ask the token endpoint.
    pub clients: Vec<Client>,
}

/// A client of the token endpoint.
#[derive(Clone)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
    /// The APIs for which it may have tokens; the first one is meant where a request names none.
    pub audiences: Vec<String>,
    /// The scopes it is granted, all of them where a request names none.
    pub scopes: Vec<String>,
    /// Whether it may use the client credentials grant at all; without it the answer is `unauthorized_client`.
    pub client_credentials: bool,
}

/// Shows everything but the secret.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("id", &self.id)
            .field("audiences", &self.audiences)
            .field("scopes", &self.scopes)
            .field("client_credentials", &self.client_credentials)
            .finish_non_exhaustive()
    }
}

/// Why an issuer cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing listens.
    #[error("issuer cannot listen on {address}: use port 0 or an address that is free")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// Two clients have one id.
    #[error("client id `{0}` is given twice: client ids must differ")]
    DuplicateClient(String),
    /// A client without an audience.
    #[error("client `{0}` has no audience: give it at least one")]
    NoAudience(String),
}

/// A running issuer. Dropping it stops it, too, without waiting.
#[derive(Debug)]
pub struct MockIdp {
    address: SocketAddr,
    base: String,
    site: Arc<Site>,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// What the routes answer from.
#[derive(Debug)]
struct Site {
    issuer: String,
    jwks_uri: String,
    token_endpoint_uri: String,
    jwks_path: String,
    discovery_paths: Vec<String>,
    token_path: String,
    published: RwLock<Published>,
    discovery: Bytes,
    fetches: FetchLog,
    minter: Arc<Minter>,
    tokens: TokenEndpoint,
}

/// What a request for the keys gets now.
#[derive(Clone, Debug)]
struct Published {
    document: JwksDocument,
    text: Bytes,
    fault: Option<JwksFault>,
    cache_control: Option<HeaderValue>,
}

enum Route {
    Discovery,
    Health,
    Jwks,
    OpenRedirect,
    OtherJwks,
    Token,
}

/// Another issuer on the same host, with a key of its own: whom a verifier may be told to trust as well.
const OTHER_ISSUER: &str = "/other-issuer";

/// Where its keys are.
pub(crate) const OTHER_JWKS: &str = "/other-issuer/jwks.json";

/// Leads wherever its query says: what a URL that begins like the issuer's may yet come to (CWE-601).
pub(crate) const OPEN_REDIRECT: &str = "/open-redirect";

/// The same with its query, up to where it leads.
pub(crate) const REDIRECT_TO: &str = "/open-redirect?to=";

impl MockIdp {
    /// Starts the issuer on the current runtime. It answers when this returns.
    pub async fn start(config: MockIdpConfig) -> Result<Self, StartError> {
        check_clients(&config.clients)?;
        let unavailable = |source| StartError::Bind {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        let base = format!("http://{address}");
        let site = Arc::new(Site::new(config, &base));
        // A dropped sender means a dropped issuer, which stops it as well.
        let (stop, stopped) = watch::channel(());
        let answering = Arc::clone(&site);
        let serve = listener::serve(listener, Limits::default(), stopped, move |request| {
            let site = Arc::clone(&answering);
            async move { site.answer(request).await }
        });
        Ok(Self {
            address,
            base,
            site,
            stop,
            task: tokio::spawn(serve),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The exact text of the `iss` claim.
    pub fn issuer(&self) -> &str {
        &self.site.issuer
    }

    /// Where the keys are.
    pub fn jwks_uri(&self) -> &str {
        &self.site.jwks_uri
    }

    /// The `iss` of another issuer on the same host, whose one key is that of 4,096 bits.
    pub fn other_issuer(&self) -> String {
        format!("{}{OTHER_ISSUER}", self.base)
    }

    /// Where the other issuer's key is.
    pub fn other_jwks_uri(&self) -> String {
        format!("{}{OTHER_JWKS}", self.base)
    }

    /// Where tokens are asked for.
    pub fn token_endpoint(&self) -> &str {
        &self.site.token_endpoint_uri
    }

    /// Mints with the issuer's keys, without HTTP.
    pub fn minter(&self) -> Arc<Minter> {
        Arc::clone(&self.site.minter)
    }

    /// Publishes another key set from the next fetch on. A fault that was set goes on.
    pub fn publish(&self, document: JwksDocument) {
        let minter = &self.site.minter;
        let text = Bytes::from(document.render(minter.profile(), minter.keys()).to_string());
        let mut published = self.site.published();
        published.document = document;
        published.text = text;
    }

    /// Fails each fetch of the keys from the next one on; `None` ends it. An answer that is under way ends as it began.
    pub fn fail_jwks(&self, fault: Option<JwksFault>) {
        self.site.published().fault = fault;
    }

    /// Sends this `Cache-Control` (RFC 9111 §5.2) with the keys from the next fetch on; a text that no header can hold is none.
    pub fn cache_keys(&self, cache_control: &str) {
        self.site.published().cache_control = HeaderValue::from_str(cache_control).ok();
    }

    /// The last 4,096 fetches of the JWKS, oldest first.
    pub fn fetches(&self) -> Vec<JwksFetch> {
        self.site.fetches.recent()
    }

    /// How often the JWKS was fetched since the start.
    pub fn fetch_count(&self) -> u64 {
        self.site.fetches.count()
    }

    /// Takes no new connection, lets the requests under way end (2 s at most) and frees the port.
    pub async fn shutdown(self) {
        let Self { stop, mut task, .. } = self;
        stop.send_replace(());
        if tokio::time::timeout(SHUTDOWN_GRACE, &mut task)
            .await
            .is_err()
        {
            task.abort();
        }
    }
}

impl Site {
    fn new(config: MockIdpConfig, base: &str) -> Self {
        let profile = Arc::new(config.profile);
        let issuer = config.issuer.unwrap_or_else(|| profile.issuer(base));
        let jwks_uri = format!("{base}{}", profile.jwks_path());
        let token_endpoint_uri = format!("{base}{}", profile.token_path());
        let mut defaults = config.defaults;
        if defaults.jwks_uri.is_empty() {
            defaults.jwks_uri.clone_from(&jwks_uri);
        }
        let published = RwLock::new(Published {
            document: JwksDocument::Default,
            text: Bytes::from(jwks_document(&profile, &config.keys).to_string()),
            fault: None,
            cache_control: profile.jwks.cache_control.as_deref().map(|value| {
                HeaderValue::from_str(value).expect("the profile was checked for printable ASCII")
            }),
        });
        let discovery = documents::discovery(&profile, &issuer, &jwks_uri, &token_endpoint_uri);
        let minter = Arc::new(Minter::new(
            Arc::clone(&profile),
            issuer.clone(),
            defaults,
            config.keys,
        ));
        Self {
            jwks_uri,
            token_endpoint_uri,
            jwks_path: profile.jwks_path(),
            discovery_paths: profile.discovery_paths(),
            token_path: profile.token_path(),
            published,
            discovery: Bytes::from(discovery.to_string()),
            fetches: FetchLog::default(),
            tokens: TokenEndpoint::new(Arc::clone(&minter), config.clients),
            minter,
            issuer,
        }
    }

    /// For a change. No holder of the lock leaves it half-written, so a poisoned one is still good.
    fn published(&self) -> RwLockWriteGuard<'_, Published> {
        self.published
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Plain comparison instead of a route table: the paths are data, and a table would read some of their characters
    /// as patterns.
    fn route(&self, path: &str) -> Option<Route> {
        if path == self.jwks_path {
            Some(Route::Jwks)
        } else if path == self.token_path {
            Some(Route::Token)
        } else if self.discovery_paths.iter().any(|known| known == path) {
            Some(Route::Discovery)
        } else if path == "/healthz" {
            Some(Route::Health)
        } else if path == OPEN_REDIRECT {
            Some(Route::OpenRedirect)
        } else if path == OTHER_JWKS {
            Some(Route::OtherJwks)
        } else {
            None
        }
    }

    async fn answer(&self, request: Request) -> Result<Response, Hangup> {
        let received = Instant::now();
        let method = request.method();
        let Some(route) = self.route(request.uri().path()) else {
            return Ok(json_response(
                StatusCode::NOT_FOUND,
                Bytes::from_static(br#"{"error":"not_found"}"#),
            ));
        };
        let reads = matches!(*method, Method::GET | Method::HEAD);
        Ok(match route {
            Route::Token if *method == Method::POST => self.tokens.answer(request).await,
            Route::Token => not_allowed("POST"),
            Route::Discovery
            | Route::Health
            | Route::Jwks
            | Route::OpenRedirect
            | Route::OtherJwks
                if !reads =>
            {
                not_allowed("GET, HEAD")
            }
            Route::Discovery => json_response(StatusCode::OK, self.discovery.clone()),
            Route::Health => {
                json_response(StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#))
            }
            Route::Jwks => return self.jwks(received).await,
            Route::OtherJwks => {
                let keys = json!({ "keys": [KeyLength::Bits4096.public_jwk()] });
                json_response(StatusCode::OK, Bytes::from(keys.to_string()))
            }
            Route::OpenRedirect => {
                let query = request.uri().query().unwrap_or_default();
                fault::redirect(query.strip_prefix("to=").unwrap_or("/"))
            }
        })
    }

    async fn jwks(&self, received: Instant) -> Result<Response, Hangup> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(fault) = published.fault {
            // Logged before it is answered: a silent issuer was asked, too.
            let answer = JwksAnswer::Fault(fault.name());
            self.fetches.record(received, fault.status(), answer);
            return fault.answer(published.text).await;
        }
        let mut response = json_response(StatusCode::OK, published.text);
        if let Some(policy) = published.cache_control {
            response.headers_mut().insert(header::CACHE_CONTROL, policy);
        }
        let answer = JwksAnswer::Document(published.document);
        let status = Some(response.status().as_u16());
        self.fetches.record(received, status, answer);
        Ok(response)
    }
}

fn check_clients(clients: &[Client]) -> Result<(), StartError> {
    for (index, client) in clients.iter().enumerate() {
        if clients[..index].iter().any(|other| other.id == client.id) {
            return Err(StartError::DuplicateClient(client.id.clone()));
        }
        if client.audiences.is_empty() {
            return Err(StartError::NoAudience(client.id.clone()));
        }
    }
    Ok(())
}

fn json_response(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// RFC 9110 §15.5.6: the answer names the methods that are allowed.
fn not_allowed(methods: &'static str) -> Response {
    let mut response = json_response(
        StatusCode::METHOD_NOT_ALLOWED,
        Bytes::from_static(br#"{"error":"invalid_request"}"#),
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
