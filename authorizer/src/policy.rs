//! The policy of an answer: what the bearer of a token may call.
//!
//! A policy never names the one method that was called. API Gateway caches the answer under the token and evaluates it
//! again for every request with that token, whatever its route: an Allow for the one `methodArn` would answer every
//! *other* route with 403 until the cache entry expires, up to an hour later. So it names the whole stage,
//! `…/{stage}/*/*`, where what a token may do does not depend on the route, and else all routes of a [`RouteTable`] that
//! the token may call.

mod answer;
mod compile;
mod instant;
mod json;
mod pattern;
mod request_path;
mod route;
mod route_fault;
mod route_order;
mod route_path;
mod route_table;
mod routing;
mod scope_rule;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use {
    answer::{Answer, AnswerError, AnswerTooLong, AuthorizerAnswer, ContextValue, SimpleAnswer},
    route::{RawRoute, Route},
    route_fault::RouteFault,
    route_table::{RawRouteTable, RouteTable, RouteTableError},
};

pub(crate) use answer::{is_api_key, is_context_key};
use compile::Resources;
use route_table::{RESOURCE_BYTES_MAX, policy_bytes};

use crate::{MethodArn, VerifiedToken};

/// An IAM policy about a stage of an API.
///
/// It names resources under Allow and under Deny; there is no effect by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    allow: Option<Resource>,
    deny: Option<Resource>,
    /// When the Allow ends, in seconds since the epoch.
    allow_ends_at: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Resource {
    Many(Vec<String>),
    One(String),
}

/// A policy would be longer than it may be. The table left room for a shorter stage name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the policy for this stage would be longer than API Gateway or the table's budget allows")]
pub struct PolicyTooLong;

impl PolicyDocument {
    /// Allows the bearer of a verified token to call every method of the stage.
    ///
    /// This and [`PolicyDocument::allow_routes`] are the only ways to an Allow, and both need that proof.
    pub fn allow(_proof: &VerifiedToken, method_arn: &MethodArn<'_>) -> PolicyDocument {
        PolicyDocument {
            allow: Some(Resource::One(method_arn.stage_resource())),
            deny: None,
            allow_ends_at: None,
        }
    }

    /// Allows the bearer of a verified token to call the routes whose scopes the token has, and no other route of the
    /// table. The policy is the same whichever method was called, so it may be cached for all of them.
    ///
    /// If there is no such route, the whole stage is denied explicitly.
    pub fn allow_routes(
        token: &VerifiedToken,
        method_arn: &MethodArn<'_>,
        table: &RouteTable,
    ) -> Result<PolicyDocument, PolicyTooLong> {
        PolicyDocument::of_resources(table.select(token), method_arn, table.policy_bytes_max())
    }

    /// Denies every method of the stage, explicitly.
    pub fn deny(method_arn: &MethodArn<'_>) -> PolicyDocument {
        PolicyDocument {
            allow: None,
            deny: Some(Resource::One(method_arn.stage_resource())),
            allow_ends_at: None,
        }
    }

    /// Lets the Allow end when the token is no longer accepted: `DateLessThan` on `aws:CurrentTime`. Without it a cached
    /// policy outlives its token by up to the cache's time to live. A Deny needs no end.
    ///
    /// That API Gateway honours the key in an authorizer's policy follows from its use in resource policies; check it on
    /// your account before you rely on it. Where a key is unknown the Allow does not apply, and everything is refused.
    #[must_use]
    pub fn ending_with(mut self, token: &VerifiedToken) -> PolicyDocument {
        self.allow_ends_at = Some(token.accepted_until());
        self
    }

    /// Whether it names the stage or a single route, which has at most 512 bytes.
    fn has_one_resource(&self) -> bool {
        let one = |resource: &Option<Resource>| matches!(resource, None | Some(Resource::One(_)));
        one(&self.allow) && one(&self.deny)
    }

    fn has_allow(&self) -> bool {
        self.allow.is_some()
    }

    fn of_resources(
        [allowed, denied]: [Resources; 2],
        method_arn: &MethodArn<'_>,
        bytes_max: usize,
    ) -> Result<PolicyDocument, PolicyTooLong> {
        if allowed.is_empty() {
            return Ok(PolicyDocument::deny(method_arn));
        }
        let prefix = method_arn.stage_prefix();
        let [allowed, denied] = [allowed, denied].map(|patterns| {
            let resources = patterns.iter();
            let resources = resources.map(|pattern| [prefix, &pattern::text(pattern)].concat());
            resources.collect::<Vec<String>>()
        });
        let mut all = allowed.iter().chain(&denied);
        if policy_bytes(all.clone()) > bytes_max
            || all.any(|resource| resource.len() > RESOURCE_BYTES_MAX)
        {
            return Err(PolicyTooLong);
        }
        Ok(PolicyDocument {
            allow: Resource::of(allowed),
            deny: Resource::of(denied),
            allow_ends_at: None,
        })
    }
}

impl Resource {
    /// `None` for no resources.
    fn of(mut resources: Vec<String>) -> Option<Resource> {
        if resources.len() > 1 {
            return Some(Resource::Many(resources));
        }
        resources.pop().map(Resource::One)
    }
}
