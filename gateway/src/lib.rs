//! An API Gateway and Lambda stand-in for TOKEN authorizers.
//!
//! A REST API on loopback decides as AWS's does ([`decision`], [`policy`], [`PolicyCache`]) and runs its authorizer as
//! processes that speak the Lambda Runtime API ([`Function`]). Points of behaviour that no source settles are
//! [`switches`], not guesses. The crate knows nothing of JWTs: what a token means is the authorizer's business.
//!
//! Deliberately absent: REQUEST, JWT and IAM authorizers, resource policies, usage plans, extensions, `SnapStart`, CPU
//! quotas and the freezing of idle environments.

mod api;
mod child;
pub mod decision;
mod front;
mod function;
mod gateway;
mod log_tail;
mod planets;
pub mod policy;
mod policy_cache;
mod request_id;
mod server;
pub mod switches;

pub use api::{
    ACCOUNT, API_ID, ApiError, DEFAULT_TTL, Integration, MAX_TTL, PLANETS_ARN, REGION, RestApi,
    RouteAuth, RouteMatch, STAGE, ServerLimits, TokenAuthorizer, token_event,
};
pub use child::ChildProcess;
pub use decision::FunctionAnswer;
pub use function::{
    ColdStart, Failure, FailurePhase, Function, FunctionConfig, FunctionCounters, FunctionError,
    Invocation, InvokeError, MAX_ENVIRONMENTS_LIMIT, TIMEOUT_MAX,
};
pub use gateway::{Counters, Gateway, GatewayConfig, GatewayError};
pub use log_tail::{LogLine, LogTail, redacted};
pub use policy_cache::{ENTRIES_MAX, PolicyCache};
pub use switches::Switches;
