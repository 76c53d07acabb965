//! One fetch of a JWK Set over HTTP(S): bounded in size, conditional where it can be, without redirects.
//!
//! Owns the judgement of the answer. When to fetch, and for how long at most, is the cache's decision.

mod client;
mod discovery;
mod validators;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use thiserror::Error;

pub use client::TlsSetupError;
pub use discovery::DiscoveryError;
pub(super) use validators::Validators;

use self::{client::HttpClient, discovery::Discovery};
use super::{
    JwkSet, JwkSetError,
    fingerprint::Fingerprint,
    freshness,
    limits::KeySettings,
    snapshot::{Lifetime, Snapshot, age},
    source::Issuer,
};
use crate::Algorithms;

/// Why a fetch brought no usable key set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The body broke off.
    #[error("the issuer's answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The fetch took longer than its deadline.
    #[error("no complete answer of the issuer within {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The issuer's metadata do not say where the keys are.
    #[error("the JWKS endpoint could not be discovered")]
    Discovery(#[source] DiscoveryError),
    /// No connection, or no HTTP answer on it.
    #[error("the issuer could not be reached")]
    Exchange(#[source] legacy::Error),
    /// The document is no usable key set.
    #[error("the JWKS document cannot be used")]
    KeySet(#[source] JwkSetError),
    /// The status is not 200. A redirect is not followed: the URL of the keys comes from the settings or the issuer's
    /// metadata, and from nowhere else.
    #[error("the JWKS endpoint answered with status {0}, expected 200")]
    Status(StatusCode),
    /// The TLS client could not be set up.
    #[error(transparent)]
    Tls(TlsSetupError),
    /// The document is larger than the bound.
    #[error("the document has more than {0} bytes")]
    TooLarge(usize),
}

/// How a fetch is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The issuer may answer that nothing changed.
    Conditional,
    /// The issuer has to send the document: something says that the present one is not the right one.
    Full,
}

/// The set after a fetch.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) snapshot: Snapshot,
    pub(super) not_modified: bool,
}

/// Fetches the key set of one issuer.
#[derive(Debug)]
pub(super) struct JwksFetcher {
    location: Location,
    client: HttpClient,
    algorithms: Algorithms,
    settings: KeySettings,
}

#[derive(Debug)]
enum Location {
    Discovered(Box<Discovery>),
    Fixed(Uri),
}

impl JwksFetcher {
    pub(super) fn from_uri(
        uri: Uri,
        algorithms: &Algorithms,
        settings: &KeySettings,
    ) -> Result<JwksFetcher, TlsSetupError> {
        Ok(JwksFetcher {
            algorithms: algorithms.clone(),
            client: HttpClient::new(&uri, settings)?,
            location: Location::Fixed(uri),
            settings: *settings,
        })
    }

    pub(super) fn from_issuer(
        issuer: Issuer,
        algorithms: &Algorithms,
        settings: &KeySettings,
    ) -> Result<JwksFetcher, TlsSetupError> {
        let discovery = Discovery::new(issuer, settings.rediscover_after);
        Ok(JwksFetcher {
            algorithms: algorithms.clone(),
            client: HttpClient::new(&discovery.issuer().metadata[0], settings)?,
            location: Location::Discovered(Box::new(discovery)),
            settings: *settings,
        })
    }

    /// The set that follows `previous`, from a fetch that starts at `now`. The caller bounds the time.
    pub(super) async fn fetch(
        &self,
        previous: Option<&Snapshot>,
        mode: Mode,
        now: SystemTime,
    ) -> Result<Fetched, FetchError> {
        match &self.location {
            Location::Fixed(uri) => self.fetch_from(uri, previous, mode, now).await,
            Location::Discovered(discovery) => {
                let uri = discovery
                    .locate(&self.client, now)
                    .await
                    .map_err(FetchError::Discovery)?;
                let fetched = self.fetch_from(&uri, previous, mode, now).await;
                if fetched.is_err() {
                    discovery.forget();
                }
                fetched
            }
        }
    }

    /// The fetch did not end in its time.
    pub(super) fn timed_out(&self) -> FetchError {
        if let Location::Discovered(discovery) = &self.location {
            discovery.forget();
        }
        FetchError::Deadline(self.settings.deadline)
    }

    async fn fetch_from(
        &self,
        uri: &Uri,
        previous: Option<&Snapshot>,
        mode: Mode,
        now: SystemTime,
    ) -> Result<Fetched, FetchError> {
        let conditions = match previous {
            Some(previous) if mode == Mode::Conditional && self.trusts_renewals(previous, now) => {
                previous.validators.conditions(uri)
            }
            _ => HeaderMap::new(),
        };
        let is_conditional = !conditions.is_empty();
        let answer = self.client.get(uri, conditions).await?;
        match (answer.status(), previous) {
            (StatusCode::OK, _) => self.replaced(uri, previous, answer, now).await,
            (StatusCode::NOT_MODIFIED, Some(previous)) if is_conditional => Ok(Fetched {
                snapshot: self.renewed(previous, answer.headers(), now),
                not_modified: true,
            }),
            (status, _) => Err(FetchError::Status(status)),
        }
    }

    /// Whether another 304 is good enough. `Last-Modified` counts whole seconds, and an `ETag` is as good as the server that
    /// makes it: a wrong 304 must not keep a withdrawn key for ever, so the document is read again once in the upper bound
    /// of the maximum age. A document has a few kilobytes.
    fn trusts_renewals(&self, previous: &Snapshot, now: SystemTime) -> bool {
        previous
            .lifetime
            .and_then(|lifetime| age(lifetime.document_at, now))
            .is_some_and(|age| age < self.settings.max_max_age)
    }

    /// The set of a new document. Where its keys are those that we have, they are kept, parsed as they are.
    async fn replaced(
        &self,
        uri: &Uri,
        previous: Option<&Snapshot>,
        answer: Response<Incoming>,
        now: SystemTime,
    ) -> Result<Fetched, FetchError> {
        let default = self.settings.default_max_age;
        let max_age = freshness::max_age(answer.headers(), &self.settings, default);
        let validators = Validators::of(answer.headers(), uri);
        let body = self.client.read(answer.into_body()).await?;
        let fingerprint = Fingerprint::of(&body);
        let (keys, generation) = match previous {
            Some(previous) if fingerprint.is_some() && previous.fingerprint == fingerprint => {
                (Arc::clone(&previous.keys), previous.generation)
            }
            _ => {
                let keys =
                    JwkSet::parse_for(&body, &self.algorithms).map_err(FetchError::KeySet)?;
                let generation = previous.map_or(0, |previous| previous.generation);
                (Arc::new(keys), generation + 1)
            }
        };
        Ok(Fetched {
            snapshot: Snapshot {
                keys,
                generation,
                fingerprint,
                validators,
                lifetime: Some(Lifetime {
                    document_at: now,
                    fetched_at: now,
                    max_age,
                }),
            },
            not_modified: false,
        })
    }

    /// The same set, fresh again. What the answer says about age and validators replaces what the document said
    /// (RFC 9111 §4.3.4); what it does not say stays.
    fn renewed(&self, previous: &Snapshot, headers: &HeaderMap, now: SystemTime) -> Snapshot {
        let lifetime = previous.lifetime.map(|lifetime| Lifetime {
            fetched_at: now,
            max_age: freshness::max_age(headers, &self.settings, lifetime.max_age),
            ..lifetime
        });
        Snapshot {
            keys: Arc::clone(&previous.keys),
            generation: previous.generation,
            fingerprint: previous.fingerprint,
            validators: previous.validators.updated(headers),
            lifetime,
        }
    }
}
