//! The issuer's key set, fetched when it is needed: kept for a time, and asked for again for an unknown `kid`, at most once in a
//! while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::Settings;
use crate::resource::Refusal;

/// Between two fetches: a new key is found within it, and a flood of unknown kids costs no more.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// For a whole fetch: a request waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest key set that is read.
const BODY_LIMIT: usize = 1024 * 1024;

/// Keys by their `kid`, as a verifier takes them.
pub type ByKid<K> = HashMap<String, Arc<K>>;

/// The keys of one issuer.
pub struct Keys<K> {
    client: reqwest::Client,
    uri: String,
    max_age: Duration,
    parse: fn(&[u8]) -> Option<ByKid<K>>,
    /// Held over a fetch, so that all who wait share it.
    known: Mutex<Known<K>>,
}

struct Known<K> {
    keys: ByKid<K>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl<K> Known<K> {
    /// The set, as long as it is young enough.
    fn fresh(&self, max_age: Duration) -> Option<&ByKid<K>> {
        let fetched = self.fetched?;
        (fetched.elapsed() < max_age).then_some(&self.keys)
    }
}

impl<K> Keys<K> {
    pub fn new(
        settings: &Settings,
        parse: fn(&[u8]) -> Option<ByKid<K>>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: reqwest::Client::builder()
                .timeout(FETCH_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            uri: settings.jwks_uri.clone(),
            max_age: settings.keys_max_age,
            parse,
            known: Mutex::new(Known {
                keys: HashMap::new(),
                fetched: None,
                tried: None,
            }),
        })
    }

    /// The key of that id.
    pub async fn get(&self, kid: &str) -> Result<Arc<K>, Refusal> {
        let mut known = self.known.lock().await;
        if let Some(key) = known.fresh(self.max_age).and_then(|keys| keys.get(kid)) {
            return Ok(Arc::clone(key));
        }
        if known.tried.is_none_or(|tried| tried.elapsed() >= COOL_DOWN) {
            known.tried = Some(Instant::now());
            if let Some(keys) = self.fetch().await {
                known.keys = keys;
                known.fetched = known.tried;
            }
        }
        match known.fresh(self.max_age) {
            Some(keys) => keys.get(kid).cloned().ok_or(Refusal::Unauthorized),
            None => Err(Refusal::KeysUnavailable),
        }
    }

    async fn fetch(&self) -> Option<ByKid<K>> {
        let mut response = self.client.get(&self.uri).send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return None;
            }
        }
        (self.parse)(&body)
    }
}
