//! The headers of every answer: AWS's ids, and the stand-in's own account of how it decided.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::decision::{Refusal, RenderedResponse, Rule};
use crate::request_id::RequestId;

const AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const STANDIN_AUTHORIZER_US: HeaderName = HeaderName::from_static("x-standin-authorizer-us");
const STANDIN_CACHE: HeaderName = HeaderName::from_static("x-standin-cache");
const STANDIN_DECISION: HeaderName = HeaderName::from_static("x-standin-decision");
const STANDIN_ENVIRONMENT: HeaderName = HeaderName::from_static("x-standin-environment");

/// Headers of an answer: at most the seven above, the content type, and what hyper adds.
const HEADERS: usize = 10;

/// How a decision came about.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) cache: CacheUse,
    pub(super) environment: EnvironmentUse,
    /// From the dispatch of the event to its answer.
    pub(super) authorizer: Option<Duration>,
}

/// What the policy cache had to do with it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum CacheUse {
    Hit,
    Miss,
    /// It was not asked: the request had no identity, or the route has no authorizer.
    #[default]
    NotAsked,
    /// The time to live is zero.
    Off,
}

/// Which kind of environment answered; none where INIT failed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum EnvironmentUse {
    Cold,
    #[default]
    None,
    Warm,
}

/// The ids of one request.
#[derive(Debug)]
pub(super) struct Stamp {
    id: RequestId,
    request_id: String,
}

impl Stamp {
    pub(super) fn new(id: RequestId) -> Self {
        Self {
            id,
            request_id: id.uuid(),
        }
    }

    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// `requestContext` as the back end sees it. `integrationLatency` is what the authorizer took, in milliseconds.
    pub(super) fn request_context(
        &self,
        stage: &str,
        authorizer: Option<&str>,
        trace: &Trace,
    ) -> String {
        let mut text = format!(
            "{{\"stage\":\"{stage}\",\"requestId\":\"{}\"",
            self.request_id
        );
        if let Some(members) = authorizer {
            let comma = if members.is_empty() { "" } else { "," };
            let latency_ms = trace.authorizer.unwrap_or_default().as_millis();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                ",\"authorizer\":{{{members}{comma}\"integrationLatency\":{latency_ms}}}"
            );
        }
        text.push('}');
        text
    }

    /// The back end's answer.
    pub(super) fn answer(
        &self,
        status: StatusCode,
        body: String,
        rule: Rule,
        trace: &Trace,
    ) -> Response<Full<Bytes>> {
        self.response(status, Bytes::from(body), rule, trace)
    }

    /// The gateway's own answer.
    pub(super) fn refuse(
        &self,
        refusal: &Refusal,
        rendered: RenderedResponse,
        trace: &Trace,
    ) -> Response<Full<Bytes>> {
        let mut response = self.response(rendered.status, rendered.body, refusal.rule(), trace);
        response.headers_mut().insert(
            AMZN_ERROR_TYPE,
            HeaderValue::from_static(refusal.error_type()),
        );
        for (name, value) in rendered.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn response(
        &self,
        status: StatusCode,
        body: Bytes,
        rule: Rule,
        trace: &Trace,
    ) -> Response<Full<Bytes>> {
        let ascii = |text: &str| HeaderValue::from_str(text).expect("ids are ASCII");
        let cache = match trace.cache {
            CacheUse::Hit => "hit",
            CacheUse::Miss => "miss",
            CacheUse::NotAsked => "none",
            CacheUse::Off => "off",
        };
        let environment = match trace.environment {
            EnvironmentUse::Cold => "cold",
            EnvironmentUse::None => "none",
            EnvironmentUse::Warm => "warm",
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(AMZN_REQUEST_ID, ascii(&self.request_id));
        headers.insert(APIGW_ID, ascii(&self.id.extended()));
        headers.insert(STANDIN_DECISION, HeaderValue::from_static(rule.id()));
        headers.insert(STANDIN_CACHE, HeaderValue::from_static(cache));
        headers.insert(STANDIN_ENVIRONMENT, HeaderValue::from_static(environment));
        if let Some(authorizer) = trace.authorizer {
            headers.insert(
                STANDIN_AUTHORIZER_US,
                HeaderValue::from(u64::try_from(authorizer.as_micros()).unwrap_or(u64::MAX)),
            );
        }
        response
    }
}
