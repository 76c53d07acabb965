//! The points of API Gateway's behaviour that no source settles, each a switch with the evidence for its values.
//!
//! Two open points are no switches here. Whether errors of an authorizer are cached: never, as observed in production
//! reports. Whether the name of the identity header is compared with its case over HTTP/2: this server speaks HTTP/1.1,
//! where header names have no case (RFC 9110 section 5.1).

use std::time::Duration;

/// The longest wait for an authorizer. The quota table has none for REST; the ceiling of an integration, 29 s, is
/// assumed (unsettled).
pub const AUTHORIZER_CEILING: Duration = Duration::from_secs(29);

/// How the unsettled points are decided.
#[derive(Debug, Clone)]
pub struct Switches {
    /// Percent-escapes of the path inside the method ARN.
    pub arn_path: ArnPath,
    /// When the gateway stops waiting for the authorizer and answers 500.
    pub authorizer_ceiling: Duration,
    /// Which condition keys a policy can ask about.
    pub condition_keys: ConditionKeys,
    /// The gateway response for an error of the function. `AuthorizerConfigurationException` was observed.
    pub function_error: AuthorizerFault,
    /// The gateway response when the gateway gave up waiting. `AuthorizerFailureException` was observed.
    pub gave_up: AuthorizerFault,
    /// The size of an authorizer's answer.
    pub output_limit: OutputLimit,
    /// What requests with the same token do while the first of them waits for the authorizer.
    pub parallel_misses: ParallelMisses,
    /// An answer without `principalId`.
    pub principal: PrincipalId,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            arn_path: ArnPath::Encoded,
            authorizer_ceiling: AUTHORIZER_CEILING,
            condition_keys: ConditionKeys::Honoured,
            function_error: AuthorizerFault::Configuration,
            gave_up: AuthorizerFault::Failure,
            output_limit: OutputLimit::Off,
            parallel_misses: ParallelMisses::Invoke,
            principal: PrincipalId::Observed,
        }
    }
}

/// Percent-escapes inside the method ARN (unsettled).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArnPath {
    /// `/a%20b` becomes `a b`.
    Decoded,
    /// The path is taken as it was sent.
    Encoded,
}

/// The two gateway responses for an authorizer that gave no answer (names unsettled).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizerFault {
    /// `AUTHORIZER_CONFIGURATION_ERROR`, `AuthorizerConfigurationException`.
    Configuration,
    /// `AUTHORIZER_FAILURE`, `AuthorizerFailureException`.
    Failure,
}

/// Condition keys of an authorizer's policy (only `aws:SourceIp` was observed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionKeys {
    /// `aws:SourceIp`, `aws:CurrentTime`, `aws:EpochTime`, `aws:SecureTransport` and `aws:UserAgent` have values.
    Honoured,
    /// Every key but `aws:SourceIp` is absent.
    SourceIpOnly,
}

/// The limit of 8 KB on an authorizer's answer, documented for WebSocket APIs only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLimit {
    /// Only Lambda's own limit of 6 MB holds.
    Off,
    /// A longer answer is malformed: 500.
    Refuse,
}

/// Parallel requests with one token that is not cached yet (no source says).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParallelMisses {
    /// Each of them invokes the authorizer.
    Invoke,
    /// One invokes it, the others wait for the cached policy.
    Share,
}

/// An answer without `principalId`, which is documented as required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalId {
    /// The policy decides all the same; a clean 403 of such an answer was observed.
    Observed,
    /// The answer is malformed: 500.
    Strict,
}
