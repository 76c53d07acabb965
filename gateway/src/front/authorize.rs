//! Identity, cache, authorizer, policy: steps of the order of evaluation from the route's authorizer on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::HeaderMap;

use super::flights::Flights;
use super::respond::{CacheUse, EnvironmentUse, Trace};
use crate::api::{Identity, TokenAuthorizer, as_text, token_event};
use crate::decision::{AuthorizerOutput, Decision, Refusal, judge, read_answer};
use crate::function::{Failure, FailurePhase, Function};
use crate::policy::RequestContext;
use crate::policy_cache::PolicyCache;
use crate::switches::{ParallelMisses, Switches};

/// The authorizer with its function and its cache.
#[derive(Debug)]
pub(super) struct Authorize {
    function: Function,
    authorizer: TokenAuthorizer,
    switches: Switches,
    cache: Mutex<PolicyCache>,
    /// Whether the cache keeps anything; here, so that a request of an API without one takes no lock.
    caches: AtomicBool,
    flights: Flights,
    hits: AtomicU64,
    misses: AtomicU64,
    repeats: AtomicU64,
}

impl Authorize {
    pub(super) fn new(function: Function, authorizer: TokenAuthorizer, switches: Switches) -> Self {
        let cache = PolicyCache::new(authorizer.ttl());
        Self {
            function,
            authorizer,
            switches,
            caches: AtomicBool::new(cache.is_on()),
            cache: Mutex::new(cache),
            flights: Flights::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
        }
    }

    pub(super) fn function(&self) -> &Function {
        &self.function
    }

    pub(super) fn flush_cache(&self) {
        self.cache().clear();
    }

    /// Begins with an empty cache.
    pub(super) fn set_cache(&self, cache: PolicyCache) {
        self.caches.store(cache.is_on(), Ordering::Relaxed);
        *self.cache() = cache;
    }

    /// Hits, misses, and misses that asked for what was being asked for already, so far.
    pub(super) fn cache_counts(&self) -> [u64; 3] {
        [&self.hits, &self.misses, &self.repeats].map(|count| count.load(Ordering::Relaxed))
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, PolicyCache> {
        self.cache.lock().expect("no holder of this lock panics")
    }

    /// Decides on a request of a protected route.
    pub(super) async fn decide(
        &self,
        headers: &HeaderMap,
        method_arn: &str,
        context: &RequestContext<'_>,
        trace: &mut Trace,
    ) -> Decision {
        let token = match self.authorizer.identify(headers) {
            Identity::Mismatch => return Decision::Refuse(Refusal::identity_mismatch()),
            Identity::Missing => return Decision::Refuse(Refusal::identity_missing()),
            Identity::Token(token) => token,
        };
        let output = if !self.caches.load(Ordering::Relaxed) {
            trace.cache = CacheUse::Off;
            self.ask(token, method_arn, trace).await
        } else if let Some(cached) = self.cached(token) {
            trace.cache = CacheUse::Hit;
            self.hits.fetch_add(1, Ordering::Relaxed);
            Ok(cached)
        } else {
            self.fill(token, method_arn, trace).await
        };
        match output {
            Ok(output) => judge(&output, method_arn, context),
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    fn cached(&self, token: &[u8]) -> Option<Arc<AuthorizerOutput>> {
        self.cache().get(token, Instant::now())
    }

    /// A miss: what the authorizer says is kept, if it is an output at all.
    async fn fill(
        &self,
        token: &[u8],
        method_arn: &str,
        trace: &mut Trace,
    ) -> Result<Arc<AuthorizerOutput>, Refusal> {
        let _flight = match self.switches.parallel_misses {
            ParallelMisses::Invoke => None,
            ParallelMisses::Share => {
                let flight = self.flights.board(token).await;
                if let Some(cached) = self.cached(token) {
                    trace.cache = CacheUse::Hit;
                    self.hits.fetch_add(1, Ordering::Relaxed);
                    return Ok(cached);
                }
                Some(flight)
            }
        };
        trace.cache = CacheUse::Miss;
        self.misses.fetch_add(1, Ordering::Relaxed);
        let output = self.ask(token, method_arn, trace).await?;
        let repeated = self.cache().put(token, Arc::clone(&output), Instant::now());
        self.repeats
            .fetch_add(u64::from(repeated), Ordering::Relaxed);
        Ok(output)
    }

    /// Invokes the authorizer and reads its answer.
    async fn ask(
        &self,
        token: &[u8],
        method_arn: &str,
        trace: &mut Trace,
    ) -> Result<Arc<AuthorizerOutput>, Refusal> {
        let event = token_event(&as_text(token), method_arn);
        let invoked = tokio::time::timeout(
            self.switches.authorizer_ceiling,
            self.function.invoke(event),
        )
        .await;
        let invocation = match invoked {
            Ok(Ok(invocation)) => invocation,
            // Both the ceiling and an invocation that never got an environment are the gateway giving up.
            Ok(Err(_)) => return Err(Refusal::function_error(self.switches.gave_up)),
            Err(_) => {
                let ceiling = self.switches.authorizer_ceiling;
                let message = format!("no answer within {ceiling:?}");
                self.function
                    .note(Failure::new(FailurePhase::Wait, &message));
                return Err(Refusal::function_error(self.switches.gave_up));
            }
        };
        if !invocation.init_failed() {
            trace.environment = match invocation.cold_start() {
                Some(_) => EnvironmentUse::Cold,
                None => EnvironmentUse::Warm,
            };
            trace.authorizer = Some(invocation.answered() - invocation.dispatched());
        }
        let output = read_answer(invocation.answer(), &self.switches);
        if let Some(detail) = output.as_ref().err().and_then(Refusal::detail) {
            self.function
                .note(Failure::new(FailurePhase::Answer, detail));
        }
        output.map(Arc::new)
    }
}
