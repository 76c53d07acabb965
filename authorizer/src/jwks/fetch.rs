//! One fetch of a JWK Set over HTTP(S): bounded in time and size, without redirects.
//!
//! Owns the connection and the judgement of the answer. When to fetch is the cache's decision.

use std::time::Duration;

use http::{StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use thiserror::Error;

use super::{JwkSet, JwkSetError, freshness};

/// Time for the TCP connection: a third of the whole, so that a black-holed address is noticed early.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Time for the whole fetch, from name resolution to the last byte: what API Gateway's own JWT authorizer for HTTP APIs
/// grants, and well below the 10 s after which API Gateway gives up on an authorizer.
const DEADLINE: Duration = Duration::from_millis(1_500);

/// Largest document that is read, enforced while reading: what API Gateway's own JWT authorizer for HTTP APIs takes.
const MAX_BODY_BYTES: usize = 150_000;

/// Why a fetch brought no usable key set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The body broke off.
    #[error("the JWKS answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The fetch took longer than its deadline.
    #[error("no complete JWKS answer within {} ms", DEADLINE.as_millis())]
    Deadline,
    /// No connection, or no HTTP answer on it.
    #[error("the JWKS endpoint could not be reached")]
    Exchange(#[source] legacy::Error),
    /// The document is no usable key set.
    #[error("the JWKS document cannot be used")]
    KeySet(#[source] JwkSetError),
    /// The status is not 200. A redirect is not followed: the URL of the keys comes from the settings and from nowhere
    /// else.
    #[error("the JWKS endpoint answered with status {0}, expected 200")]
    Status(StatusCode),
    /// The document is larger than the bound.
    #[error("the JWKS document has more than {MAX_BODY_BYTES} bytes")]
    TooLarge,
}

/// The TLS side of an `https` key source could not be set up. A fault of the build, not of a setting.
#[derive(Debug, Error)]
#[error("the TLS client for the JWKS endpoint could not be set up")]
pub struct TlsSetupError(#[source] rustls::Error);

/// A key set as it came from the issuer.
pub(super) struct Fetched {
    pub(super) keys: JwkSet,
    pub(super) max_age: Duration,
}

/// Fetches the key set of one issuer.
#[derive(Debug)]
pub(super) struct JwksFetcher {
    uri: Uri,
    client: HttpClient,
}

/// The TLS client is made only for `https`: reading the root certificates costs a cold start milliseconds that a loopback
/// issuer has no use for.
#[derive(Debug)]
enum HttpClient {
    Plain(Client<HttpConnector, Empty<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>),
}

impl JwksFetcher {
    pub(super) fn new(uri: Uri) -> Result<JwksFetcher, TlsSetupError> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        // No idle connection is kept: the next fetch is minutes away, and a connection does not survive a frozen sandbox.
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let client = if uri.scheme() == Some(&http::uri::Scheme::HTTPS) {
            connector.enforce_http(false);
            HttpClient::Tls(builder.build(tls_connector(connector)?))
        } else {
            HttpClient::Plain(builder.build(connector))
        };
        Ok(JwksFetcher { uri, client })
    }

    pub(super) async fn fetch(&self) -> Result<Fetched, FetchError> {
        tokio::time::timeout(DEADLINE, self.exchange())
            .await
            .map_err(|_| FetchError::Deadline)?
    }

    async fn exchange(&self) -> Result<Fetched, FetchError> {
        let mut request = http::Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(
            header::ACCEPT,
            header::HeaderValue::from_static("application/json, application/jwk-set+json"),
        );
        let answer = match &self.client {
            HttpClient::Plain(client) => client.request(request).await,
            HttpClient::Tls(client) => client.request(request).await,
        };
        let answer = answer.map_err(FetchError::Exchange)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let max_age = freshness::max_age(answer.headers());
        let body = Limited::new(answer.into_body(), MAX_BODY_BYTES)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    FetchError::TooLarge
                } else {
                    FetchError::Body(error)
                }
            })?
            .to_bytes();
        let keys = JwkSet::parse(&body).map_err(FetchError::KeySet)?;
        Ok(Fetched { keys, max_age })
    }
}

/// The root certificates are compiled in: nothing is read from disk at a cold start. The provider is named, because the
/// default of a process with two of them is a panic.
fn tls_connector(connector: HttpConnector) -> Result<HttpsConnector<HttpConnector>, TlsSetupError> {
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
        .map_err(TlsSetupError)?;
    Ok(builder
        .https_only()
        .enable_http1()
        .wrap_connector(connector))
}
