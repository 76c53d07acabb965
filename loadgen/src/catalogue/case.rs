//! A conformance case as data: one question, the rule behind it, what to mint and how to send it.

use std::time::Duration;

use mock_idp::{JwksDocument, Recipe};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use toml::Spanned;

use super::policy_question::PolicyQuestion;
use super::sequence::RawSequence;
use crate::target::{CaseEvent, CaseRequest, RequestShape};
use crate::units::DurationText;

/// The longest `within`: what a client waits for an answer of a server at most.
const WITHIN_MAX: Duration = Duration::from_secs(10);

/// One file of cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The group's short name, such as `time`.
    pub group: String,
    /// The group's title in reports, such as `Time`.
    pub title: String,
    /// The cases, with the places where they stand.
    #[serde(rename = "case", default)]
    pub cases: Vec<Spanned<Case>>,
    /// The sequences, with theirs.
    #[serde(rename = "sequence", default)]
    pub(super) sequences: Vec<Spanned<RawSequence>>,
}

/// One conformance question.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Stable id, derived from the rule and never ordinal: `<source>::<what>`.
    pub id: String,
    /// The title of the case's group, taken from the file.
    #[serde(skip)]
    pub group: String,
    /// The file that it was read from, as messages call it.
    #[serde(skip)]
    pub file: String,
    /// The line of its table in the file, counted from 1.
    #[serde(skip)]
    pub line: usize,
    /// The case in a short sentence.
    pub title: String,
    /// The rule, such as `RFC 7519 §4.1.4`.
    pub clause: String,
    /// How strongly the rule binds.
    pub level: Level,
    /// What a wrong answer is worth to an attacker.
    pub severity: Severity,
    /// The decision that the rule asks for.
    pub expect: Expectation,
    /// Whether a deviation is a failure or only reported.
    #[serde(default)]
    pub grade: Grade,
    /// What a wrong answer costs, in a sentence.
    pub impact: String,
    /// What to do about it, in a sentence.
    pub fix: String,
    /// The id of the [`super::Cause`] that a wrong answer comes from.
    pub cause: String,
    /// The id of a more general cause: where all of its cases are let in, this one is let in for the same reason.
    pub implied_by: Option<String>,
    /// What the target must do, or the tokens have, for the case to make sense; a key set of its own needs [`Feature::KeySet`] unasked.
    #[serde(default)]
    pub needs: Vec<Feature>,
    /// Recipe and request as they stand in the file, for people.
    #[serde(skip)]
    pub source: CaseSource,
    /// What the issuer publishes; with another key set than the default one the target is started afresh.
    #[serde(default)]
    pub jwks: JwksDocument,
    /// What has to be true of the listener afterwards.
    pub listener: Option<ListenerRule>,
    /// How long the answer may take; a later one is an overreach.
    #[serde(default, deserialize_with = "within")]
    pub within: Option<Duration>,
    /// By how many megabytes the memory of one of the target's processes may grow at its peak; more is an overreach.
    pub memory_growth_mb: Option<u64>,
    /// The name of a field that the answer has to have, and what its value has to hold; without it the answer is noted.
    pub answer_holds: Option<(String, String)>,
    /// What has to be true of the answers to this case and to all others that are asked with it.
    pub answers: Option<AnswerRule>,
    /// What to mint; the profile's genuine token when absent.
    #[serde(default)]
    pub recipe: Recipe,
    /// What to mint beside it, for `{second}` in the request.
    pub second: Option<Recipe>,
    /// How to send it; `Authorization: Bearer {token}` when absent.
    #[serde(default)]
    pub request: CaseRequest,
    /// What is changed in the event of a function; asked only where events are sent.
    pub event: Option<CaseEvent>,
    /// What is asked about the policy beside its decision; asked only where the policy is seen.
    pub policy: Option<PolicyQuestion>,
}

impl Case {
    /// Whether its token is not all of it: it is about a key set of its own, about who visits the listener, about two
    /// tokens, about bytes that need a connection of their own, or about a function's event or policy.
    pub fn needs_own(&self) -> bool {
        self.jwks != JwksDocument::Default
            || self.listener.is_some()
            || self.second.is_some()
            || self.request.raw.is_some()
            || self.needs_function()
    }

    /// Whether it can be asked of a function alone.
    pub fn needs_function(&self) -> bool {
        self.event.is_some() || self.policy.is_some()
    }
}

impl From<&Case> for RequestShape {
    fn from(case: &Case) -> Self {
        Self::from(&case.request).with_event(case.event.clone())
    }
}

fn within<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let DurationText(time) = DurationText::deserialize(deserializer)?;
    if time > WITHIN_MAX {
        return Err(serde::de::Error::custom(format!(
            "`within` is {time:?}; it takes at most {WITHIN_MAX:?}"
        )));
    }
    Ok(Some(time))
}

/// The parts of a case that say what is sent, as they were written.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CaseSource {
    /// The members of `recipe`.
    #[serde(default)]
    pub recipe: Map<String, Value>,
    /// The members of `second`.
    #[serde(default)]
    pub second: Map<String, Value>,
    /// The members of `request`.
    #[serde(default)]
    pub request: Map<String, Value>,
    /// The members of `event`.
    #[serde(default)]
    pub event: Map<String, Value>,
    /// The members of `policy`.
    #[serde(default)]
    pub policy: Map<String, Value>,
}

/// A file of cases, read for its [`CaseSource`]s alone.
#[derive(Deserialize)]
pub(super) struct CaseSources {
    #[serde(rename = "case", default)]
    pub(super) cases: Vec<CaseSource>,
}

/// How strongly a rule binds (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Optional: an answer either way conforms.
    #[serde(rename = "MAY")]
    May,
    /// Binding unless there is a reason.
    #[serde(rename = "SHOULD")]
    Should,
    /// Binding.
    #[serde(rename = "MUST")]
    Must,
}

impl Level {
    /// The words, weakest first.
    pub const ALL: [Self; 3] = [Self::May, Self::Should, Self::Must];

    /// The word, as RFC 2119 writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::May => "MAY",
            Self::Should => "SHOULD",
            Self::Must => "MUST",
        }
    }
}

/// What a wrong answer is worth to an attacker, or costs a user. Independent of [`Level`] on purpose: a decision cache
/// keyed without the signature breaks no RFC and is critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Needs the issuer's own key, or changes nothing that an attacker wants.
    Low,
    /// Helps in a chain.
    Medium,
    /// Breaks a property that deployments rely on.
    High,
    /// Lets a stranger in, or a user act as another.
    Critical,
}

impl Severity {
    /// The severities, least first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The word, as files and reports write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The decision that a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// 2xx.
    Allow,
    /// Denied with 403: the token is good and its scope is not enough (RFC 6750 §3.1).
    Forbidden,
    /// Not let in: a denial, a redirect, an unknown path or method. No answer and an error of the server are faults.
    NotAllowed,
    /// Denied, the status not prescribed.
    Refused,
    /// Denied with 401: the token is not good (RFC 6750 §3.1).
    Unauthorized,
}

impl Expectation {
    /// The decision as an answer on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Forbidden => "403",
            Self::NotAllowed | Self::Refused => "deny",
            Self::Unauthorized => "401",
        }
    }
}

/// What a deviation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// A deviation is a failure.
    #[default]
    Fail,
    /// A deviation is reported and never a failure: half of the industry does it.
    Note,
}

/// Something that a target must do, or that the issuer's tokens must have, for a case to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The issuer's tokens have an `aud`.
    Aud,
    /// They are Amazon Cognito's: `client_id` and `token_use`, and no `aud`.
    Cognito,
    /// The target reads the issuer's key set while it runs, and picks a key by `kid`.
    KeySet,
    /// It takes payload format 2.0 of HTTP APIs.
    PayloadV2,
    /// An allowed answer names the principal, at the place that `[echo]` of the target file names.
    PrincipalEcho,
    /// It takes REQUEST events.
    RequestEvent,
    /// Method and path decide, too: with the required scope `/planets` and what is below it can be read and not changed.
    RouteScopes,
    /// There are `GET /planets/{id}` and `DELETE /planets/{id}` below the path that it is asked for.
    Routes,
    /// The target enforces the scope itself.
    Scope,
    /// It trusts the certificate authority of `{ca_file}`, which its file names.
    TrustedCa,
    /// It trusts another issuer as well, `{other_issuer}`, which its file names.
    TwoIssuers,
    /// It takes `{scope}` as a list with blanks, all of which it requires.
    TwoScopes,
}

impl Feature {
    /// What a target does when its file says nothing.
    pub const UNLESS_SAID: [Self; 2] = [Self::KeySet, Self::Scope];

    /// Those that are the issuer's, and no target's to declare.
    pub const OF_TOKENS: [Self; 2] = [Self::Aud, Self::Cognito];

    /// The word, as files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aud => "aud",
            Self::Cognito => "cognito",
            Self::KeySet => "key-set",
            Self::PayloadV2 => "payload-v2",
            Self::PrincipalEcho => "principal-echo",
            Self::RequestEvent => "request-event",
            Self::RouteScopes => "route-scopes",
            Self::Routes => "routes",
            Self::Scope => "scope",
            Self::TrustedCa => "trusted-ca",
            Self::TwoIssuers => "two-issuers",
            Self::TwoScopes => "two-scopes",
        }
    }
}

/// What has to be true of the listener after a case whose token names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerRule {
    /// Nobody has come.
    NoFetch,
}

/// What has to be true of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerRule {
    /// None repeats payload or signature of the token that it answers.
    NoToken,
}
