//! One bounded GET: no redirect, no kept connection, no more bytes than allowed.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderValue, Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use thiserror::Error;

use super::FetchError;
use crate::jwks::limits::KeySettings;

/// The TLS side of an `https` key source could not be set up. A fault of the build, not of a setting.
#[derive(Debug, Error)]
#[error("the TLS client for the JWKS endpoint could not be set up")]
pub struct TlsSetupError(#[source] rustls::Error);

/// Asks an issuer.
///
/// The TLS client is made only for `https`: reading the root certificates costs a cold start milliseconds that a loopback
/// issuer has no use for.
#[derive(Debug)]
pub(super) struct HttpClient {
    plain: Client<HttpConnector, Empty<Bytes>>,
    tls: OnceLock<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
    connector: HttpConnector,
    max_body_bytes: usize,
}

impl HttpClient {
    /// A client that is ready to ask `first`.
    pub(super) fn new(first: &Uri, settings: &KeySettings) -> Result<HttpClient, TlsSetupError> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.connect_timeout));
        connector.set_nodelay(true);
        let client = HttpClient {
            plain: builder().build(connector.clone()),
            tls: OnceLock::new(),
            connector,
            max_body_bytes: settings.max_body_bytes,
        };
        if is_https(first) {
            client.tls()?;
        }
        Ok(client)
    }

    /// The head of the answer, whatever its status. A redirect is an answer like another: it is not followed.
    pub(super) async fn get(
        &self,
        uri: &Uri,
        conditions: HeaderMap,
    ) -> Result<Response<Incoming>, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = conditions;
        request.headers_mut().insert(
            header::ACCEPT,
            HeaderValue::from_static("application/json, application/jwk-set+json"),
        );
        let answer = if is_https(uri) {
            self.tls().map_err(FetchError::Tls)?.request(request).await
        } else {
            self.plain.request(request).await
        };
        answer.map_err(FetchError::Exchange)
    }

    /// The body, counted while it is read: a length that the answer states proves nothing.
    pub(super) async fn read(&self, body: Incoming) -> Result<Bytes, FetchError> {
        let body = Limited::new(body, self.max_body_bytes).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                FetchError::TooLarge(self.max_body_bytes)
            } else {
                FetchError::Body(error)
            }
        })?;
        Ok(body.to_bytes())
    }

    fn tls(&self) -> Result<&Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, TlsSetupError> {
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let client = builder().build(tls_connector(self.connector.clone())?);
        Ok(self.tls.get_or_init(|| client))
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

/// No idle connection is kept: the next fetch is minutes away, and a connection does not survive a frozen sandbox.
fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(0);
    builder
}

/// The root certificates are compiled in: nothing is read from disk at a cold start. The provider is named, because the
/// default of a process with two of them is a panic.
fn tls_connector(
    mut connector: HttpConnector,
) -> Result<HttpsConnector<HttpConnector>, TlsSetupError> {
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
        .map_err(TlsSetupError)?;
    Ok(builder
        .https_only()
        .enable_http1()
        .wrap_connector(connector))
}
