//! The way of one request: limits, route, identity, cache, authorizer, policy, back end.
//!
//! Owns the order of these steps and nothing of their rules, which are in `api`, `decision` and `policy`. This is the hot
//! path of every measurement: a cache hit takes one lock, one evaluation of a parsed policy and no compilation.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::api::{Integration, METHOD_ARN_BYTES_MAX, RestApi, RouteAuth, RouteMatch};
use crate::decision::{AuthorizerOutput, Decision, ErrorContext, Refusal, Rule};
use crate::function::Function;
use crate::gateway::Counters;
use crate::planets::Planets;
use crate::policy::RequestContext;
use crate::policy_cache::PolicyCache;
use crate::request_id::RequestId;
use crate::switches::ConditionKeys;

mod authorize;
mod flights;
mod respond;

use authorize::Authorize;
use respond::{Stamp, Trace};

/// Everything that one request passes through.
#[derive(Debug)]
pub(crate) struct Front {
    api: RestApi,
    authorize: Authorize,
    planets: Planets,
    requests: AtomicU64,
}

impl Front {
    pub(crate) fn new(api: RestApi, function: Function) -> Self {
        let authorize = Authorize::new(function, api.authorizer().clone(), api.switches().clone());
        Self {
            api,
            authorize,
            planets: Planets::new(),
            requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn function(&self) -> &Function {
        self.authorize.function()
    }

    pub(crate) fn flush_cache(&self) {
        self.authorize.flush_cache();
    }

    pub(crate) fn set_cache(&self, cache: PolicyCache) {
        self.authorize.set_cache(cache);
    }

    pub(crate) fn counters(&self) -> Counters {
        let function = self.function().counters();
        let [cache_hits, cache_misses, cache_repeats] = self.authorize.cache_counts();
        Counters {
            cache_hits,
            cache_misses,
            cache_repeats,
            cold_starts: function.cold_starts,
            environments_spawned: function.environments_spawned,
            function_errors: function.function_errors,
            invocations: function.invocations,
            requests: self.requests.load(Ordering::Relaxed),
            timeouts: function.timeouts,
        }
    }

    /// Answers one request. There is always an answer, and it always says which rule decided.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        source_ip: IpAddr,
    ) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let stamp = Stamp::new(RequestId::next());
        let (head, body) = request.into_parts();
        let mut trace = Trace::default();
        let outcome = self.pass(&head, body, source_ip, &stamp, &mut trace).await;
        match outcome {
            Ok((rule, status, body)) => stamp.answer(status, body, rule, &trace),
            Err(refusal) => {
                let context = ErrorContext {
                    request_id: stamp.request_id(),
                    stage: self.api.stage(),
                };
                stamp.refuse(
                    &refusal,
                    self.api.responses().render(&refusal, &context),
                    &trace,
                )
            }
        }
    }

    async fn pass(
        &self,
        head: &Parts,
        body: Incoming,
        source_ip: IpAddr,
        stamp: &Stamp,
        trace: &mut Trace,
    ) -> Result<(Rule, http::StatusCode, String), Refusal> {
        self.check_limits(&head.headers)?;
        let (route, arn) = self.find_route(head)?;
        let (rule, authorizer) = match route.auth {
            RouteAuth::None => (Rule::Open, None),
            RouteAuth::Token => {
                let context = self.request_context(&head.headers, source_ip);
                match self
                    .authorize
                    .decide(&head.headers, &arn, &context, trace)
                    .await
                {
                    Decision::Allow { rule, output } => (rule, output),
                    Decision::Refuse(refusal) => return Err(refusal),
                }
            }
        };
        let body = self.read_body(&route, body).await?;
        let authorizer = authorizer
            .as_deref()
            .map(AuthorizerOutput::authorizer_members);
        let request_context = stamp.request_context(self.api.stage(), authorizer, trace);
        let (status, body) = self.planets.answer(&route, &body, &request_context);
        Ok((rule, status, body))
    }

    /// What can be refused before anything is looked up: the quota on headers, and a body that announces its excess.
    fn check_limits(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let limits = self.api.limits();
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if bytes > limits.header_bytes {
            return Err(Refusal::headers_too_large());
        }
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > limits.body_bytes) {
            return Err(Refusal::body_too_large());
        }
        Ok(())
    }

    fn find_route<'a>(&'a self, head: &'a Parts) -> Result<(RouteMatch<'a>, String), Refusal> {
        let path = self.api.path_in_stage(head.uri.path());
        let found =
            path.and_then(|path| Some((path, self.api.find_route(head.method.as_str(), path)?)));
        let Some((path, route)) = found else {
            let authorization = head
                .headers
                .get(header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok());
            return Err(Refusal::no_route(authorization));
        };
        let arn = self.api.method_arn(head.method.as_str(), path);
        if arn.len() > METHOD_ARN_BYTES_MAX {
            return Err(Refusal::arn_too_long());
        }
        Ok((route, arn))
    }

    /// What a policy's conditions can ask about. API Gateway has no plain-text endpoint, so a policy that wants a secure
    /// transport has it here as well.
    fn request_context<'a>(&self, headers: &'a HeaderMap, source_ip: IpAddr) -> RequestContext<'a> {
        let source_ip = Some(source_ip);
        if self.api.switches().condition_keys == ConditionKeys::SourceIpOnly {
            return RequestContext {
                source_ip,
                ..RequestContext::default()
            };
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        RequestContext {
            now: now.and_then(|now| i64::try_from(now.as_secs()).ok()),
            secure_transport: Some(true),
            source_ip,
            user_agent: headers
                .get(header::USER_AGENT)
                .and_then(|value| value.to_str().ok()),
        }
    }

    /// The body, where the back end wants one. It is read after the decision, so that a caller who is refused cannot make
    /// the gateway hold 10 MB.
    async fn read_body(&self, route: &RouteMatch<'_>, body: Incoming) -> Result<Bytes, Refusal> {
        if route.integration != Integration::CreatePlanet {
            return Ok(Bytes::new());
        }
        let limits = self.api.limits();
        let read = Limited::new(body, limits.body_bytes).collect();
        match tokio::time::timeout(limits.body_deadline, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::body_too_large()),
            // A body that broke off has nobody left to hear the answer.
            Ok(Err(_)) | Err(_) => Err(Refusal::body_timeout()),
        }
    }
}
