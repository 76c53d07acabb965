//! The `jwks_uri` of an issuer, from its metadata.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, StatusCode, Uri};
use hyper::body::Bytes;
use serde::Deserialize;
use thiserror::Error;

use super::{FetchError, client::HttpClient};
use crate::jwks::{snapshot::age, source::Issuer};

/// Why an issuer's metadata name no place for its keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The metadata could not be fetched.
    #[error("the issuer's metadata could not be fetched")]
    Fetch(#[source] Box<FetchError>),
    /// The metadata are those of somebody else (OpenID Connect Discovery 1.0 §4.3, RFC 8414 §3.3).
    #[error(
        "the metadata name another issuer than the configured one; they are compared byte by byte"
    )]
    IssuerMismatch,
    /// Keys may not be fetched from the `jwks_uri`.
    #[error("the jwks_uri of the metadata is not an https URL")]
    KeyUriRefused,
    /// The document is not a JSON object with the texts `issuer` and `jwks_uri`.
    #[error("the metadata are not a JSON object with \"issuer\" and \"jwks_uri\"")]
    NotMetadata(#[source] serde_json::Error),
    /// The status is not 200. A redirect is not followed.
    #[error("the issuer's metadata were answered with status {0}, expected 200")]
    Status(StatusCode),
}

/// Finds the key URI of one issuer, and remembers it.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: Issuer,
    rediscover_after: Duration,
    found: Mutex<Option<Found>>,
}

#[derive(Debug, Clone)]
struct Found {
    uri: Uri,
    at: SystemTime,
}

/// Other members are ignored (RFC 8414 §3.2); a member that is there twice is refused.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Discovery {
    pub(super) fn new(issuer: Issuer, rediscover_after: Duration) -> Discovery {
        Discovery {
            issuer,
            rediscover_after,
            found: Mutex::new(None),
        }
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The key URI, looked up unless that was done lately.
    pub(super) async fn locate(
        &self,
        client: &HttpClient,
        now: SystemTime,
    ) -> Result<Uri, DiscoveryError> {
        if let Some(found) = self.found()
            && age(found.at, now).is_some_and(|age| age < self.rediscover_after)
        {
            return Ok(found.uri);
        }
        let metadata = self.metadata(client).await?;
        let metadata: Metadata =
            serde_json::from_slice(&metadata).map_err(DiscoveryError::NotMetadata)?;
        if metadata.issuer != self.issuer.as_str() {
            return Err(DiscoveryError::IssuerMismatch);
        }
        let uri = self
            .issuer
            .key_uri(&metadata.jwks_uri)
            .ok_or(DiscoveryError::KeyUriRefused)?;
        self.replace(Some(Found {
            uri: uri.clone(),
            at: now,
        }));
        Ok(uri)
    }

    /// The keys could not be had from the URI; the issuer may have moved them.
    pub(super) fn forget(&self) {
        self.replace(None);
    }

    /// The first document that there is. Only an issuer that denies having the one is asked for the other: one that fails
    /// may have it, and a server with accounts of several issuers must not be searched for a document that fits.
    async fn metadata(&self, client: &HttpClient) -> Result<Bytes, DiscoveryError> {
        let [openid, oauth] = &self.issuer.metadata;
        match document(client, openid).await {
            Err(DiscoveryError::Status(status)) if is_denial(status) => {
                document(client, oauth).await
            }
            answer => answer,
        }
    }

    fn found(&self) -> Option<Found> {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn replace(&self, found: Option<Found>) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

/// Object stores answer 403 for a document that is not there.
fn is_denial(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE
    )
}

async fn document(client: &HttpClient, uri: &Uri) -> Result<Bytes, DiscoveryError> {
    let failed = |error| DiscoveryError::Fetch(Box::new(error));
    let answer = client.get(uri, HeaderMap::new()).await.map_err(failed)?;
    if answer.status() != StatusCode::OK {
        return Err(DiscoveryError::Status(answer.status()));
    }
    client.read(answer.into_body()).await.map_err(failed)
}
